//! `Tally`: counts per key in windows of time, and running totals.
//!
//! Windows lie on an absolute grid: window `n` (from 1) is `(n-1)*window_ms ..= n*window_ms - 1` in
//! Unix time, the same on every node and after every restart. A reader's cursor is the number of
//! the last window it has seen, 0 for none. It is answered with **one** item, the sum of every
//! closed window after its cursor and the running totals, so a slow reader takes one item whatever
//! it missed.
//!
//! Invariants:
//! - Sums are exact: every accepted count is in exactly one window and in the totals from the
//!   moment that window closes. Sums are `u64` and saturate; at a billion a second that is
//!   reached after 584 years.
//! - An item's `counts.top` and `counts.other` add up to `counts.total`. A key beyond `keys_max`
//!   is counted in `other`; it is never lost from a total.
//! - A window that nothing happened in does not exist: it has a number that is skipped, costs no
//!   memory, and a reader who is caught up hears nothing of it.
//! - A command adds to the open window, which is the one of its stamp when none is open. A window
//!   closes only by [`TallyCommand::CloseWindow`]; until then it takes what comes, even late.
//!   Numbers of closed windows strictly increase.
//! - Equal counts rank by which key was seen first in the topic, so the order is the same for
//!   every fold of the same commands.
//! - Retained are the last `windows_max` closed windows, fewer when they hold more than
//!   `entries_max` counts together; the newest is always kept. A cursor from before that gets a
//!   `Snapshot`: totals exact, the retained windows summed, and [`Gap`] naming the rest. A cursor
//!   from before the first window of all gets the whole sum, which is the totals.
//!
//! Cost: a reaction is one lookup and two additions; a close sorts the keys of that window; a
//! read of the newest window is O(top N), of more O(their entries + keys).

mod item;
mod ledger;
mod limits;
#[cfg(test)]
mod tests;
mod window;

pub use item::{Counts, Gap, TallyItem};
pub use limits::{TallyLimits, TopN};

use super::{Answer, View};
use crate::engine::{command::Stamped, key::Key};
use ledger::Ledger;
use window::{Open, Ring};

/// What a [`Tally`] folds over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TallyCommand {
    /// Add to a key in the open window.
    React {
        /// What is counted.
        key: Key,
        /// How many; 0 changes nothing.
        count: u64,
    },
    /// Reactions that were refused for overload, so that a window also says what it lacks.
    Shed {
        /// How many; 0 changes nothing.
        count: u64,
    },
    /// Time has passed the end of the open window. Changes nothing when no window is open or the
    /// stamp lies before its end.
    CloseWindow,
}

/// The view behind live reactions. See the module for its invariants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tally {
    limits: TallyLimits,
    /// Every key seen, and the totals of the closed windows.
    ledger: Ledger,
    open: Option<Open>,
    closed: Ring,
}

impl Tally {
    /// An empty tally.
    ///
    /// # Panics
    /// If the limits are out of range: they come from configuration that was checked with
    /// [`TallyLimits::check`].
    #[must_use]
    pub fn new(limits: TallyLimits) -> Self {
        assert!(limits.check().is_ok(), "limits are checked before they reach a tally");
        Self { limits, ledger: Ledger::default(), open: None, closed: Ring::default() }
    }

    /// When the open window ends, in Unix milliseconds; none is open without a reaction in it. A
    /// `CloseWindow` is due from then on.
    #[must_use]
    pub fn open_until_ms(&self) -> Option<u64> {
        self.open.as_ref().map(|open| self.end_ms(open.number))
    }

    /// The newest closed window, 0 if there is none: the cursor of a reader who wants only what
    /// comes.
    #[must_use]
    pub fn newest(&self) -> u64 {
        self.closed.newest()
    }

    /// How many windows were closed since the topic began; skipped numbers are not counted.
    #[must_use]
    pub fn windows_closed(&self) -> u64 {
        self.closed.count()
    }

    /// The smallest cursor with the same answer as this one, so that equal answers are recognised
    /// before they are computed.
    #[must_use]
    pub fn canonical(&self, cursor: u64) -> u64 {
        self.closed.canonical(cursor)
    }

    fn end_ms(&self, number: u64) -> u64 {
        number.saturating_mul(self.limits.window_ms)
    }

    fn start_ms(&self, number: u64) -> u64 {
        number.saturating_sub(1).saturating_mul(self.limits.window_ms)
    }

    /// The window that a command stamped `at_ms` belongs to: the open one, else a new one.
    fn open_at(&mut self, at_ms: u64) -> &mut Open {
        let number = (at_ms / self.limits.window_ms).saturating_add(1);
        let after_newest = self.closed.newest().saturating_add(1);
        self.open.get_or_insert_with(|| Open::new(number.max(after_newest)))
    }

    fn react(&mut self, at_ms: u64, key: &Key, count: u64) {
        if count == 0 {
            return;
        }
        self.ledger.begin(at_ms);
        let known = self.ledger.index(key, self.limits.keys_max);
        let open = self.open_at(at_ms);
        open.total = open.total.saturating_add(count);
        if let Some(index) = known
            && self.ledger.add(index, count)
        {
            self.open_at(at_ms).touched.push(index);
        }
    }

    fn shed(&mut self, at_ms: u64, count: u64) {
        if count == 0 {
            return;
        }
        self.ledger.begin(at_ms);
        let open = self.open_at(at_ms);
        open.shed = open.shed.saturating_add(count);
    }

    fn close(&mut self, at_ms: u64) {
        if self.open_until_ms().is_none_or(|end_ms| at_ms < end_ms) {
            return;
        }
        if let Some(open) = self.open.take() {
            self.closed.push(self.ledger.settle(open), &self.limits);
        }
    }

    fn item(&self, sum: &window::Sum<'_>, gap: Option<Gap>, top: TopN) -> TallyItem {
        let totals = self.ledger.totals(top);
        let counts = if sum.is_everything() {
            totals.clone()
        } else {
            self.ledger.counts(sum.entries(), sum.total, top)
        };
        TallyItem {
            first: sum.first,
            last: sum.last,
            windows: sum.windows,
            start_ms: self.start_ms(sum.first),
            end_ms: self.end_ms(sum.last),
            counts,
            shed: sum.shed,
            totals,
            totals_shed: self.ledger.shed(),
            totals_since_ms: self.ledger.since_ms(),
            gap,
        }
    }
}

impl View for Tally {
    type Command = TallyCommand;
    type Cursor = u64;
    type Budget = TopN;
    type Item = TallyItem;

    fn apply(&mut self, stamped: &Stamped<TallyCommand>) {
        match &stamped.command {
            TallyCommand::React { key, count } => self.react(stamped.at_ms, key, *count),
            TallyCommand::Shed { count } => self.shed(stamped.at_ms, *count),
            TallyCommand::CloseWindow => self.close(stamped.at_ms),
        }
    }

    fn read(&self, cursor: u64, top: TopN) -> Answer<TallyItem, u64> {
        let next = self.closed.newest();
        if cursor >= next {
            return Answer::CaughtUp;
        }
        match self.closed.evicted_after(cursor) {
            None => {
                let sum = self.closed.sum(cursor, self.ledger.len());
                Answer::Items { items: self.item(&sum, None, top), next }
            }
            Some(gap) if gap.from <= self.closed.first() => {
                let sum = self.closed.everything(self.ledger.total(), self.ledger.shed());
                Answer::Items { items: self.item(&sum, None, top), next }
            }
            Some(gap) => {
                let sum = self.closed.sum(cursor, self.ledger.len());
                Answer::Snapshot { state: self.item(&sum, Some(gap), top), next }
            }
        }
    }
}
