//! The one task per registry that closes windows on time and drops idle topics.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::Notify;
use tokio::time::{Instant, timeout_at};

use super::lock;
use super::registry::Registry;
use super::topic::Topic;

/// Topics closed before the ticker lets other tasks run.
const TURN_TOPICS: usize = 64;

/// Which topics have an open window, and when the first of them ends.
#[derive(Debug, Default)]
pub(super) struct Alarm {
    bell: Notify,
    open: Mutex<OpenWindows>,
}

/// Each topic is listed once per open window, so there are at most as many entries as topics.
#[derive(Debug, Default)]
struct OpenWindows {
    listed: Vec<(u64, Arc<Topic>)>,
    /// The least end in the list, milliseconds.
    earliest_ms: Option<u64>,
}

impl Alarm {
    /// Make the ticker look again.
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    /// A topic has a window open until then.
    pub(super) fn set(&self, until_ms: u64, topic: Arc<Topic>) {
        let mut open = lock(&self.open);
        open.listed.push((until_ms, topic));
        if open.earliest_ms.is_none_or(|earliest_ms| until_ms < earliest_ms) {
            open.earliest_ms = Some(until_ms);
            drop(open);
            self.ring();
        }
    }

    /// Take the topics whose window has ended off the list.
    fn due(&self, now_ms: u64) -> Vec<Arc<Topic>> {
        let mut open = lock(&self.open);
        if open.earliest_ms.is_none_or(|earliest_ms| now_ms < earliest_ms) {
            return Vec::new();
        }
        let listed = std::mem::take(&mut open.listed);
        let (due, later): (Vec<_>, _) =
            listed.into_iter().partition(|(until_ms, _)| *until_ms <= now_ms);
        open.earliest_ms = later.iter().map(|(until_ms, _)| *until_ms).min();
        open.listed = later;
        due.into_iter().map(|(_, topic)| topic).collect()
    }

    fn earliest_ms(&self) -> Option<u64> {
        lock(&self.open).earliest_ms
    }
}

/// Run until the registry is gone.
pub(super) async fn run(registry: Weak<Registry>, alarm: Arc<Alarm>) {
    let mut sweep_ms = None;
    loop {
        let next = match registry.upgrade() {
            Some(registry) => turn(&registry, &mut sweep_ms).await,
            None => return,
        };
        match next {
            Some(instant) => {
                // Rung or run out: either way there is something to look at.
                let _ = timeout_at(instant, alarm.bell.notified()).await;
            }
            None => alarm.bell.notified().await,
        }
    }
}

/// Do what is due, and say when to look again unless rung before.
async fn turn(registry: &Registry, sweep_ms: &mut Option<u64>) -> Option<Instant> {
    registry.ticks.fetch_add(1, Ordering::Relaxed);
    let now_ms = registry.clock.now_ms();
    for (count, topic) in registry.alarm.due(now_ms).into_iter().enumerate() {
        if count % TURN_TOPICS == TURN_TOPICS - 1 {
            tokio::task::yield_now().await;
        }
        let ticked = topic.tick();
        if let Some(until_ms) = ticked.opened_until_ms {
            registry.alarm.set(until_ms, topic);
        }
        ticked.wake.wake();
    }
    if sweep_ms.is_some_and(|sweep_ms| sweep_ms <= now_ms) {
        registry.drop_idle(now_ms);
        *sweep_ms = None;
    }
    *sweep_ms = registry.sweep_every_ms().map(|every_ms| sweep_ms.unwrap_or(now_ms + every_ms));
    let next_ms = registry.alarm.earliest_ms().into_iter().chain(*sweep_ms).min();
    next_ms.map(|next_ms| registry.clock.instant(next_ms))
}

#[cfg(test)]
mod tests {
    use super::super::clock::Clock;
    use super::*;
    use crate::engine::TallyLimits;

    #[test]
    fn the_alarm_is_set_to_the_earliest_end_whatever_the_order() {
        let alarm = Alarm::default();
        let topic = Arc::new(Topic::new(Clock::starting_at(0), TallyLimits::default()));
        for until_ms in [200, 100, 300] {
            alarm.set(until_ms, Arc::clone(&topic));
        }
        let due = [99, 100, 250].map(|now_ms| (alarm.due(now_ms).len(), alarm.earliest_ms()));
        assert_eq!(due, [(0, Some(100)), (1, Some(200)), (1, Some(300))]);
        assert_eq!((alarm.due(300).len(), alarm.earliest_ms()), (1, None));
    }
}
