//! Tests of the live topics, in virtual time except where threads meet.

use std::future::poll_fn;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::advance;

use super::clock::Clock;
use super::topic::Topic;
use super::*;
use crate::engine::{Key, OutOfRange, TallyCommand, TallyItem, TallyLimits, TopN};

const WINDOW_MS: u64 = 500;
/// Not a multiple of a window: the grid is absolute, not counted from the start.
const START_MS: u64 = 1_000_123;
const JSON: Media = Media::new(0);
const MSGPACK: Media = Media::new(1);

fn topics() -> Topics {
    topics_with(TopicsConfig::default())
}

fn topics_with(config: TopicsConfig) -> Topics {
    Topics::start_with(config, Clock::starting_at(START_MS)).unwrap()
}

fn key(text: &str) -> Key {
    Key::new(text).unwrap()
}

fn now_ms(topics: &Topics) -> u64 {
    topics.0.clock.now_ms()
}

/// Let the other tasks run until there is nothing left to do at this instant.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

async fn pass(ms: u64) {
    settle().await;
    advance(Duration::from_millis(ms)).await;
    settle().await;
}

async fn take(subscription: &mut Subscription) -> TallyItem {
    let reading = poll_fn(|cx| subscription.poll_read(cx)).await;
    subscription.advance();
    reading.item().clone()
}

