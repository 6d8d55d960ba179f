//! What a reader of a tally receives.

use crate::engine::key::Key;

/// The sum of every closed window after a reader's cursor, and the running totals.
///
/// Its size is bounded by the reader's top N, whatever the number of keys or windows behind it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyItem {
    /// Number of the first window summed in [`TallyItem::counts`].
    pub first: u64,
    /// Number of the last window summed, the newest closed one: the reader's next cursor.
    pub last: u64,
    /// How many windows were summed; numbers that nothing happened in are not among them.
    pub windows: u64,
    /// Where the first window starts, Unix milliseconds.
    pub start_ms: u64,
    /// Where the last window ends (exclusive), Unix milliseconds.
    pub end_ms: u64,
    /// What was counted in these windows.
    pub counts: Counts,
    /// What was refused for overload in these windows.
    pub shed: u64,
    /// What was counted since the topic began, up to `last`.
    pub totals: Counts,
    /// What was refused since the topic began, up to `last`.
    pub totals_shed: u64,
    /// When the topic began to count, Unix milliseconds. A later value than before means that the
    /// totals began anew.
    pub totals_since_ms: u64,
    /// Windows after the cursor that are no longer retained: missing from `counts`, present in
    /// `totals`.
    pub gap: Option<Gap>,
}

/// Counts by key, the largest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// At most top N keys with their counts, none of them 0; equal counts in the order in which
    /// the topic first saw their keys.
    pub top: Vec<(Key, u64)>,
    /// The rest: `total` less the counts in `top`.
    pub other: u64,
    /// Everything counted.
    pub total: u64,
}

/// Window numbers that fell out of retention, both ends inclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gap {
    /// The first number after the reader's cursor.
    pub from: u64,
    /// The last number that is gone.
    pub to: u64,
}
