//! Every key of a tally, with what the open window and the closed ones counted for it.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::item::Counts;
use super::limits::TopN;
use super::window::{Closed, Entry, Open};
use crate::engine::key::Key;

/// Keys are numbered in the order in which they were first seen; a number is an index below and
/// breaks ties. A key is never forgotten, so numbers stay.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Ledger {
    index: BTreeMap<Key, u32>,
    accounts: Vec<Account>,
    /// The keys with the largest totals, in order, at most [`TopN::MAX`].
    ///
    /// Totals only grow, so a key that is neither here nor touched in a window cannot enter when
    /// that window is settled: looking at these and the touched ones is enough.
    leaders: Vec<u32>,
    /// Everything counted in closed windows, keys beyond the limit included.
    total: u64,
    shed: u64,
    /// Stamp of the first command that counted anything.
    since_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Account {
    key: Key,
    /// Counted in the open window, not yet in `total`.
    open: u64,
    /// Counted in all closed windows.
    total: u64,
}

impl Ledger {
    pub(super) fn begin(&mut self, at_ms: u64) {
        self.since_ms.get_or_insert(at_ms);
    }

    pub(super) fn since_ms(&self) -> u64 {
        self.since_ms.unwrap_or(0)
    }

    /// How many keys are known.
    pub(super) fn len(&self) -> usize {
        self.accounts.len()
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    pub(super) fn shed(&self) -> u64 {
        self.shed
    }

    /// The number of a key, a new one if there is room for it.
    pub(super) fn index(&mut self, key: &Key, keys_max: usize) -> Option<u32> {
        if let Some(index) = self.index.get(key) {
            return Some(*index);
        }
        let index = u32::try_from(self.accounts.len()).ok()?;
        if self.accounts.len() >= keys_max {
            return None;
        }
        self.index.insert(*key, index);
        self.accounts.push(Account { key: *key, open: 0, total: 0 });
        Some(index)
    }

    /// Add to a key in the open window; true the first time in this window.
    pub(super) fn add(&mut self, index: u32, count: u64) -> bool {
        let open = &mut self.account_mut(index).open;
        let first = *open == 0;
        *open = open.saturating_add(count);
        first
    }

    /// Move the open window's counts into the totals.
    pub(super) fn settle(&mut self, open: Open) -> Closed {
        let mut entries = Vec::with_capacity(open.touched.len());
        for index in &open.touched {
            let account = self.account_mut(*index);
            let count = std::mem::take(&mut account.open);
            account.total = account.total.saturating_add(count);
            entries.push(Entry { index: *index, count });
        }
        rank(&mut entries);
        self.total = self.total.saturating_add(open.total);
        self.shed = self.shed.saturating_add(open.shed);
        self.rank_leaders(open.touched);
        Closed { number: open.number, total: open.total, shed: open.shed, entries: entries.into() }
    }

    fn rank_leaders(&mut self, touched: Vec<u32>) {
        let mut leaders = std::mem::take(&mut self.leaders);
        leaders.extend(touched);
        leaders.sort_unstable();
        leaders.dedup();
        leaders.sort_by_key(|index| Reverse(self.account(*index).total));
        leaders.truncate(usize::from(TopN::MAX));
        self.leaders = leaders;
    }

    /// The totals of all closed windows.
    pub(super) fn totals(&self, top: TopN) -> Counts {
        let leaders = self.leaders.iter();
        let entries =
            leaders.map(|index| Entry { index: *index, count: self.account(*index).total });
        self.name(entries, self.total, top)
    }

    /// Put names to ranked entries that, with unnamed keys, add up to `total`.
    pub(super) fn counts(&self, ranked: &[Entry], total: u64, top: TopN) -> Counts {
        self.name(ranked.iter().copied(), total, top)
    }

    fn name(&self, ranked: impl Iterator<Item = Entry>, total: u64, top: TopN) -> Counts {
        let ranked = ranked.take(usize::from(top.get()));
        let top: Vec<_> =
            ranked.map(|entry| (self.account(entry.index).key, entry.count)).collect();
        let named = top.iter().fold(0_u64, |sum, (_, count)| sum.saturating_add(*count));
        Counts { top, other: total.saturating_sub(named), total }
    }

    fn account(&self, index: u32) -> &Account {
        let place = usize::try_from(index).expect("usize has at least 32 bits");
        &self.accounts[place]
    }

    fn account_mut(&mut self, index: u32) -> &mut Account {
        let place = usize::try_from(index).expect("usize has at least 32 bits");
        &mut self.accounts[place]
    }
}

/// Largest count first, equal counts by the key first seen.
pub(super) fn rank(entries: &mut [Entry]) {
    entries.sort_unstable_by_key(|entry| (Reverse(entry.count), entry.index));
}
