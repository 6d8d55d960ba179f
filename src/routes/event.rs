//! Live events: emoji reactions.

use std::borrow::Cow;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Access, Call, Encoding, RouteError, Routes, SourceResult};
use crate::engine::{Counts, Key, TallyItem, TopN};
use crate::protocol::{Items, Pause, Quota, Source, StreamError};
use crate::topics::{Media, Start, Subscription, Topics, TopicsFull};
use crate::wire::Payload;

/// The data of `event.{id}.react`: count a reaction. Lossy: what exceeds a client's budget is shed
/// and counted, and shows in the topic's items.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct React<'a> {
    /// 1 to 64 bytes of UTF-8.
    #[serde(borrow)]
    emoji: Cow<'a, str>,
    /// How many at once: 1 to [`COUNT_MAX`], 1 unless given.
    #[serde(default = "one")]
    count: u64,
}

const COUNT_MAX: u64 = 1_000;

const fn one() -> u64 {
    1
}

/// The data of `event.{id}.reactions`: how to read. Nothing at all is the default.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How many emoji an item names: 1 to 100, 10 unless given; the others are summed up.
    #[serde(skip_serializing_if = "Option::is_none")]
    top: Option<u64>,
    /// The least time between two items, 100 to 60,000 ms. An item covers all windows of that time;
    /// the topic's own window is the least in any case.
    #[serde(skip_serializing_if = "Option::is_none")]
    window_ms: Option<u64>,
    /// The `last_window` of the last item that the reader has seen, after a reconnect; the next
    /// window to close unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    after: Option<u64>,
}

const WINDOW_MS_MIN: u64 = 100;
const WINDOW_MS_MAX: u64 = 60_000;

/// An item of `event.{id}.reactions`: what was counted in the windows since the reader's last item,
/// and in all. Windows in which nothing happened send no item.
#[derive(Debug, Serialize, Deserialize)]
struct Reactions<'a> {
    /// Number of the first window that it covers.
    first_window: u64,
    /// Number of the last one: where a reader goes on `after`.
    last_window: u64,
    /// How many windows were summed up; more than one for a reader that lags.
    windows: u64,
    /// Start of the first window, Unix milliseconds.
    start_ms: u64,
    /// End of the last window, Unix milliseconds.
    end_ms: u64,
    #[serde(flatten, borrow)]
    sum: Sum<'a>,
    /// Since the topic began.
    totals: Totals<'a>,
    /// Windows since the last item that are no longer kept: missing here, present in the totals.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    gap: Option<WindowGap>,
}

/// What was counted, and what was refused for overload beside it.
#[derive(Debug, Serialize, Deserialize)]
struct Sum<'a> {
    /// The most frequent, the largest count first; at most `top`.
    #[serde(borrow)]
    counts: Vec<EmojiCount<'a>>,
    /// What the emoji that are not named count together.
    other: u64,
    /// Everything counted.
    total: u64,
    /// Refused for overload, not in `total`.
    shed: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Totals<'a> {
    #[serde(flatten, borrow)]
    sum: Sum<'a>,
    /// When the topic began to count, Unix milliseconds: later than before when the totals began
    /// anew.
    since_ms: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct EmojiCount<'a> {
    #[serde(borrow)]
    emoji: Cow<'a, str>,
    count: u64,
}

/// Windows that a reader missed for good, both inclusive.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct WindowGap {
    from: u64,
    to: u64,
}

/// Adds `event.{id}.react` and `event.{id}.reactions`, served from `topics`.
pub(super) fn add(routes: Routes, topics: &Topics) -> Routes {
    let (published, shed, read) = (topics.clone(), topics.clone(), topics.clone());
    routes
        .fire_and_forget(
            "event.{id}.react",
            Access::Write,
            move |call| react(&published, &call).map(|()| None),
            move |call| shed_reaction(&shed, &call),
        )
        .request_stream("event.{id}.reactions", Access::Read, move |call| reactions(&read, &call))
}

fn react(topics: &Topics, call: &Call) -> Result<(), RouteError> {
    let React { emoji, count } = call.decode()?;
    let key =
        Key::new(&emoji).map_err(|error| RouteError::Data(format!("emoji: {error}").into()))?;
    within("count", count, 1, COUNT_MAX)?;
    topics.react(call.id()?, key, count).map_err(|full| overload(&full))
}

