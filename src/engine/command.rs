//! A command and the moment at which it was accepted.

/// A command with its time, stamped once when it was accepted and carried with it ever after.
///
/// A fold reads time only from here: replaying the same stamped commands gives the same state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped<C> {
    /// Milliseconds since the Unix epoch. Whoever stamps never goes backwards within a topic.
    pub at_ms: u64,
    /// What was accepted.
    pub command: C,
}
