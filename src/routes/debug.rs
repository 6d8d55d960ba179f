//! `debug.*`: routes to try a client with, served with `--debug-routes` only.

use std::collections::VecDeque;
use std::io::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;
use std::time::{Duration, Instant};

use serde::Deserialize;

use super::{Access, Call, Encoding, Response, RouteError, Routes, SourceResult, Window};
use crate::protocol::{Input, Items, Next, Pause, Quota, Source, StreamError};
use crate::wire::Payload;

/// Largest item of `debug.count`, bytes.
const SIZE_MAX: usize = 16 << 20;

/// Adds the debug routes; `window` is the credit of a channel's sender.
pub(super) fn add(routes: Routes, window: u32) -> Routes {
    let sunk = Arc::new(AtomicU64::new(0));
    let (counted, dropped) = (Arc::clone(&sunk), Arc::clone(&sunk));
    let sink = move |_: Call| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(None)
    };
    routes
        .request_response("debug.echo", Access::Read, |call: Call| Ok(call.payload))
        .request_channel("debug.echo", Access::Read, move |call| {
            Ok(Box::new(Echo::new(call, window)))
        })
        .request_stream("debug.count", Access::Read, |call| count(&call))
        .fire_and_forget("debug.sink", Access::Write, sink, |_| ())
        .request_channel("debug.sink", Access::Write, move |call| slow_sink(&call, window))
        .request_response("debug.sink.count", Access::Read, move |_: Call| -> Response {
            let text = dropped.load(Ordering::Relaxed).to_string();
            Response::Ready(Ok(Some(Payload::new(text))))
        })
        .request_channel("debug.first", Access::Read, move |call| {
            Ok(Box::new(First::new(call, window)))
        })
        .request_channel("debug.drop", Access::Read, |_| Ok(Box::new(Drop3 { sent: 0 })))
}

// ---- echo --------------------------------------------------------------------------------------

/// Sends back what comes, within the window: what waits for the reader's credit is not granted
/// again.
struct Echo {
    window: Window,
    waiting: VecDeque<Payload>,
    inbound: Inbound,
}

/// How the peer's half of a channel stands.
enum Inbound {
    Open,
    Complete,
    Failed(StreamError),
}

impl Echo {
    fn new(call: Call, window: u32) -> Self {
        let inbound = if call.complete { Inbound::Complete } else { Inbound::Open };
        Self { window: Window::new(window), waiting: [call.payload].into(), inbound }
    }
}

impl Source for Echo {
    fn poll_fill(&mut self, cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        while let Some(item) = self.waiting.front() {
            if let Some(pause) = items.push(item).pause() {
                return pause;
            }
            self.waiting.pop_front();
            self.window.release();
        }
        match &self.inbound {
            Inbound::Open => {
                // What was sent back may be granted again: that is `poll_drain`'s to do.
                if self.window.is_owing() {
                    cx.waker().wake_by_ref();
                }
                Pause::CaughtUp
            }
            Inbound::Complete => Pause::Done,
            Inbound::Failed(error) => Pause::Failed(error.clone()),
        }
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        self.window.settle(input);
        loop {
            match input.next() {
                Next::Item(item) => self.waiting.push_back(item),
                Next::Complete => self.inbound = Inbound::Complete,
                Next::Failed(error) => self.inbound = Inbound::Failed(error),
                Next::Pending => return,
            }
        }
    }
}

// ---- count -------------------------------------------------------------------------------------

/// What `debug.count` takes; no data at all means the defaults.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct CountOptions {
    /// The first number.
    from: u64,
    /// How many items; endless without.
    limit: Option<u64>,
    /// Bytes of each item, padded with a field `pad` where it fits; up to 16 MiB.
    size: usize,
    /// Milliseconds between two items.
    every_ms: u64,
}

fn count(call: &Call) -> SourceResult {
    let encoding = call.media.typed_or_json()?;
    let options: CountOptions = call.decode_raw_as_json()?;
    if options.size > SIZE_MAX {
        return Err(RouteError::Data(format!("size must be at most {SIZE_MAX} bytes").into()));
    }
    let every = Some(Duration::from_millis(options.every_ms)).filter(|every| !every.is_zero());
    Ok(Box::new(Count {
        item: CountItem::new(encoding, options.size),
        next: options.from,
        left: options.limit.unwrap_or(u64::MAX),
        every,
        due: None,
    }))
}

/// Numbers, as fast as they are asked for or at a pace. Writes without allocating.
struct Count {
    item: CountItem,
    next: u64,
    left: u64,
    every: Option<Duration>,
    due: Option<Instant>,
}

impl Source for Count {
    fn poll_fill(&mut self, _: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        while self.left > 0 {
            if let Some(due) = self.due.filter(|due| quota.now < *due) {
                return Pause::Paced(due);
            }
            if let Some(pause) = items.push_parts(None, &self.item.parts(self.next)).pause() {
                return pause;
            }
            self.next = self.next.wrapping_add(1);
            self.left -= 1;
            self.due = self.every.map(|every| quota.now + every);
        }
        Pause::Done
    }
}

/// `{"seq":n}` or `{"seq":n,"pad":"xxx"}` in its encoding, as parts that are the same for every
/// number, and the digits.
struct CountItem {
    encoding: Encoding,
    size: usize,
    head: [u8; 32],
    pad: Box<[u8]>,
}

