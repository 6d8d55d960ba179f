//! Which parts of a session have something to do.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Wake, Waker};

use crate::protocol::StreamKey;

/// A part of a session that is polled by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// A stream's source or response.
    Stream(StreamKey),
    /// A fire-and-forget handler that still runs, by its place.
    Effect(usize),
    /// The decision about SETUP.
    Accept,
}

/// The parts that were woken since the driver last looked, each at most once: its length is bounded
/// by the number of parts. Shared with wakers, which may fire on any thread.
#[derive(Debug, Default)]
pub(super) struct ReadySet {
    woken: Mutex<Woken>,
}

#[derive(Debug, Default)]
struct Woken {
    parts: VecDeque<Part>,
    driver: Option<Waker>,
}

impl ReadySet {
    /// Moves what was woken to the end of `into`.
    pub(super) fn take(&self, into: &mut VecDeque<Part>) {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        into.append(&mut woken.parts);
    }

    /// Registers the driver's waker, unless something was woken meanwhile: then `false`.
    pub(super) fn park(&self, driver: &Waker) -> bool {
        let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !woken.parts.is_empty() {
            return false;
        }
        match &mut woken.driver {
            Some(known) => known.clone_from(driver),
            none @ None => *none = Some(driver.clone()),
        }
        true
    }

    fn push(&self, part: Part) {
        let driver = {
            let mut woken = self.woken.lock().unwrap_or_else(PoisonError::into_inner);
            woken.parts.push_back(part);
            woken.driver.take()
        };
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

/// The waker of one part: marks it ready and wakes the driver, once until it is polled again.
#[derive(Debug)]
pub(super) struct PartWaker {
    ready: Arc<ReadySet>,
    part: Part,
    queued: AtomicBool,
}

impl PartWaker {
    pub(super) fn new(ready: &Arc<ReadySet>, part: Part) -> Arc<Self> {
        Arc::new(Self { ready: Arc::clone(ready), part, queued: AtomicBool::new(false) })
    }

    /// Claims the right to queue the part: `true` once until [`polled`](Self::polled).
    pub(super) fn claim(&self) -> bool {
        !self.queued.swap(true, Ordering::AcqRel)
    }

    /// The part is about to be polled: it may be queued again from now on.
    pub(super) fn polled(&self) {
        self.queued.store(false, Ordering::Release);
    }
}

impl Wake for PartWaker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.claim() {
            self.ready.push(self.part);
        }
    }
}
