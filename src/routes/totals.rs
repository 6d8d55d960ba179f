//! What the routes refused, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Class;

/// Counters of one [`Service`](super::Service), over all its connections. Only what goes wrong is
/// counted here, so the common path touches none of them.
#[derive(Debug, Default)]
pub struct RouteTotals {
    refused: [AtomicU64; Class::ALL.len()],
    dropped: [AtomicU64; Class::ALL.len()],
    shed: AtomicU64,
    setups_rejected: AtomicU64,
}

impl RouteTotals {
    /// Requests that were answered with an error of this class.
    #[must_use]
    pub fn refused(&self, class: Class) -> u64 {
        read(&self.refused, class)
    }

    /// Fire-and-forget requests that were dropped for an error of this class: their client hears
    /// nothing (R-FNF-1).
    #[must_use]
    pub fn dropped(&self, class: Class) -> u64 {
        read(&self.dropped, class)
    }

    /// Fire-and-forget requests beyond a connection's budget.
    #[must_use]
    pub fn shed(&self) -> u64 {
        self.shed.load(Ordering::Relaxed)
    }

    /// SETUPs that were rejected.
    #[must_use]
    pub fn setups_rejected(&self) -> u64 {
        self.setups_rejected.load(Ordering::Relaxed)
    }

    pub(super) fn count_refused(&self, class: Class) {
        add(&self.refused, class);
    }

    pub(super) fn count_dropped(&self, class: Class) {
        add(&self.dropped, class);
    }

    pub(super) fn count_shed(&self) {
        self.shed.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_setup_rejected(&self) {
        self.setups_rejected.fetch_add(1, Ordering::Relaxed);
    }
}

fn read(counts: &[AtomicU64], class: Class) -> u64 {
    counts.get(class.index()).map_or(0, |count| count.load(Ordering::Relaxed))
}

fn add(counts: &[AtomicU64], class: Class) {
    if let Some(count) = counts.get(class.index()) {
        count.fetch_add(1, Ordering::Relaxed);
    }
}
