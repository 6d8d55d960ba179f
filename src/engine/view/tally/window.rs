//! The open window, the ring of closed ones, and their sums.

use std::borrow::Cow;
use std::collections::VecDeque;

use super::item::Gap;
use super::ledger::rank;
use super::limits::TallyLimits;

/// The count of one key, by the number that the ledger gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) index: u32,
    pub(super) count: u64,
}

/// The window that reactions go to. Its counts by key lie in the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Open {
    pub(super) number: u64,
    pub(super) total: u64,
    pub(super) shed: u64,
    /// Keys with a count in this window, each once.
    pub(super) touched: Vec<u32>,
}

impl Open {
    pub(super) fn new(number: u64) -> Self {
        Self { number, total: 0, shed: 0, touched: Vec::new() }
    }
}

/// A closed window; it never changes again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Closed {
    pub(super) number: u64,
    pub(super) total: u64,
    pub(super) shed: u64,
    /// Ranked.
    pub(super) entries: Box<[Entry]>,
}

/// The newest closed windows, in the order of their numbers, with gaps where nothing happened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ring {
    windows: VecDeque<Closed>,
    /// Entries in all of them.
    entries: usize,
    /// How many were ever closed.
    count: u64,
    /// Number of the first window ever closed, and of the last that was evicted; 0 for none.
    first: u64,
    evicted: u64,
}

impl Ring {
    pub(super) fn newest(&self) -> u64 {
        self.windows.back().map_or(0, |window| window.number)
    }

    pub(super) fn first(&self) -> u64 {
        self.first
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Append a window and let the oldest go until the limits hold again.
    pub(super) fn push(&mut self, window: Closed, limits: &TallyLimits) {
        if self.count == 0 {
            self.first = window.number;
        }
        self.count = self.count.saturating_add(1);
        self.entries = self.entries.saturating_add(window.entries.len());
        self.windows.push_back(window);
        while self.windows.len() > 1
            && (self.windows.len() > limits.windows_max || self.entries > limits.entries_max)
        {
            if let Some(oldest) = self.windows.pop_front() {
                self.entries = self.entries.saturating_sub(oldest.entries.len());
                self.evicted = oldest.number;
            }
        }
    }

    /// What a cursor missed for ever.
    pub(super) fn evicted_after(&self, cursor: u64) -> Option<Gap> {
        let to = self.evicted;
        (cursor < to).then(|| Gap { from: cursor.saturating_add(1), to })
    }

    /// The smallest cursor that has seen the same windows, and missed the same for ever.
    pub(super) fn canonical(&self, cursor: u64) -> u64 {
        if cursor < self.first {
            0
        } else if cursor < self.evicted {
            cursor
        } else {
            let seen = self.windows.partition_point(|window| window.number <= cursor);
            seen.checked_sub(1).map_or(self.evicted, |newest| self.windows[newest].number)
        }
    }

    /// The sum of the retained windows after `cursor`, of which there is at least one; `keys` is
    /// how many keys there are.
    pub(super) fn sum(&self, cursor: u64, keys: usize) -> Sum<'_> {
        let from = self.windows.partition_point(|window| window.number <= cursor);
        let newest = self.windows.back().expect("a caught up cursor was answered before");
        let oldest = self.windows.get(from).unwrap_or(newest);
        let covered = self.windows.range(from..);
        let add = |pick: fn(&Closed) -> u64| {
            covered.clone().fold(0_u64, |sum, window| sum.saturating_add(pick(window)))
        };
        let windows = self.windows.len().saturating_sub(from);
        let entries = if windows == 1 {
            Cow::Borrowed(&*newest.entries)
        } else {
            Cow::Owned(merge(covered.clone(), keys))
        };
        Sum {
            first: oldest.number,
            last: newest.number,
            windows: u64::try_from(windows).unwrap_or(u64::MAX),
            total: add(|window| window.total),
            shed: add(|window| window.shed),
            entries: Some(entries),
        }
    }

    /// The sum of every window that ever was.
    pub(super) fn everything(&self, total: u64, shed: u64) -> Sum<'_> {
        let (first, last, windows) = (self.first, self.newest(), self.count);
        Sum { first, last, windows, total, shed, entries: None }
    }
}

/// Add up entries by key, and rank them.
fn merge<'a>(windows: impl Iterator<Item = &'a Closed>, keys: usize) -> Vec<Entry> {
    let mut counts = vec![0_u64; keys];
    for entry in windows.flat_map(|window| window.entries.iter()) {
        let place = usize::try_from(entry.index).expect("usize has at least 32 bits");
        counts[place] = counts[place].saturating_add(entry.count);
    }
    let mut entries: Vec<Entry> = (0..)
        .zip(counts)
        .filter(|(_, count)| *count > 0)
        .map(|(index, count)| Entry { index, count })
        .collect();
    rank(&mut entries);
    entries
}

/// The sum of some windows.
pub(super) struct Sum<'a> {
    pub(super) first: u64,
    pub(super) last: u64,
    pub(super) windows: u64,
    pub(super) total: u64,
    pub(super) shed: u64,
    /// Ranked; `None` stands for all windows that ever were, whose counts are the totals.
    entries: Option<Cow<'a, [Entry]>>,
}

impl Sum<'_> {
    pub(super) fn is_everything(&self) -> bool {
        self.entries.is_none()
    }

    pub(super) fn entries(&self) -> &[Entry] {
        self.entries.as_deref().unwrap_or(&[])
    }
}
