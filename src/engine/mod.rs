//! Topics as values: commands, the views that fold over them, cursors and what is retained.
//!
//! A topic is a log of commands. Each is stamped once with the time at which it was accepted
//! ([`Stamped`]), and what time alone brings about (a window closes) is a command too, so the same
//! commands fold to the same state wherever and whenever they are applied. A [`View`] is that
//! fold: a plain value that answers "what has changed since your cursor?" and holds nothing per
//! reader.
//!
//! Nothing here has a clock, a lock, a task or IO; the `topics` layer makes it live.
#![deny(clippy::disallowed_methods, clippy::wildcard_enum_match_arm, clippy::iter_over_hash_type)]

mod command;
mod key;
mod limits;
mod view;

pub use command::Stamped;
pub use key::{Key, KeyError};
pub use limits::OutOfRange;
pub use view::{Answer, Counts, Gap, Tally, TallyCommand, TallyItem, TallyLimits, TopN, View};
