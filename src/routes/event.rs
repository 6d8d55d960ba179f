//! `event.{id}.*`: live events.

use std::task::{Context, Poll};

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::{Access, Call, Encoding, RouteError, Routes, SourceResult};
use crate::engine::{Counts, Key, TallyItem, TopN};
use crate::protocol::{EffectFuture, Items, Pause, Pushed, Quota, Source};
use crate::topics::{Media, Start, Subscription, Topics, TopicsFull};
use crate::wire::Payload;

/// Most reactions that one message may carry.
const COUNT_MAX: u64 = 1_000;

/// Where the topics keep the answers' encodings.
const JSON: Media = Media::new(0);
const MESSAGE_PACK: Media = Media::new(1);

/// Adds the routes of live events.
pub(super) fn add(routes: Routes, topics: &Topics) -> Routes {
    let (react, shed, reactions) = (topics.clone(), topics.clone(), topics.clone());
    routes
        .fire_and_forget(
            "event.{id}.react",
            Access::Write,
            move |call| add_reaction(&react, &call),
            move |call| shed_reaction(&shed, &call),
        )
        .request_stream("event.{id}.reactions", Access::Read, move |call| {
            read_reactions(&reactions, &call)
        })
}

/// What `event.{id}.react` takes.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct React {
    /// 1 to 64 bytes.
    emoji: String,
    /// 1 to 1,000.
    #[serde(default = "one")]
    count: u64,
}

const fn one() -> u64 {
    1
}

fn add_reaction(topics: &Topics, call: &Call) -> Result<Option<EffectFuture>, RouteError> {
    let React { emoji, count } = call.decode()?;
    let key = Key::new(&emoji).map_err(|error| RouteError::Data(error.to_string().into()))?;
    if !(1..=COUNT_MAX).contains(&count) {
        return Err(RouteError::Data(format!("count must be 1 to {COUNT_MAX}").into()));
    }
    topics.react(call.id()?, key, count).map_err(full)?;
    Ok(None)
}

/// Counts a reaction that was over its client's budget: accepted and shed are all that was sent.
fn shed_reaction(topics: &Topics, call: &Call) {
    let count = call.decode::<React>().map_or(1, |react| react.count.clamp(1, COUNT_MAX));
    if let Ok(id) = call.id() {
        topics.shed(id, count);
    }
}

fn full(error: TopicsFull) -> RouteError {
    RouteError::Overload(format!("{error}: retry later").into())
}

/// What `event.{id}.reactions` takes; no data at all means the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reactions {
    /// Kinds to name, 1 to 100; the rest are summed up as `other`. 10 by default.
    top: Option<u64>,
    /// The last window that the reader has seen; without it the next one comes first.
    after: Option<u64>,
}

fn read_reactions(topics: &Topics, call: &Call) -> SourceResult {
    let encoding = call.media.typed()?;
    let Reactions { top, after } = call.decode_or_default()?;
    let top = match top {
        None => TopN::default(),
        Some(top) => TopN::new(top)
            .ok_or_else(|| RouteError::Data(format!("top must be 1 to {}", TopN::MAX).into()))?,
    };
    let start = after.map_or(Start::Now, Start::After);
    let subscription = topics.reactions(call.id()?, start, top).map_err(full)?;
    Ok(Box::new(Windows { subscription, encoding }))
}

/// One reader of an event's windows: a cursor, and nothing else.
struct Windows {
    subscription: Subscription,
    encoding: Encoding,
}

impl Source for Windows {
    fn poll_fill(&mut self, cx: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        if quota.items == 0 {
            return Pause::NoCredit;
        }
        let (media, encoding) = match self.encoding {
            Encoding::Json => (JSON, Encoding::Json),
            Encoding::MessagePack => (MESSAGE_PACK, Encoding::MessagePack),
        };
        loop {
            let encode = |item: &TallyItem| encode(encoding, item);
            let Poll::Ready(window) = self.subscription.poll_read_encoded(cx, media, encode) else {
                return Pause::CaughtUp;
            };
            match items.push(&Payload::new(window)) {
                Pushed::Taken => self.subscription.advance(),
                pushed @ (Pushed::NoCredit | Pushed::Congested) => {
                    return pushed.pause().unwrap_or(Pause::Congested);
                }
            }
        }
    }
}

/// One item of `event.{id}.reactions`.
#[derive(Debug, Serialize)]
struct Window<'a> {
    /// Numbers of the first and last window in it; `last_window` is the position to go on `after`.
    first_window: u64,
    last_window: u64,
    /// How many windows were summed up; more than one for a reader that lags.
    windows: u64,
    /// Unix milliseconds.
    start_ms: u64,
    end_ms: u64,
    #[serde(flatten)]
    sum: Sum<'a>,
    /// Reactions refused for overload in these windows.
    shed: u64,
    /// Since the event began to count.
    totals: Totals<'a>,
    /// Windows that were missed for good; their reactions are in `totals`.
    #[serde(skip_serializing_if = "Option::is_none")]
    gap: Option<Gap>,
}

#[derive(Debug, Serialize)]
struct Sum<'a> {
    counts: Vec<Count<'a>>,
    /// Kinds that are not named.
    other: u64,
    total: u64,
}

#[derive(Debug, Serialize)]
struct Totals<'a> {
    #[serde(flatten)]
    sum: Sum<'a>,
    shed: u64,
    since_ms: u64,
}

#[derive(Debug, Serialize)]
struct Count<'a> {
    emoji: &'a str,
    count: u64,
}

#[derive(Debug, Serialize)]
struct Gap {
    from: u64,
    to: u64,
}

impl<'a> Sum<'a> {
    fn new(counts: &'a Counts) -> Self {
        let named = counts.top.iter();
        Self {
            counts: named
                .map(|(key, count)| Count { emoji: key.as_str(), count: *count })
                .collect(),
            other: counts.other,
            total: counts.total,
        }
    }
}

fn encode(encoding: Encoding, item: &TallyItem) -> Bytes {
    let window = Window {
        first_window: item.first,
        last_window: item.last,
        windows: item.windows,
        start_ms: item.start_ms,
        end_ms: item.end_ms,
        sum: Sum::new(&item.counts),
        shed: item.shed,
        totals: Totals {
            sum: Sum::new(&item.totals),
            shed: item.totals_shed,
            since_ms: item.totals_since_ms,
        },
        gap: item.gap.map(|gap| Gap { from: gap.from, to: gap.to }),
    };
    // Numbers and text always encode; `encode` has logged it if they did not.
    encoding.encode(&window).unwrap_or_default()
}