impl CountItem {
    fn new(encoding: Encoding, size: usize) -> Self {
        Self { encoding, size, head: [0; 32], pad: vec![b'x'; size].into() }
    }

    /// The parts of item `seq`, whose join is `size` bytes long where that is possible.
    fn parts(&mut self, seq: u64) -> [&[u8]; 4] {
        match self.encoding {
            Encoding::Json => self.json(seq),
            Encoding::MessagePack => self.message_pack(seq),
        }
    }

    fn json(&mut self, seq: u64) -> [&[u8]; 4] {
        const KEY: &[u8] = br#","pad":""#;
        const END: &[u8] = br#""}"#;
        let head_len = write_head(&mut self.head, br#"{"seq":"#, seq);
        let head = self.head.get(..head_len).unwrap_or_default();
        match self.size.checked_sub(head_len + KEY.len() + END.len()) {
            Some(pad) => [head, KEY, self.pad.get(..pad).unwrap_or_default(), END],
            None => [head, b"}", b"", b""],
        }
    }

    fn message_pack(&mut self, seq: u64) -> [&[u8]; 4] {
        // A map of one or two entries: "seq" as a u64, "pad" as a str with a u32 length.
        const KEY: &[u8] = b"\xa3pad";
        const SEQ_LEN: usize = 1 + 4 + 9;
        let fixed = SEQ_LEN + KEY.len() + 5;
        let pad = self.size.checked_sub(fixed);
        let mut head = self.head.as_mut_slice();
        let map = if pad.is_some() { 0x82 } else { 0x81 };
        let _ = head.write_all(&[map]);
        let _ = head.write_all(b"\xa3seq\xcf");
        let _ = head.write_all(&seq.to_be_bytes());
        if let Some(pad) = pad {
            let _ = head.write_all(KEY);
            let _ = head.write_all(b"\xdb");
            let _ = head.write_all(&u32::try_from(pad).unwrap_or(u32::MAX).to_be_bytes());
        }
        let head_len = if pad.is_some() { fixed } else { SEQ_LEN };
        let head = self.head.get(..head_len).unwrap_or_default();
        [head, self.pad.get(..pad.unwrap_or(0)).unwrap_or_default(), b"", b""]
    }
}

/// Writes `prefix` and the digits of `seq`; the length of both.
fn write_head(head: &mut [u8; 32], prefix: &[u8], seq: u64) -> usize {
    let len = head.len();
    let mut rest = head.as_mut_slice();
    // 20 digits and the prefix always fit.
    let _ = rest.write_all(prefix);
    let _ = write!(rest, "{seq}");
    len - rest.len()
}

// ---- sink --------------------------------------------------------------------------------------

/// What the first item of a `debug.sink` channel may say.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SinkOptions {
    /// Milliseconds that each item takes.
    delay_ms: u64,
}

fn slow_sink(call: &Call, window: u32) -> SourceResult {
    let SinkOptions { delay_ms } = call.decode_raw_as_json()?;
    Ok(Box::new(Sink {
        window: Window::new(window),
        delay: Duration::from_millis(delay_ms),
        busy_until: None,
        ended: call.complete,
    }))
}

/// Takes items, one after another, and keeps none.
struct Sink {
    window: Window,
    delay: Duration,
    busy_until: Option<Instant>,
    ended: bool,
}

impl Source for Sink {
    /// Paces `poll_drain`, which is called again when the pace ends.
    fn poll_fill(&mut self, _: &mut Context<'_>, quota: Quota, _: &mut Items<'_>) -> Pause {
        match self.busy_until {
            Some(until) if quota.now < until => Pause::Paced(until),
            Some(_) | None if self.ended => Pause::Done,
            Some(_) | None => Pause::CaughtUp,
        }
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        let now = tokio::time::Instant::now().into_std();
        while self.busy_until.is_none_or(|until| until <= now) {
            if self.busy_until.take().is_some() {
                self.window.release();
            }
            self.window.settle(input);
            match input.next() {
                Next::Item(_) => self.busy_until = Some(now + self.delay),
                Next::Complete | Next::Failed(_) => self.ended = true,
                Next::Pending => return,
            }
        }
    }
}

// ---- half-closed channels ----------------------------------------------------------------------

/// Sends its first item back, completes its own half, and goes on taking (R-CHN-18).
struct First {
    window: Window,
    item: Option<Payload>,
}

impl First {
    fn new(call: Call, window: u32) -> Self {
        Self { window: Window::new(window), item: Some(call.payload) }
    }
}

impl Source for First {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        if let Some(item) = &self.item {
            if let Some(pause) = items.push(item).pause() {
                return pause;
            }
            self.item = None;
        }
        Pause::Done
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        self.window.settle(input);
        while let Next::Item(_) = input.next() {
            self.window.release();
            self.window.settle(input);
        }
    }
}

/// Cancels the peer's half at once and sends three items (R-CHN-12).
struct Drop3 {
    sent: u8,
}

impl Source for Drop3 {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        const ITEMS: [&[u8]; 3] = [b"0", b"1", b"2"];
        while let Some(item) = ITEMS.get(usize::from(self.sent)) {
            if let Some(pause) = items.push_parts(None, &[item]).pause() {
                return pause;
            }
            self.sent += 1;
        }
        Pause::Done
    }
}
