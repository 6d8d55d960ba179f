//! Credit: how many items one side may still send on one stream, or is yet to be told so.

/// What a single REQUEST_N of this value asks for: everything (R-REQN-6).
pub(crate) const UNBOUNDED: u32 = 0x7FFF_FFFF;

/// Items that may still be sent. Grants add up and are never revoked (R-REQN-2); the sum saturates
/// (R-REQN-5), and one grant of 2^31-1 makes it unbounded for good (R-REQN-6).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Credit(u64);

impl Credit {
    pub(crate) const NONE: Self = Self(0);
    pub(crate) const ONE: Self = Self(1);
    const UNBOUNDED: Self = Self(u64::MAX);

    /// Adds the N of a request or REQUEST_N frame.
    pub(crate) fn grant(&mut self, n: u32) {
        *self =
            if n == UNBOUNDED { Self::UNBOUNDED } else { Self(self.0.saturating_add(n.into())) };
    }

    /// Takes one unit, unless there is none.
    #[must_use]
    pub(crate) fn take(&mut self) -> bool {
        match self.0 {
            0 => false,
            u64::MAX => true,
            n => {
                self.0 = n - 1;
                true
            }
        }
    }

    /// Takes the value of the next REQUEST_N; zero when there is nothing to grant. A finite sum
    /// never yields 2^31-1, which would ask for everything (R-REQN-14).
    pub(crate) fn take_request_n(&mut self) -> u32 {
        if *self == Self::UNBOUNDED {
            *self = Self::NONE;
            return UNBOUNDED;
        }
        let n = u32::try_from(self.0).unwrap_or(u32::MAX).min(UNBOUNDED - 1);
        self.0 -= u64::from(n);
        n
    }

    pub(crate) const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Items left; [`u64::MAX`] when unbounded.
    pub(crate) const fn items(self) -> u64 {
        self.0
    }
}