/// A reaction beyond its client's budget counts as shed, as often as it would have counted; one
/// that cannot be read counts once, so that accepted and shed are all that was sent.
fn shed_reaction(topics: &Topics, call: &Call) {
    let count = call.decode::<React<'_>>().map_or(1, |react| react.count.clamp(1, COUNT_MAX));
    if let Ok(id) = call.id() {
        topics.shed(id, count);
    }
}

fn reactions(topics: &Topics, call: &Call) -> SourceResult {
    let Options { top, window_ms, after } = call.decode_or_default()?;
    let encoding = call.media.typed()?;
    let top = top.unwrap_or(TopN::default().get().into());
    within("top", top, 1, TopN::MAX.into())?;
    if let Some(window_ms) = window_ms {
        within("window_ms", window_ms, WINDOW_MS_MIN, WINDOW_MS_MAX)?;
    }
    let start = after.map_or(Start::Now, Start::After);
    let top = TopN::new(top).unwrap_or_default();
    let subscription = topics.reactions(call.id()?, start, top).map_err(|full| overload(&full))?;
    let every = window_ms.map(Duration::from_millis);
    Ok(Box::new(Reader { subscription, encoding, pace: Pace { every, due: None } }))
}

fn within(field: &str, value: u64, min: u64, max: u64) -> Result<(), RouteError> {
    if (min..=max).contains(&value) {
        return Ok(());
    }
    Err(RouteError::Data(format!("{field} must be {min} to {max}, not {value}").into()))
}

fn overload(full: &TopicsFull) -> RouteError {
    RouteError::Overload(format!("{full}: retry later").into())
}

/// A reader of one event: a cursor, and nothing else.
struct Reader {
    subscription: Subscription,
    encoding: Encoding,
    pace: Pace,
}

/// A reader's own least interval between two items.
struct Pace {
    every: Option<Duration>,
    due: Option<Instant>,
}

impl Pace {
    /// When the next item is due, if that is not yet.
    fn until(&self, now: Instant) -> Option<Instant> {
        self.due.filter(|due| now < *due)
    }

    /// An item was taken. Keeps the phase of the first one, so that lateness does not add up.
    fn step(&mut self, now: Instant) {
        let Some(every) = self.every else { return };
        let next = self.due.map(|due| due + every).filter(|next| now < *next);
        self.due = Some(next.unwrap_or(now + every));
    }
}

impl Source for Reader {
    fn poll_fill(&mut self, cx: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        // Without credit no waker is kept: a window that closes wakes only those who can take it.
        if quota.items == 0 || quota.bytes == 0 {
            return if items.remaining() == 0 { Pause::NoCredit } else { Pause::Congested };
        }
        loop {
            if let Some(due) = self.pace.until(quota.now) {
                return Pause::Paced(due);
            }
            let (encoding, place) = (self.encoding, place(self.encoding));
            let write = |item: &TallyItem| write(encoding, item);
            let Poll::Ready(data) = self.subscription.poll_read_encoded(cx, place, write) else {
                return Pause::CaughtUp;
            };
            if data.is_empty() {
                return Pause::Failed(StreamError::application("the item could not be written"));
            }
            if let Some(pause) = items.push(&Payload { metadata: None, data }).pause() {
                return pause;
            }
            self.subscription.advance();
            self.pace.step(quota.now);
        }
    }
}

/// Where an answer's encodings are kept, one place each.
const fn place(encoding: Encoding) -> Media {
    match encoding {
        Encoding::MessagePack => const { Media::new(0) },
        Encoding::Json => const { Media::new(1) },
    }
}

/// Empty when it cannot be written, which is logged.
fn write(encoding: Encoding, item: &TallyItem) -> Bytes {
    encoding.encode(&Reactions::new(item)).unwrap_or_default()
}

impl<'a> Reactions<'a> {
    fn new(item: &'a TallyItem) -> Self {
        Self {
            first_window: item.first,
            last_window: item.last,
            windows: item.windows,
            start_ms: item.start_ms,
            end_ms: item.end_ms,
            sum: Sum::new(&item.counts, item.shed),
            totals: Totals {
                sum: Sum::new(&item.totals, item.totals_shed),
                since_ms: item.totals_since_ms,
            },
            gap: item.gap.map(|gap| WindowGap { from: gap.from, to: gap.to }),
        }
    }
}

impl<'a> Sum<'a> {
    fn new(counts: &'a Counts, shed: u64) -> Self {
        let named =
            |(key, count): &'a (Key, u64)| EmojiCount { emoji: key.as_str().into(), count: *count };
        let named = counts.top.iter().map(named).collect();
        Self { counts: named, other: counts.other, total: counts.total, shed }
    }
}
