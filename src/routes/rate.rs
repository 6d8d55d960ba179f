//! The budget of fire-and-forget requests of a client without a lease.

use std::time::Instant;

/// A token bucket: `per_second` requests a second, a second's worth at once.
///
/// Fire-and-forget has no credit in RSocket. A client with a lease is held by it; for others this
/// decides which request is shed (and counted).
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    per_second: u32,
    /// Requests that may still come now, in units of a nanosecond of `per_second`: a request costs
    /// [`SECOND`], a nanosecond earns `per_second`, so nothing is ever rounded.
    left: u64,
    updated: Option<Instant>,
}

/// What one request costs.
const SECOND: u64 = 1_000_000_000;

impl Rate {
    /// `per_second` requests a second.
    pub(super) fn new(per_second: u32) -> Self {
        Self { per_second, left: u64::from(per_second) * SECOND, updated: None }
    }

    /// Takes one request's worth; `false` when it is to be shed.
    pub(super) fn take(&mut self, now: Instant) -> bool {
        let before = self.updated.replace(now).unwrap_or(now);
        let full = u64::from(self.per_second) * SECOND;
        let elapsed = now.saturating_duration_since(before).as_nanos().min(u128::from(SECOND));
        let earned = u64::try_from(elapsed).unwrap_or(SECOND) * u64::from(self.per_second);
        self.left = self.left.saturating_add(earned).min(full);
        match self.left.checked_sub(SECOND) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_seconds_worth_at_once_then_the_rate() {
        let start = Instant::now();
        let mut rate = Rate::new(100);
        let taken = |rate: &mut Rate, now: Instant| (0..1_000).filter(|_| rate.take(now)).count();
        assert_eq!(taken(&mut rate, start), 100);
        assert_eq!(taken(&mut rate, start + Duration::from_millis(9)), 0);
        assert_eq!(taken(&mut rate, start + Duration::from_millis(10)), 1);
        assert_eq!(taken(&mut rate, start + Duration::from_millis(510)), 50);
        assert_eq!(taken(&mut rate, start + Duration::from_secs(3_600)), 100);
    }

    #[test]
    fn the_rate_is_exact_however_often_it_is_asked() {
        let start = Instant::now();
        let mut rate = Rate::new(7);
        let asked = 100_000_u32;
        let taken = (0..asked).filter(|n| rate.take(start + Duration::from_millis((*n).into())));
        // 7 at once, then 7 a second for the 99,999 ms that follow.
        assert_eq!(taken.count(), 7 + 699);
    }

    #[test]
    fn the_largest_rate_does_not_overflow_and_time_may_stand_still_or_go_back() {
        let start = Instant::now() + Duration::from_secs(10);
        let mut rate = Rate::new(u32::MAX);
        assert!(rate.take(start));
        assert!(rate.take(start + Duration::from_secs(1_000_000)));
        assert!(rate.take(start));
        assert!(!Rate::new(0).take(start));
    }
}
