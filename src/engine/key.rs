//! What a tally counts: a short text such as an emoji.

use std::cmp::Ordering;
use std::fmt;

/// A counted key: 1 to [`Key::LEN_MAX`] bytes of UTF-8, held inline so that a reaction allocates
/// nothing.
///
/// Keys are compared byte by byte: two spellings of one emoji (with and without a variation
/// selector) are two keys.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key {
    // Bytes past `len` are zero, so the derived equality is that of the text.
    bytes: [u8; Self::LEN_MAX],
    len: u8,
}

/// Why a text is not a [`Key`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The text is empty.
    #[error("the key is empty")]
    Empty,
    /// The text is longer than [`Key::LEN_MAX`] bytes.
    #[error("the key has {len} bytes, at most {max} are allowed", max = Key::LEN_MAX)]
    TooLong {
        /// Its length in bytes.
        len: usize,
    },
}

impl Key {
    /// The longest key, in bytes of UTF-8: room for the longest emoji sequences (a family of four
    /// has 25, a couple with skin tones 35).
    pub const LEN_MAX: usize = 64;

    /// Check a text.
    ///
    /// # Errors
    /// [`KeyError`] when it is empty or longer than [`Key::LEN_MAX`] bytes.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let len = text.len();
        let Some(held) = u8::try_from(len).ok().filter(|_| len <= Self::LEN_MAX) else {
            return Err(KeyError::TooLong { len });
        };
        if held == 0 {
            return Err(KeyError::Empty);
        }
        let mut bytes = [0; Self::LEN_MAX];
        bytes[..len].copy_from_slice(text.as_bytes());
        Ok(Self { bytes, len: held })
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(self.as_bytes()).expect("a key is made from a str and never changed")
    }

    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_has_1_to_64_bytes() {
        assert_eq!(Key::new(""), Err(KeyError::Empty));
        assert_eq!(Key::new(&"x".repeat(65)), Err(KeyError::TooLong { len: 65 }));
        assert_eq!(Key::new(&"x".repeat(256)), Err(KeyError::TooLong { len: 256 }));
        for text in ["x", "🎉", &"x".repeat(64)] {
            assert_eq!(Key::new(text).unwrap().as_str(), text);
        }
    }

    #[test]
    fn keys_order_and_equal_as_their_texts() {
        let texts = ["a", "a\0", "aa", "b", "é", "👍", "👍🏽"];
        for left in texts {
            for right in texts {
                let keys = (Key::new(left).unwrap(), Key::new(right).unwrap());
                assert_eq!(keys.0.cmp(&keys.1), left.cmp(right), "{left:?} {right:?}");
                assert_eq!(keys.0 == keys.1, left == right, "{left:?} {right:?}");
            }
        }
    }
}
