//! One topic: its view, who waits for it, and the answers they share, behind one short lock.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use super::clock::Clock;
use super::lock;
use super::reading::{Reading, Shared};
use super::stats::TopicsStats;
use super::waiters::{Seat, Waiters, Wake};
use crate::engine::{Answer, Stamped, Tally, TallyCommand, TallyLimits, TopN, View};

/// A topic, shared by the registry, its subscriptions and, while a window is open, the ticker.
#[derive(Debug)]
pub(super) struct Topic {
    clock: Clock,
    state: Mutex<State>,
    pub(super) taken: Taken,
}

/// Counts of what readers do outside the lock.
#[derive(Debug, Default)]
pub(super) struct Taken {
    items: AtomicU64,
    conflated: AtomicU64,
    gaps: AtomicU64,
    encodes: AtomicU64,
}

#[derive(Debug)]
struct State {
    tally: Tally,
    waiters: Waiters,
    shared: Shared,
    subscriptions: u64,
    /// The ticker knows that a window is open.
    listed: bool,
    /// When something was last published or the last subscription ended.
    touched_ms: u64,
    stats: TopicsStats,
}

/// What is left to do after a command, without the lock.
#[must_use]
pub(super) struct Published {
    pub(super) wake: Wake,
    /// A window was opened that the ticker has to close at this time.
    pub(super) opened_until_ms: Option<u64>,
}

impl Topic {
    pub(super) fn new(clock: Clock, limits: TallyLimits) -> Self {
        let state = State {
            tally: Tally::new(limits),
            waiters: Waiters::default(),
            shared: Shared::default(),
            subscriptions: 0,
            listed: false,
            touched_ms: clock.now_ms(),
            stats: TopicsStats { topics: 1, ..TopicsStats::default() },
        };
        Self { clock, state: Mutex::new(state), taken: Taken::default() }
    }

    /// Stamp a command and apply it, closing before it a window that ended before it.
    pub(super) fn publish(&self, command: TallyCommand) -> Published {
        let mut state = lock(&self.state);
        // Under the lock, so that stamps grow in the order in which commands are applied.
        let at_ms = self.clock.now_ms();
        state.touched_ms = at_ms;
        let wake = state.close(at_ms);
        state.stats.count(&command);
        state.tally.apply(&Stamped { at_ms, command });
        let open_until_ms = state.tally.open_until_ms();
        let listed = std::mem::replace(&mut state.listed, open_until_ms.is_some());
        Published { wake, opened_until_ms: open_until_ms.filter(|_| !listed) }
    }

    /// Close the window if it has ended; one that is still open has to be closed at the time that
    /// is returned, else the topic needs no ticker.
    pub(super) fn tick(&self) -> Published {
        let mut state = lock(&self.state);
        let wake = state.close(self.clock.now_ms());
        let opened_until_ms = state.tally.open_until_ms();
        state.listed = opened_until_ms.is_some();
        Published { wake, opened_until_ms }
    }

    /// A reader came; the cursor of one that wants only what comes.
    pub(super) fn subscribe(&self) -> u64 {
        let mut state = lock(&self.state);
        state.subscriptions += 1;
        state.tally.newest()
    }

    /// A reader went.
    pub(super) fn unsubscribe(&self, seat: Option<Seat>) {
        let mut state = lock(&self.state);
        let waker = seat.and_then(|seat| state.waiters.remove(seat));
        state.subscriptions -= 1;
        if state.subscriptions == 0 {
            state.touched_ms = self.clock.now_ms();
            state.shared.clear();
        }
        drop(state);
        // Only now: what a waker's drop runs is not ours to know.
        drop(waker);
    }

    /// The answer for a cursor; a reader that is caught up is woken when there is one.
    pub(super) fn poll_read(
        &self,
        cx: &Context<'_>,
        cursor: u64,
        top: TopN,
        seat: &mut Option<Seat>,
    ) -> Poll<Arc<Reading>> {
        let waker = cx.waker();
        let mut state = lock(&self.state);
        if let Some(reading) = state.read(cursor, top) {
            return Poll::Ready(reading);
        }
        let (registered, replaced) = state.waiters.register(*seat, waker);
        *seat = Some(registered);
        drop(state);
        // Only now: what a waker's drop runs is not ours to know.
        drop(replaced);
        Poll::Pending
    }

    /// Nobody reads, no window is open, and nothing has happened for `idle_ms`.
    pub(super) fn is_idle(&self, now_ms: u64, idle_ms: u64) -> bool {
        let state = lock(&self.state);
        state.subscriptions == 0
            && state.tally.open_until_ms().is_none()
            && now_ms.saturating_sub(state.touched_ms) >= idle_ms
    }

    pub(super) fn stats(&self) -> TopicsStats {
        let state = lock(&self.state);
        TopicsStats {
            subscriptions: state.subscriptions,
            windows: state.tally.windows_closed(),
            items: self.taken.items.load(Ordering::Relaxed),
            conflated: self.taken.conflated.load(Ordering::Relaxed),
            gaps: self.taken.gaps.load(Ordering::Relaxed),
            encodes: self.taken.encodes.load(Ordering::Relaxed),
            ..state.stats
        }
    }

    /// How many readers wait.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        lock(&self.state).waiters.len()
    }
}

impl Taken {
    /// An item went out that held `conflated` windows beside the newest.
    pub(super) fn count(&self, conflated: u64, gap: bool) {
        self.items.fetch_add(1, Ordering::Relaxed);
        // What keeping up costs is one addition.
        if conflated > 0 {
            self.conflated.fetch_add(conflated, Ordering::Relaxed);
        }
        if gap {
            self.gaps.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn count_encode(&self) {
        self.encodes.fetch_add(1, Ordering::Relaxed);
    }
}

impl State {
    fn close(&mut self, at_ms: u64) -> Wake {
        if self.tally.open_until_ms().is_none_or(|end_ms| at_ms < end_ms) {
            return Wake::default();
        }
        self.tally.apply(&Stamped { at_ms, command: TallyCommand::CloseWindow });
        self.shared.clear();
        self.waiters.take()
    }

    fn read(&mut self, cursor: u64, top: TopN) -> Option<Arc<Reading>> {
        let cursor = self.tally.canonical(cursor);
        if let Some(reading) = self.shared.find(cursor, top) {
            return Some(Arc::clone(reading));
        }
        match self.tally.read(cursor, top) {
            Answer::CaughtUp => None,
            Answer::Items { items: item, .. } | Answer::Snapshot { state: item, .. } => {
                let reading = Arc::new(Reading::new(item));
                self.shared.keep(cursor, top, &reading);
                Some(reading)
            }
        }
    }
}
