//! A responder whose sources do what the test tells them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::sync::Notify;

use crate::client::{Client, Options};
use crate::protocol::{
    Handler, Input, Interaction, Items, Next, Pause, Quota, Reply, Request, SetupRejection, Source,
    StreamError,
};
use crate::transport::Options as TransportOptions;
use crate::transport::{Accept, Driver, Kind, MemorySocket, memory_pair};
use crate::wire::{Payload, Setup};

/// What the responder saw.
#[derive(Debug, Default)]
pub(in crate::client) struct Seen {
    /// Items written by streams.
    pub(in crate::client) written: AtomicU64,
    /// Items taken from channels.
    pub(in crate::client) taken: AtomicU64,
    /// Sources and responses that were dropped.
    pub(in crate::client) dropped: AtomicU64,
    pub(in crate::client) fire_and_forget: AtomicU64,
    pub(in crate::client) pushed: AtomicU64,
    pub(in crate::client) change: Notify,
    /// Opens the gate of the channels that wait for it.
    pub(in crate::client) gate: Notify,
    pub(in crate::client) setup: std::sync::Mutex<Option<Setup>>,
}

impl Seen {
    fn count(&self, counter: &AtomicU64) {
        counter.fetch_add(1, Ordering::SeqCst);
        self.change.notify_one();
    }

    /// Waits, in virtual time, until a counter is there.
    pub(in crate::client) async fn until(&self, counter: &AtomicU64, value: u64) {
        let waiting = async {
            while counter.load(Ordering::SeqCst) < value {
                self.change.notified().await;
            }
        };
        soon(waiting).await;
    }
}

/// What must come, within a virtual minute: a test that waits for ever says nothing.
pub(in crate::client) async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), future).await.expect("it comes soon")
}

struct Dropped(Arc<Seen>);

impl Drop for Dropped {
    fn drop(&mut self) {
        self.0.count(&self.0.dropped);
    }
}

struct Responder(Arc<Seen>);

impl Handler for Responder {
    fn request(&mut self, request: Request) -> Reply {
        let seen = Arc::clone(&self.0);
        let word = String::from_utf8_lossy(&request.payload.data).into_owned();
        let (word, number) = word.split_once(' ').unwrap_or((&word, ""));
        let number = number.parse().unwrap_or(u64::MAX);
        match (request.interaction, word) {
            (Interaction::RequestResponse, "empty") => Reply::Ready(Ok(None)),
            (Interaction::RequestResponse, "never") => {
                let dropped = Dropped(seen);
                Reply::Response(Box::pin(async move {
                    let _dropped = dropped;
                    std::future::pending().await
                }))
            }
            (Interaction::FireAndForget, _) => {
                seen.count(&seen.fire_and_forget);
                Reply::Effect(None)
            }
            (_, "fail") => Reply::Refused(StreamError::invalid("as you wish")),
            (Interaction::RequestResponse, _) => Reply::Ready(Ok(Some(request.payload))),
            (Interaction::RequestStream, _) => {
                let size = if word == "large" { 1 << 20 } else { 8 };
                Reply::Source(Box::new(Count { next: 0, end: number, size, seen: Dropped(seen) }))
            }
            (Interaction::RequestChannel, _) => {
                Reply::Source(Box::new(Channel::new(word, number, request, seen)))
            }
        }
    }

    fn metadata_push(&mut self, _: Bytes) {
        self.0.count(&self.0.pushed);
    }
}

/// Items that are their number as 8 bytes, filled up to a size.
struct Count {
    next: u64,
    end: u64,
    size: usize,
    seen: Dropped,
}

impl Source for Count {
    fn poll_fill(&mut self, _cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        while self.next < self.end {
            let mut data = self.next.to_be_bytes().to_vec();
            data.resize(self.size, 0);
            if let Some(pause) = items.push(&Payload::new(data)).pause() {
                return pause;
            }
            self.next += 1;
            self.seen.0.count(&self.seen.0.written);
        }
        Pause::Done
    }
}

