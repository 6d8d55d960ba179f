//! A limit that was set to what it cannot be.

use std::ops::RangeInclusive;

/// A limit out of its range.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} is {value}, allowed is {} to {}", allowed.start(), allowed.end())]
pub struct OutOfRange {
    /// The name of its field.
    pub name: &'static str,
    /// What it was set to.
    pub value: u64,
    /// What it may be.
    pub allowed: RangeInclusive<u64>,
}

impl OutOfRange {
    /// Check a value.
    ///
    /// # Errors
    /// When the range does not contain it.
    pub fn check(name: &'static str, value: u64, allowed: RangeInclusive<u64>) -> Result<(), Self> {
        if allowed.contains(&value) { Ok(()) } else { Err(Self { name, value, allowed }) }
    }

    /// Check a number of things.
    ///
    /// # Errors
    /// When the range does not contain it.
    pub fn check_len(
        name: &'static str,
        value: usize,
        allowed: RangeInclusive<u64>,
    ) -> Result<(), Self> {
        Self::check(name, u64::try_from(value).unwrap_or(u64::MAX), allowed)
    }
}
