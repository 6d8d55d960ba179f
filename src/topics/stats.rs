//! What the topics have done so far.

use std::ops::AddAssign;

use crate::engine::TallyCommand;

/// Counts since the registry began, topics that have gone included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TopicsStats {
    /// Topics that exist now.
    pub topics: u64,
    /// Subscriptions that exist now.
    pub subscriptions: u64,
    /// Topics refused because [`topics_max`](super::TopicsConfig::topics_max) was reached, counted
    /// per attempt.
    pub topics_refused: u64,
    /// Topics dropped because nothing happened in them.
    pub topics_dropped: u64,
    /// Reactions accepted, the sum of their counts.
    pub reactions: u64,
    /// Reactions shed, the sum of their counts, whether or not their topic existed.
    pub shed: u64,
    /// Windows closed with something in them.
    pub windows: u64,
    /// Items that readers took.
    pub items: u64,
    /// Windows that a reader received as part of another window's item: the windows in every item
    /// taken, less one each.
    pub conflated: u64,
    /// Items taken that told of windows no longer retained.
    pub gaps: u64,
    /// Answers encoded.
    pub encodes: u64,
    /// Times the ticker looked for windows to close and topics to drop.
    pub ticks: u64,
}

impl TopicsStats {
    /// The counts that only grow, by the name of their metric.
    #[must_use]
    pub const fn counters(&self) -> [(&'static str, u64); 8] {
        [
            ("topics_refused", self.topics_refused),
            ("topics_dropped", self.topics_dropped),
            ("reactions", self.reactions),
            ("reactions_shed", self.shed),
            ("windows_closed", self.windows),
            ("conflated_windows", self.conflated),
            ("gaps", self.gaps),
            ("encodes", self.encodes),
        ]
    }

    /// Count a command that was accepted.
    pub(super) fn count(&mut self, command: &TallyCommand) {
        match command {
            TallyCommand::React { count, .. } => {
                self.reactions = self.reactions.saturating_add(*count);
            }
            TallyCommand::Shed { count } => self.shed = self.shed.saturating_add(*count),
            TallyCommand::CloseWindow => {}
        }
    }
}

impl AddAssign for TopicsStats {
    fn add_assign(&mut self, other: Self) {
        let add = |into: &mut u64, value: u64| *into = into.saturating_add(value);
        add(&mut self.topics, other.topics);
        add(&mut self.subscriptions, other.subscriptions);
        add(&mut self.topics_refused, other.topics_refused);
        add(&mut self.topics_dropped, other.topics_dropped);
        add(&mut self.reactions, other.reactions);
        add(&mut self.shed, other.shed);
        add(&mut self.windows, other.windows);
        add(&mut self.items, other.items);
        add(&mut self.conflated, other.conflated);
        add(&mut self.gaps, other.gaps);
        add(&mut self.encodes, other.encodes);
        add(&mut self.ticks, other.ticks);
    }
}