/// Takes items by the word in its first: `echo` gives them back, `sink N` grants N and no more
/// until the gate opens, `refuse` cancels them and counts.
struct Channel {
    seen: Dropped,
    mode: Mode,
    echo: std::collections::VecDeque<Payload>,
    counted: u64,
    ended: bool,
    granted: bool,
    gate: std::pin::Pin<Box<dyn Future<Output = ()> + Send>>,
}

#[derive(PartialEq, Eq)]
enum Mode {
    Echo,
    Sink(u32),
    Refuse,
}

impl Channel {
    fn new(word: &str, number: u64, request: Request, seen: Arc<Seen>) -> Self {
        seen.count(&seen.taken);
        let mode = match word {
            "sink" => Mode::Sink(u32::try_from(number).unwrap()),
            "refuse" => Mode::Refuse,
            _ => Mode::Echo,
        };
        let at_gate = Arc::clone(&seen);
        Self {
            seen: Dropped(seen),
            mode,
            echo: std::collections::VecDeque::from([request.payload]),
            counted: 0,
            ended: request.complete,
            granted: false,
            gate: Box::pin(async move { at_gate.gate.notified().await }),
        }
    }
}

impl Source for Channel {
    fn poll_fill(&mut self, _cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        if self.mode == Mode::Refuse {
            while self.counted < 3 {
                if let Some(pause) = items.push(&Payload::new("still")).pause() {
                    return pause;
                }
                self.counted += 1;
            }
            return Pause::Done;
        }
        while let (Some(item), Mode::Echo) = (self.echo.front(), &self.mode) {
            if let Some(pause) = items.push(item).pause() {
                return pause;
            }
            self.echo.pop_front();
        }
        if self.ended { Pause::Done } else { Pause::CaughtUp }
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) {
        match self.mode {
            Mode::Refuse => return input.cancel(),
            Mode::Echo if !self.granted => input.request(4),
            Mode::Sink(n) if !self.granted => input.request(n),
            Mode::Sink(_) if self.gate.as_mut().poll(cx).is_ready() => {
                self.gate = Box::pin(std::future::pending());
                input.request(1);
            }
            Mode::Echo | Mode::Sink(_) => {}
        }
        self.granted = true;
        loop {
            match input.next() {
                Next::Item(item) => {
                    self.seen.0.count(&self.seen.0.taken);
                    if self.mode == Mode::Echo {
                        self.echo.push_back(item);
                        input.request(1);
                    }
                }
                Next::Complete => {
                    self.ended = true;
                    cx.waker().wake_by_ref();
                }
                Next::Pending | Next::Failed(_) => break,
            }
        }
    }
}

fn serve(
    socket: MemorySocket,
    refusal: Option<SetupRejection>,
) -> (Arc<Seen>, tokio::task::JoinHandle<()>) {
    let seen = Arc::new(Seen::default());
    let handed = Arc::clone(&seen);
    let accept: Accept = Arc::new(move |setup| {
        let seen = Arc::clone(&handed);
        let refusal = refusal.clone();
        *seen.setup.lock().unwrap() = Some(setup);
        Box::pin(async move {
            match refusal {
                Some(refusal) => Err(refusal),
                None => Ok(Box::new(Responder(seen)) as Box<dyn Handler>),
            }
        })
    });
    let options = TransportOptions::default();
    let driver = Driver::server(socket, Kind::Stream, BytesMut::new(), &options, accept, None);
    let task = tokio::spawn(async move {
        driver.await;
    });
    (seen, task)
}

/// A client and what its responder sees.
pub(in crate::client) fn pair() -> (Client, Arc<Seen>) {
    let (client, seen, _) = pair_with(&Options::default(), None);
    (client, seen)
}

pub(in crate::client) fn pair_with(
    options: &Options,
    refusal: Option<SetupRejection>,
) -> (Client, Arc<Seen>, tokio::task::JoinHandle<()>) {
    let (ours, theirs) = memory_pair(64 << 10);
    let (seen, task) = serve(theirs, refusal);
    let client = Client::over(ours, Kind::Stream, BytesMut::new(), options, None);
    (client, seen, task)
}
