//! All topics, by event.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::clock::Clock;
use super::lock;
use super::stats::TopicsStats;
use super::subscription::{Start, Subscription};
use super::ticker::{self, Alarm};
use super::topic::Topic;
use super::waiters::Wake;
use crate::engine::{Key, OutOfRange, TallyCommand, TallyLimits, TopN};

/// Bounds of the registry and of each topic in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicsConfig {
    /// Topics at once; 1 to 1,000,000, default 10,000.
    pub topics_max: usize,
    /// How long a topic without readers and reactions stays, milliseconds; 1,000 to
    /// 86,400,000, default 600,000. It may stay a quarter longer.
    pub idle_ms: u64,
    /// Bounds of each topic.
    pub tally: TallyLimits,
}

impl Default for TopicsConfig {
    fn default() -> Self {
        Self { topics_max: 10_000, idle_ms: 600_000, tally: TallyLimits::default() }
    }
}

impl TopicsConfig {
    /// Check every range.
    ///
    /// # Errors
    /// The first field that is out of its range.
    pub fn check(&self) -> Result<(), OutOfRange> {
        OutOfRange::check_len("topics_max", self.topics_max, 1..=1_000_000)?;
        OutOfRange::check("idle_ms", self.idle_ms, 1_000..=86_400_000)?;
        self.tally.check()
    }
}

/// No room for another topic; those that exist go on. Worth another try later.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are {max} live topics already, no room for another")]
pub struct TopicsFull {
    /// The bound that was reached.
    pub max: usize,
}

/// The registry. Clones are the same registry; the ticker ends with the last of them.
#[derive(Clone, Debug)]
pub struct Topics(pub(super) Arc<Registry>);

#[derive(Debug)]
pub(super) struct Registry {
    config: TopicsConfig,
    pub(super) clock: Clock,
    pub(super) alarm: Arc<Alarm>,
    map: RwLock<Map>,
    /// Counts of topics that are gone.
    gone: Mutex<TopicsStats>,
    topics_refused: AtomicU64,
    pub(super) ticks: AtomicU64,
    /// Shed for topics that did not exist.
    shed_elsewhere: AtomicU64,
}

impl Topics {
    /// Start a registry and its ticker, on the present runtime.
    ///
    /// # Errors
    /// [`OutOfRange`] when a bound is out of range.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    pub fn start(config: TopicsConfig) -> Result<Self, OutOfRange> {
        Self::start_with(config, Clock::start())
    }

    pub(super) fn start_with(config: TopicsConfig, clock: Clock) -> Result<Self, OutOfRange> {
        config.check()?;
        let registry = Arc::new(Registry {
            config,
            clock,
            alarm: Arc::default(),
            map: RwLock::default(),
            gone: Mutex::default(),
            topics_refused: AtomicU64::new(0),
            ticks: AtomicU64::new(0),
            shed_elsewhere: AtomicU64::new(0),
        });
        tokio::spawn(ticker::run(Arc::downgrade(&registry), Arc::clone(&registry.alarm)));
        Ok(Self(registry))
    }

    /// Count a reaction to an event, in the window that is open now.
    ///
    /// # Errors
    /// [`TopicsFull`] when the event has no topic yet and there is no room for it.
    pub fn react(&self, event: &str, key: Key, count: u64) -> Result<(), TopicsFull> {
        let command = TallyCommand::React { key, count };
        let wake = self.0.with_topic(event, |topic| self.0.publish(topic, command))?;
        wake.wake();
        Ok(())
    }

    /// Count reactions to an event that were refused for overload. An event without a topic gets
    /// none by this (a flood of refusals must not fill the registry): its count then shows in
    /// [`TopicsStats::shed`] alone.
    pub fn shed(&self, event: &str, count: u64) {
        let command = TallyCommand::Shed { count };
        let wake = self.0.map().get(event).map(|topic| self.0.publish(topic, command));
        match wake {
            Some(wake) => wake.wake(),
            None => {
                self.0.shed_elsewhere.fetch_add(count, Ordering::Relaxed);
            }
        }
    }

    /// Read an event's windows from `start` on, `top` keys an answer.
    ///
    /// # Errors
    /// [`TopicsFull`] when the event has no topic yet and there is no room for it.
    pub fn reactions(
        &self,
        event: &str,
        start: Start,
        top: TopN,
    ) -> Result<Subscription, TopicsFull> {
        self.0.with_topic(event, |topic| Subscription::new(Arc::clone(topic), start, top))
    }

    /// What happened so far. Takes each topic's lock in turn: meant for a metrics page.
    #[must_use]
    pub fn stats(&self) -> TopicsStats {
        let map = self.0.map();
        let mut stats = *lock(&self.0.gone);
        for topic in map.values() {
            stats += topic.stats();
        }
        stats.topics_refused = self.0.topics_refused.load(Ordering::Relaxed);
        stats.ticks = self.0.ticks.load(Ordering::Relaxed);
        stats.shed = stats.shed.saturating_add(self.0.shed_elsewhere.load(Ordering::Relaxed));
        stats
    }
}

/// The topics by event.
type Map = HashMap<Box<str>, Arc<Topic>>;

impl Registry {
    /// Do something with an event's topic, which exists while it is done.
    fn with_topic<R>(
        &self,
        event: &str,
        act: impl FnOnce(&Arc<Topic>) -> R,
    ) -> Result<R, TopicsFull> {
        if let Some(topic) = self.map().get(event) {
            return Ok(act(topic));
        }
        let mut map = self.map_mut();
        let max = self.config.topics_max;
        if map.len() >= max && !map.contains_key(event) {
            self.topics_refused.fetch_add(1, Ordering::Relaxed);
            return Err(TopicsFull { max });
        }
        if map.is_empty() {
            self.alarm.ring();
        }
        let new = || Arc::new(Topic::new(self.clock, self.config.tally));
        Ok(act(map.entry(event.into()).or_insert_with(new)))
    }

    /// Apply a command, and have the ticker close the window that it opened.
    fn publish(&self, topic: &Arc<Topic>, command: TallyCommand) -> Wake {
        let published = topic.publish(command);
        if let Some(until_ms) = published.opened_until_ms {
            self.alarm.set(until_ms, Arc::clone(topic));
        }
        published.wake
    }

    /// How long between two looks for idle topics, milliseconds; `None` while there are none.
    pub(super) fn sweep_every_ms(&self) -> Option<u64> {
        (!self.map().is_empty()).then_some(self.config.idle_ms / 4)
    }

    /// Drop the topics that are idle. Nobody can be acting on one: that needs the map.
    pub(super) fn drop_idle(&self, now_ms: u64) {
        let mut map = self.map_mut();
        let mut gone = lock(&self.gone);
        map.retain(|_, topic| {
            let idle = topic.is_idle(now_ms, self.config.idle_ms);
            if idle {
                *gone += TopicsStats { topics: 0, topics_dropped: 1, ..topic.stats() };
            }
            !idle
        });
    }

    fn map(&self) -> RwLockReadGuard<'_, Map> {
        self.map.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn map_mut(&self) -> RwLockWriteGuard<'_, Map> {
        self.map.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        // The ticker wakes, finds nobody and ends.
        self.alarm.ring();
    }
}
