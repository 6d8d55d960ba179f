//! Views: folds over a topic's commands that answer by cursor.

mod tally;

pub use tally::{Counts, Gap, Tally, TallyCommand, TallyItem, TallyLimits, TopN};

use super::command::Stamped;

/// A fold over a topic's commands, read by cursor.
///
/// A view holds nothing per reader, so any number of readers with any cursors cost it nothing, and
/// a reader that withholds credit costs its cursor.
pub trait View {
    /// What the view folds over.
    type Command;
    /// How far a reader has come; grows with every answer.
    type Cursor: Copy + Ord;
    /// What bounds the size of one answer.
    type Budget: Copy;
    /// The content of an answer.
    type Item;

    /// Fold one command in. Total: every command in any state is accepted, and no command that a
    /// peer can cause panics.
    fn apply(&mut self, stamped: &Stamped<Self::Command>);

    /// What has changed since `cursor`, within `budget`. The cursor may be any value: one that lies
    /// ahead of the view is caught up.
    fn read(&self, cursor: Self::Cursor, budget: Self::Budget) -> Answer<Self::Item, Self::Cursor>;
}

/// What a view has for a cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer<I, C> {
    /// Everything that happened after the cursor, step by step or as one sum.
    Items {
        /// The steps.
        items: I,
        /// The cursor of a reader who has taken them.
        next: C,
    },
    /// The cursor is older than what is retained: the present state instead of the steps. The
    /// state says which steps are missing.
    Snapshot {
        /// The state.
        state: I,
        /// The cursor of a reader who has taken it.
        next: C,
    },
    /// Nothing happened after the cursor.
    CaughtUp,
}
