//! Leaving in good order: who is told, and how the work is spread (R-CLOSE-3).

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::config::Drain;
use crate::transport::{DrainPlan, DrainSignal};

/// Tells every connection when the server drains.
#[derive(Clone, Debug)]
pub(super) struct Shutdown {
    plan: Arc<watch::Sender<Option<DrainPlan>>>,
    connections: Arc<AtomicU32>,
}

impl Shutdown {
    pub(super) fn new() -> Self {
        let (plan, _) = watch::channel(None);
        Self { plan: Arc::new(plan), connections: Arc::default() }
    }

    /// The signal for one more connection. Places follow the golden ratio, so that however many
    /// connections there are, their places are spread evenly over 0 to 1.
    pub(super) fn signal(&self) -> DrainSignal {
        const GOLDEN: f64 = 0.618_033_988_749_894_9;
        let number = self.connections.fetch_add(1, Ordering::Relaxed);
        let place = (f64::from(number) * GOLDEN).fract();
        DrainSignal { plan: self.plan.subscribe(), place }
    }

    /// Resolves when the drain begins.
    pub(super) async fn begun(&self) {
        // An error would mean that the sender is gone, which this value holds.
        let _ = self.plan.subscribe().wait_for(Option::is_some).await;
    }

    /// Whether the drain has begun.
    pub(super) fn has_begun(&self) -> bool {
        self.plan.borrow().is_some()
    }

    /// Begins the drain of so many live streams; returns its deadline.
    pub(super) fn begin(&self, drain: &Drain, streams: u64) -> Instant {
        let start = tokio::time::Instant::now().into_std();
        let deadline = drain.deadline_ms.duration();
        let retry_ms = drain.retry_ms.get();
        let plan = DrainPlan {
            start,
            spread: spread(streams, drain.streams_per_second, deadline),
            deadline: start + deadline,
            message: format!("draining, retry in {retry_ms} ms"),
        };
        self.plan.send_replace(Some(plan));
        start + deadline
    }
}

/// At the paced rate, but within four fifths of the deadline: what is left of it is for responses
/// that are still being worked on.
fn spread(streams: u64, per_second: u32, deadline: Duration) -> Duration {
    let streams = u32::try_from(streams).unwrap_or(u32::MAX);
    let paced = Duration::from_secs(1).mul_f64(f64::from(streams) / f64::from(per_second.max(1)));
    paced.min(deadline * 4 / 5)
}

/// Resolves at the next SIGTERM or SIGINT.
///
/// # Errors
/// When the system does not let the process handle them.
pub(super) struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
}

impl Signals {
    pub(super) fn listen() -> std::io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        let interrupt = signal(SignalKind::interrupt())?;
        Ok(Self { terminate, interrupt })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_completed_at_the_paced_rate_within_the_deadline() {
        let deadline = Duration::from_secs(10);
        assert_eq!(spread(500, 1_000, deadline), Duration::from_millis(500));
        assert_eq!(spread(1_000_000, 1_000, deadline), Duration::from_secs(8));
        assert_eq!(spread(0, 1_000, deadline), Duration::ZERO);
    }

    #[test]
    fn places_are_spread_evenly() {
        let shutdown = Shutdown::new();
        let mut tenths = [0; 10];
        for _ in 0..1_000 {
            let place = shutdown.signal().place;
            let tenth = (0..10).find(|tenth| place < f64::from(tenth + 1) / 10.0).unwrap();
            tenths[usize::try_from(tenth).unwrap()] += 1;
        }
        assert!(tenths.iter().all(|count| (95..=105).contains(count)), "{tenths:?}");
    }
}
