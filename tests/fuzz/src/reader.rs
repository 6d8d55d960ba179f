//! Choices, taken off the front of a fuzzer's input.

/// What is left of an input; zeros when it is used up.
pub(crate) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self(input)
    }

    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn byte(&mut self) -> u8 {
        match self.0.split_first() {
            Some((first, rest)) => {
                self.0 = rest;
                *first
            }
            None => 0,
        }
    }

    /// Up to so many bytes.
    pub(crate) fn bytes(&mut self, len: usize) -> &'a [u8] {
        let (front, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        front
    }

    /// A count: mostly small, sometimes at the edges of 31 bits.
    pub(crate) fn n(&mut self) -> u32 {
        match self.byte() {
            255 => 0x7FFF_FFFF,
            254 => 0x7FFF_FFFE,
            253 => 0x4000_0000,
            252 => 1_000,
            n => n.into(),
        }
    }
}
