//! Topics live: the engine's views behind locks, with the clock, the readers that wait, and the
//! answers that readers share.
//!
//! [`Topics`] is the registry. A route publishes into it ([`Topics::react`]) and reads from it
//! through a [`Subscription`], which holds a cursor and nothing else: no message is ever queued
//! for a reader. A topic comes into being with its first reaction or reader, within
//! [`TopicsConfig::topics_max`], and goes when it has had neither for [`TopicsConfig::idle_ms`];
//! its totals go with it.
//!
//! Invariants:
//! - A topic has one writer at a time: order within it is total, stamps never go backwards.
//! - Finding nothing to read and registering to be woken are one critical section, so no window
//!   closes unseen between them. Closing takes the list of waiters, unlocks, then wakes. In the
//!   list are only readers that asked and were caught up, each at most once; a dropped
//!   subscription is not in it.
//! - Locks nest in one order only: the registry's map, then a topic. No lock is held while a
//!   reader is woken or an answer is encoded.
//! - Windows close on an absolute grid: by the first command after their end or by the ticker,
//!   whichever comes first, so lateness never adds up and never shifts a count into a window that
//!   had ended before it came.
//! - The ticker sleeps until the earliest open window ends. With none open it wakes a few times
//!   per `idle_ms` to drop idle topics, without topics not at all.
//! - An answer is computed once per window and top N, and encoded once per media type, however
//!   many readers take it.

mod clock;
mod reading;
mod registry;
mod stats;
mod subscription;
mod ticker;
mod topic;
mod waiters;

#[cfg(test)]
mod tests;

pub use reading::{Media, Reading};
pub use registry::{Topics, TopicsConfig, TopicsFull};
pub use stats::TopicsStats;
pub use subscription::{Start, Subscription};

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Lock, whatever happened to a thread that held it: every critical section here leaves the state
/// consistent at each point where it could panic.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