/// A waker that counts.
#[derive(Default)]
struct Bell(AtomicUsize);

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Bell {
    fn rung(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

fn poll(subscription: &mut Subscription, bell: &Arc<Bell>) -> Option<Arc<Reading>> {
    let waker = Waker::from(Arc::clone(bell));
    match subscription.poll_read(&mut Context::from_waker(&waker)) {
        Poll::Ready(reading) => Some(reading),
        Poll::Pending => None,
    }
}

fn subscribe(topics: &Topics) -> Subscription {
    topics.reactions("e", Start::Now, TopN::default()).unwrap()
}

#[tokio::test(start_paused = true)]
async fn hot_2_windows_close_on_the_grid_without_drift() {
    let topics = topics();
    let mut reader = subscribe(&topics);
    let sender = topics.clone();
    tokio::spawn(async move {
        loop {
            sender.react("e", key("🎉"), 1).unwrap();
            tokio::time::sleep(Duration::from_millis(7)).await;
        }
    });
    let first = START_MS / WINDOW_MS + 1;
    for number in first..first + 600 {
        let item = take(&mut reader).await;
        assert_eq!((item.first, item.last, item.gap), (number, number, None));
        assert_eq!((item.start_ms, item.end_ms), ((number - 1) * WINDOW_MS, number * WINDOW_MS));
        let late_ms = now_ms(&topics) - item.end_ms;
        assert!(late_ms <= 2, "window {number} came {late_ms} ms after its end");
    }
    assert_eq!((topics.stats().windows, topics.stats().conflated), (600, 0));
}

#[tokio::test(start_paused = true)]
async fn hot_1_windows_and_totals_add_up() {
    let topics = topics();
    let mut reader = subscribe(&topics);
    let mut sum = 0;
    for round in 0..1_000_u64 {
        topics
            .react("e", key(["a", "b", "c"][usize::try_from(round % 3).unwrap()]), round)
            .unwrap();
        pass(round % 400).await;
        if round % 5 == 0
            && let Some(reading) = poll(&mut reader, &Arc::default())
        {
            sum += reading.item().counts.total;
            reader.advance();
            assert_eq!(reading.item().totals.total, sum);
        }
    }
    pass(WINDOW_MS).await;
    sum += take(&mut reader).await.counts.total;
    assert_eq!(sum, (0..1_000).sum::<u64>());
    assert_eq!(topics.stats().reactions, sum);
}

/// Threads publish while readers wait: nothing is lost, counted twice, or left waiting.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn hot_1_counts_are_exact_across_threads() {
    const SENDERS: u64 = 8;
    const EACH: u64 = 20_000;
    let tally = TallyLimits { window_ms: 100, ..TallyLimits::default() };
    let topics = Topics::start(TopicsConfig { tally, ..TopicsConfig::default() }).unwrap();
    let readers: Vec<_> = (0..8)
        .map(|_| topics.reactions("e", Start::After(0), TopN::default()).unwrap())
        .map(|mut reader| {
            tokio::spawn(async move {
                let (mut sum, mut last) = (0, 0);
                while sum < SENDERS * EACH {
                    let item = take(&mut reader).await;
                    assert!(item.first > last);
                    last = item.last;
                    sum += item.counts.total;
                    assert_eq!(item.totals.total, sum);
                }
                sum
            })
        })
        .collect();
    for sender in 0..SENDERS {
        let topics = topics.clone();
        tokio::spawn(async move {
            for number in 0..EACH {
                topics.react("e", key(if number % 2 == 0 { "a" } else { "b" }), 1).unwrap();
                if number % 100 == sender {
                    tokio::task::yield_now().await;
                }
            }
        });
    }
    for reader in readers {
        assert_eq!(reader.await.unwrap(), SENDERS * EACH);
    }
}

#[tokio::test(start_paused = true)]
async fn hot_3_accepted_and_shed_are_what_was_sent() {
    let topics = topics();
    // A topic is not made by what it refuses.
    topics.shed("e", 5);
    assert_eq!((topics.stats().topics, topics.stats().shed), (0, 5));
    let mut reader = subscribe(&topics);
    topics.react("e", key("a"), 7).unwrap();
    topics.shed("e", 3);
    let item = take(&mut reader).await;
    assert_eq!((item.counts.total, item.shed, item.totals_shed), (7, 3, 3));
    // A window with nothing but refusals is a window.
    topics.shed("e", 2);
    let item = take(&mut reader).await;
    assert_eq!((item.counts.total, item.shed, item.totals_shed), (0, 2, 5));
    assert_eq!((topics.stats().reactions, topics.stats().shed), (7, 10));
}

#[tokio::test(start_paused = true)]
async fn hot_4_one_encoding_serves_every_reader_that_keeps_up() {
    let topics = topics();
    let mut readers: Vec<_> = (0..1_000).map(|_| subscribe(&topics)).collect();
    let encodes = AtomicUsize::new(0);
    let encode = |item: &TallyItem| {
        encodes.fetch_add(1, Ordering::SeqCst);
        Bytes::from(format!("{}", item.counts.total))
    };
    for round in 1..=3 {
        topics.react("e", key("a"), 1).unwrap();
        let mut first = None;
        for reader in &mut readers {
            let bytes = poll_fn(|cx| reader.poll_read_encoded(cx, JSON, encode)).await;
            reader.advance();
            let shared = first.get_or_insert_with(|| bytes.clone());
            assert_eq!((bytes.as_ptr(), &*bytes), (shared.as_ptr(), &b"1"[..]));
        }
        assert_eq!(encodes.load(Ordering::SeqCst), round);
    }
    assert_eq!((topics.stats().encodes, topics.stats().items), (3, 3_000));
    // Each media type and each top N is an answer of its own.
    topics.react("e", key("a"), 1).unwrap();
    let few = topics.reactions("e", Start::Now, TopN::new(1).unwrap()).unwrap();
    readers.push(few);
    for media in [JSON, MSGPACK] {
        for reader in &mut readers {
            let _ = poll_fn(|cx| reader.poll_read_encoded(cx, media, encode)).await;
        }
    }
    assert_eq!(encodes.load(Ordering::SeqCst), 3 + 4);
}

#[tokio::test(start_paused = true)]
async fn readers_that_missed_the_same_windows_share_an_answer() {
    let topics = topics();
    topics.react("e", key("a"), 1).unwrap();
    pass(WINDOW_MS).await;
    let mut readers: Vec<_> = (0..3).map(|_| subscribe(&topics)).collect();
    let skipped = readers[0].cursor() + 1;
    pass(2 * WINDOW_MS).await;
    for _ in 0..2 {
        topics.react("e", key("a"), 1).unwrap();
        pass(WINDOW_MS).await;
    }
    // A cursor that lies in a window that never was asks the same.
    readers.push(topics.reactions("e", Start::After(skipped), TopN::default()).unwrap());
    let bell = Arc::default();
    let readings: Vec<_> = readers.iter_mut().map(|r| poll(r, &bell).unwrap()).collect();
    assert_eq!(readings[0].item().windows, 2);
    assert!(readings.iter().all(|reading| Arc::ptr_eq(reading, &readings[0])));
    // With the last reader the topic forgets the answer.
    drop(readers);
    let kept = Arc::downgrade(&readings[0]);
    drop(readings);
    assert!(kept.upgrade().is_none());
}

#[tokio::test(start_paused = true)]
async fn answers_kept_for_sharing_are_bounded() {
    let topics = topics();
    for _ in 0..200 {
        topics.react("e", key("a"), 1).unwrap();
        pass(WINDOW_MS).await;
    }
    let newest = topics.reactions("e", Start::Now, TopN::default()).unwrap().cursor();
    let bell = Arc::default();
    let shared = |after: u64, top: u64| {
        let read = || {
            let top = TopN::new(top).unwrap();
            let mut reader = topics.reactions("e", Start::After(after), top).unwrap();
            let reading = poll(&mut reader, &bell).unwrap();
            (reader, reading)
        };
        let (first, second) = (read(), read());
        Arc::ptr_eq(&first.1, &second.1)
    };
    // One reader stays, so that the answers stay.
    let _reader = subscribe(&topics);
    let spans = (1..150).filter(|missed| shared(newest - 1 - missed, 10)).count();
    assert_eq!(spans, 28);
    // Whatever else is asked, the newest window is shared, for every top N.
    assert!((1..=100).all(|top| shared(newest - 1, top)));
}

#[tokio::test(start_paused = true)]
async fn only_readers_that_asked_and_are_caught_up_are_woken_once() {
    let topics = topics();
    let (asked, idle, ahead) = (Arc::<Bell>::default(), Arc::<Bell>::default(), Arc::default());
    let (mut asking, mut resting) = (subscribe(&topics), subscribe(&topics));
    let mut behind = topics.reactions("e", Start::After(0), TopN::default()).unwrap();
    topics.react("e", key("a"), 1).unwrap();
    // However often it asks, it waits once.
    assert!((0..3).all(|_| poll(&mut asking, &asked).is_none()));
    pass(WINDOW_MS).await;
    assert_eq!(asked.rung(), 1);
    assert!(poll(&mut behind, &ahead).is_some());
    assert!(poll(&mut resting, &idle).is_some());
    topics.react("e", key("a"), 1).unwrap();
    pass(WINDOW_MS).await;
    assert_eq!([asked.rung(), idle.rung(), ahead.rung()], [1, 0, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_dropped_reader_leaves_no_waiter() {
    let topic = Arc::new(Topic::new(Clock::starting_at(START_MS), TallyLimits::default()));
    let bell = Arc::<Bell>::default();
    for _ in 0..100 {
        let new = || Subscription::new(Arc::clone(&topic), Start::Now, TopN::default());
        let (mut one, mut two) = (new(), new());
        assert!(poll(&mut one, &bell).is_none());
        assert!(poll(&mut two, &bell).is_none());
        assert_eq!(topic.waiting(), 2);
        drop(one);
        assert_eq!(topic.waiting(), 1);
    }
    assert_eq!((topic.waiting(), topic.stats().subscriptions), (0, 0));
    // Only the test holds its waker.
    assert_eq!(Arc::strong_count(&bell), 1);
}

/// A waker whose drop looks at the topic, as one that holds the last of a connection may.
struct Owner(Arc<Topic>);

impl Wake for Owner {
    fn wake(self: Arc<Self>) {}
}

impl Drop for Owner {
    fn drop(&mut self) {
        let _ = self.0.stats();
    }
}

#[tokio::test(start_paused = true)]
async fn a_waker_may_look_at_the_topic_when_it_goes() {
    let topic = Arc::new(Topic::new(Clock::starting_at(START_MS), TallyLimits::default()));
    let mut reader = Subscription::new(Arc::clone(&topic), Start::Now, TopN::default());
    for _ in 0..2 {
        // The second takes the place of the first, which goes with it.
        let waker = Waker::from(Arc::new(Owner(Arc::clone(&topic))));
        assert!(reader.poll_read(&mut Context::from_waker(&waker)).is_pending());
    }
    drop(reader);
    assert_eq!(topic.waiting(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_command_closes_the_window_that_ended_before_it() {
    let topic = Topic::new(Clock::starting_at(START_MS), TallyLimits::default());
    let react = || {
        let published = topic.publish(TallyCommand::React { key: key("a"), count: 1 });
        published.wake.wake();
        published.opened_until_ms
    };
    let end_ms = (START_MS / WINDOW_MS + 1) * WINDOW_MS;
    assert_eq!((react(), react()), (Some(end_ms), None));
    // No ticker runs here: the reaction after the end does its work.
    advance(Duration::from_millis(3 * WINDOW_MS)).await;
    assert_eq!(react(), None);
    assert_eq!(topic.stats().windows, 1);
    // The ticker comes late, finds a later window and is told its end.
    let ticked = topic.tick();
    ticked.wake.wake();
    assert_eq!(ticked.opened_until_ms, Some(end_ms + 3 * WINDOW_MS));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_taken_is_read_again_with_what_came_since() {
    let topics = topics();
    let (mut reader, bell) = (subscribe(&topics), Arc::default());
    topics.react("e", key("a"), 1).unwrap();
    pass(WINDOW_MS).await;
    let offered = poll(&mut reader, &bell).unwrap();
    assert_eq!((offered.item().windows, offered.item().counts.total), (1, 1));
    topics.react("e", key("a"), 2).unwrap();
    pass(WINDOW_MS).await;
    let offered = poll(&mut reader, &bell).unwrap();
    assert_eq!((offered.item().windows, offered.item().counts.total), (2, 3));
    reader.advance();
    reader.advance();
    assert_eq!(reader.cursor(), offered.item().last);
    assert!(poll(&mut reader, &bell).is_none());
    reader.advance();
    let stats = topics.stats();
    assert_eq!((stats.items, stats.conflated, stats.gaps), (1, 1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reader_starts_now_or_after_a_window() {
    let topics = topics();
    for _ in 0..3 {
        topics.react("e", key("a"), 1).unwrap();
        pass(WINDOW_MS).await;
    }
    let bell = Arc::default();
    let total = |start| {
        let mut reader = topics.reactions("e", start, TopN::default()).unwrap();
        poll(&mut reader, &bell).map(|reading| reading.item().counts.total)
    };
    let newest = START_MS / WINDOW_MS + 3;
    assert_eq!(total(Start::After(0)), Some(3));
    assert_eq!(total(Start::After(newest - 1)), Some(1));
    assert_eq!(total(Start::After(newest)), None);
    assert_eq!(total(Start::Now), None);
    // A window from the future is not waited for.
    let mut ahead = topics.reactions("e", Start::After(u64::MAX), TopN::default()).unwrap();
    assert_eq!(ahead.cursor(), newest);
    topics.react("e", key("a"), 1).unwrap();
    assert_eq!(take(&mut ahead).await.counts.total, 1);
}

#[tokio::test(start_paused = true)]
async fn a_gap_is_counted() {
    let tally = TallyLimits { windows_max: 2, ..TallyLimits::default() };
    let topics = topics_with(TopicsConfig { tally, ..TopicsConfig::default() });
    topics.react("e", key("a"), 1).unwrap();
    pass(WINDOW_MS).await;
    let mut reader = subscribe(&topics);
    for _ in 0..5 {
        topics.react("e", key("a"), 1).unwrap();
        pass(WINDOW_MS).await;
    }
    let item = take(&mut reader).await;
    assert_eq!((item.windows, item.counts.total, item.totals.total), (2, 2, 6));
    assert!(item.gap.is_some());
    drop(reader);
    assert_eq!((topics.stats().gaps, topics.stats().conflated), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_registry_is_bounded_and_says_so() {
    let config = TopicsConfig { topics_max: 2, idle_ms: 4_000, ..TopicsConfig::default() };
    let topics = topics_with(config);
    topics.react("a", key("x"), 3).unwrap();
    let reader = topics.reactions("b", Start::Now, TopN::default()).unwrap();
    assert_eq!(topics.react("c", key("x"), 1), Err(TopicsFull { max: 2 }));
    let refused = topics.reactions("c", Start::Now, TopN::default());
    assert_eq!(refused.unwrap_err().max, 2);
    topics.react("a", key("x"), 1).unwrap();
    assert_eq!((topics.stats().topics, topics.stats().topics_refused), (2, 2));
    // The one without a reader goes, and there is room again; what it counted stays counted.
    pass(WINDOW_MS).await;
    for _ in 0..5 {
        pass(1_000).await;
    }
    let stats = topics.stats();
    assert_eq!((stats.topics, stats.topics_dropped, stats.reactions), (1, 1, 4));
    topics.react("c", key("x"), 1).unwrap();
    // A topic that lost its reader stays for as long again.
    drop(reader);
    pass(3_000).await;
    assert_eq!(topics.stats().topics, 2);
    pass(2_000).await;
    pass(1_000).await;
    assert_eq!(topics.stats().topics, 0);
}

#[tokio::test(start_paused = true)]
async fn a_topic_in_use_is_not_idle() {
    // Reactions alone keep it.
    let topics = topics_with(TopicsConfig { idle_ms: 4_000, ..TopicsConfig::default() });
    for _ in 0..10 {
        topics.react("e", key("a"), 1).unwrap();
        for _ in 0..3 {
            pass(1_000).await;
        }
    }
    assert_eq!(topics.stats().topics_dropped, 0);
    // So does an open window, even if it is longer than `idle_ms`.
    let tally = TallyLimits { window_ms: 10_000, ..TallyLimits::default() };
    let topics = topics_with(TopicsConfig { idle_ms: 1_000, tally, ..TopicsConfig::default() });
    topics.react("e", key("a"), 1).unwrap();
    for _ in 0..8 {
        pass(1_000).await;
        assert_eq!((topics.stats().topics, topics.stats().windows), (1, 0));
    }
    for _ in 0..5 {
        pass(1_000).await;
    }
    assert_eq!((topics.stats().topics, topics.stats().windows), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn a_topic_that_only_ever_had_a_reader_goes_too() {
    let topics = topics_with(TopicsConfig { idle_ms: 4_000, ..TopicsConfig::default() });
    pass(0).await;
    drop(subscribe(&topics));
    for _ in 0..6 {
        pass(1_000).await;
    }
    assert_eq!((topics.stats().topics, topics.stats().topics_dropped), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn nothing_to_do_costs_nothing() {
    let topics = topics();
    pass(0).await;
    let before = topics.stats().ticks;
    pass(3_600_000).await;
    assert_eq!(topics.stats().ticks, before);
    // A reader alone keeps no window open: the ticker looks for idle topics, no more.
    let _reader = subscribe(&topics);
    for _ in 0..60 {
        pass(10_000).await;
    }
    assert!(topics.stats().ticks <= before + 6, "{} ticks", topics.stats().ticks);
}

#[tokio::test(start_paused = true)]
async fn the_ticker_closes_many_topics_at_once() {
    let topics = topics();
    let events: Vec<String> = (0..500).map(|number| format!("e{number}")).collect();
    for event in &events {
        topics.react(event, key("a"), 1).unwrap();
    }
    pass(WINDOW_MS).await;
    for _ in 0..20 {
        settle().await;
    }
    assert_eq!(topics.stats().windows, 500);
}

#[tokio::test(start_paused = true)]
async fn the_ticker_ends_with_the_registry() {
    let topics = topics();
    let alarm = Arc::downgrade(&topics.0.alarm);
    topics.react("e", key("a"), 1).unwrap();
    settle().await;
    let mut reader = subscribe(&topics);
    drop(topics);
    settle().await;
    assert!(alarm.upgrade().is_none());
    // A reader that outlives it waits; it does not fail.
    assert!(poll(&mut reader, &Arc::default()).is_none());
}

#[tokio::test]
async fn every_bound_is_checked() {
    let good = TopicsConfig::default();
    for (name, bad) in [
        ("topics_max", TopicsConfig { topics_max: 0, ..good }),
        ("idle_ms", TopicsConfig { idle_ms: 999, ..good }),
        ("window_ms", {
            TopicsConfig { tally: TallyLimits { window_ms: 0, ..good.tally }, ..good }
        }),
    ] {
        let OutOfRange { name: found, .. } = Topics::start(bad).unwrap_err();
        assert_eq!(found, name);
    }
}
