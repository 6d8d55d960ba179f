//! The time that stamps commands.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

/// Unix time that never goes backwards: the wall clock once, at the start, and a monotonic one
/// from there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    start: Instant,
    start_ms: u64,
}

impl Clock {
    pub(super) fn start() -> Self {
        // A wall clock before 1970 counts from 0: windows need a grid, not the right date.
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::starting_at(millis(unix))
    }

    pub(super) fn starting_at(start_ms: u64) -> Self {
        Self { start: Instant::now(), start_ms }
    }

    pub(super) fn now_ms(&self) -> u64 {
        self.start_ms.saturating_add(millis(self.start.elapsed()))
    }

    /// The moment at which [`Clock::now_ms`] becomes `at_ms`.
    pub(super) fn instant(&self, at_ms: u64) -> Instant {
        self.start + Duration::from_millis(at_ms.saturating_sub(self.start_ms))
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
