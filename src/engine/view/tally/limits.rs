//! Bounds of a tally, and of one answer from it.

use crate::engine::OutOfRange;

/// Bounds of one tally.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TallyLimits {
    /// Length of a window, milliseconds; 100 to 10,000, default 500.
    pub window_ms: u64,
    /// Closed windows retained; 1 to 65,536, default 1,024.
    pub windows_max: usize,
    /// Counts retained in all windows together (16 bytes each), so that many keys in many windows
    /// stay within memory; at least 1, at most 16,777,216, default 16,384.
    pub entries_max: usize,
    /// Distinct keys; further ones count in `other`; 1 to 65,536, default 1,000.
    pub keys_max: usize,
}

impl Default for TallyLimits {
    fn default() -> Self {
        Self { window_ms: 500, windows_max: 1_024, entries_max: 16_384, keys_max: 1_000 }
    }
}

impl TallyLimits {
    /// Check every range.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        OutOfRange::check("window_ms", self.window_ms, 100..=10_000)?;
        OutOfRange::check_len("windows_max", self.windows_max, 1..=65_536)?;
        OutOfRange::check_len("entries_max", self.entries_max, 1..=16_777_216)?;
        OutOfRange::check_len("keys_max", self.keys_max, 1..=65_536)
    }
}

/// How many keys an answer names: 1 to [`TopN::MAX`], default 10.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopN(u8);

impl TopN {
    /// The most keys that an answer can name.
    pub const MAX: u8 = 100;

    /// Check a reader's choice; `None` when it is outside 1 to [`TopN::MAX`].
    #[must_use]
    pub fn new(n: u64) -> Option<Self> {
        u8::try_from(n).ok().filter(|n| (1..=Self::MAX).contains(n)).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for TopN {
    fn default() -> Self {
        Self(10)
    }
}
