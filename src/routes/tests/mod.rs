//! Routes through a real connection in virtual time, without a socket.

mod debug;
mod errors;
mod event;
mod setup;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Wake, Waker};
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use serde_json::Value;

use super::*;
use crate::protocol::{
    Event, Handler, LeaseGrant, Limits, Pause, Reply, SetupRejection, Source, StreamKey,
};
use crate::testkit::{self, Script};
use crate::topics::TopicsConfig;
use crate::wire::{
    Auth, Body, CompositeBuilder, ErrorCode, Frame, Mime, Payload, Setup, StreamId, Tags,
};

const COMPOSITE: &str = "message/x.rsocket.composite-metadata.v0";
const ROUTING: &str = "message/x.rsocket.routing.v0";
const JSON: &str = "application/json";
const MSGPACK: &str = "application/msgpack";

fn topics() -> Topics {
    Topics::start(TopicsConfig::default()).unwrap()
}

/// All routes of the server, the debug routes with a window of 4.
fn service_of(topics: &Topics) -> Arc<Service> {
    let router = router(topics, true, 4).unwrap();
    Arc::new(Service::new(router, Open::new(Some("s3cret")), ServiceLimits::default()))
}

fn service() -> Arc<Service> {
    service_of(&topics())
}

fn setup_of(metadata_mime: &str, data_mime: &str, payload: Payload) -> Setup {
    let Body::Setup(setup) = testkit::setup().body else { panic!("not a SETUP") };
    let (metadata_mime, data_mime) = (Bytes::from(metadata_mime.to_owned()), data_mime.to_owned());
    Setup { metadata_mime, data_mime: data_mime.into(), payload, ..setup }
}

fn tags(route: &str) -> Bytes {
    let mut out = BytesMut::new();
    Tags::encode(route, &mut out).unwrap();
    out.freeze()
}

fn route(route: &str) -> CompositeBuilder {
    CompositeBuilder::default().entry(&Mime::ROUTING, &tags(route)).unwrap()
}

fn bearer(key: &str) -> Vec<u8> {
    let mut out = BytesMut::new();
    Auth::Bearer(key.to_owned()).encode(&mut out).unwrap();
    out.to_vec()
}

/// The metadata that names a route, and data.
fn to(name: &str, data: impl Into<Bytes>) -> Payload {
    Payload { metadata: Some(route(name).build()), data: data.into() }
}

fn respond(id: u32, payload: Payload) -> Frame {
    Frame::new(StreamId::new(id), Body::RequestResponse { follows: false, payload })
}

fn fire(id: u32, payload: Payload) -> Frame {
    Frame::new(StreamId::new(id), Body::RequestFireAndForget { follows: false, payload })
}

fn stream(id: u32, initial_n: u32, payload: Payload) -> Frame {
    Frame::new(StreamId::new(id), Body::RequestStream { follows: false, initial_n, payload })
}

fn channel(id: u32, initial_n: u32, payload: Payload) -> Frame {
    let body = Body::RequestChannel { follows: false, complete: false, initial_n, payload };
    Frame::new(StreamId::new(id), body)
}

fn data(id: u32, payload: Payload) -> Frame {
    let body = Body::Payload { follows: false, complete: false, next: true, payload };
    Frame::new(StreamId::new(id), body)
}

/// What of a peer's frames a test looks at, per frame.
#[derive(Debug, PartialEq)]
enum Got {
    Item(Payload),
    /// An item that completes.
    Last(Payload),
    Complete,
    Error(ErrorCode, String),
    RequestN(u32),
    Cancel,
}

fn item(text: &str) -> Got {
    Got::Item(Payload { metadata: None, data: Bytes::from(text.to_owned()) })
}

fn got(frame: Frame) -> Got {
    match frame.body {
        Body::Payload { next: true, complete: true, payload, .. } => Got::Last(payload),
        Body::Payload { next: true, payload, .. } => Got::Item(payload),
        Body::Payload { complete: true, .. } => Got::Complete,
        Body::Error { code, message } => {
            Got::Error(code, String::from_utf8(message.to_vec()).unwrap())
        }
        Body::RequestN { n } => Got::RequestN(n),
        Body::Cancel => Got::Cancel,
        body => panic!("not expected: {body:?}"),
    }
}

/// The client's end of a connection that a [`Service`] serves.
struct Client {
    script: Script,
    handler: Box<dyn Handler>,
    works: Vec<Work>,
}

struct Work {
    key: StreamKey,
    source: Box<dyn Source>,
    woken: Arc<Woken>,
    paced: Option<Instant>,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Client {
    fn connect(service: &Arc<Service>) -> Self {
        Self::open(service, setup_of(COMPOSITE, JSON, Payload::default())).unwrap()
    }

    fn open(service: &Arc<Service>, setup: Setup) -> Result<Self, SetupRejection> {
        let handler = service.accept(&setup)?;
        let grant = LeaseGrant { requests: 1_000_000, ttl: Duration::from_secs(100) };
        let mut script = Script::raw_server(Limits::default(), Some(grant));
        script.receive(&Frame::new(StreamId::CONNECTION, Body::Setup(setup)));
        assert!(matches!(script.events()[..], [Event::Setup(_)]), "SETUP was not accepted");
        script.connection.accept(script.now);
        script.sent();
        Ok(Self { script, handler, works: Vec::new() })
    }

    /// Sends a frame; what comes back at once.
    fn send(&mut self, frame: &Frame) -> Vec<Got> {
        self.script.now = tokio::time::Instant::now().into_std();
        self.script.receive(frame);
        self.turn()
    }

    /// What comes in this time, polled each millisecond.
    async fn wait(&mut self, time: Duration) -> Vec<Got> {
        let mut all = Vec::new();
        for _ in 0..time.as_millis() {
            tokio::time::sleep(Duration::from_millis(1)).await;
            all.extend(self.turn());
        }
        all
    }

    /// Does everything that there is to do now, as a driver would on a socket that takes all.
    fn turn(&mut self) -> Vec<Got> {
        self.script.now = tokio::time::Instant::now().into_std();
        let mut all = Vec::new();
        loop {
            self.handle_events();
            let mut is_busy = false;
            for index in 0..self.works.len() {
                is_busy |= self.poll(index);
            }
            let sent = self.script.sent();
            is_busy |= !sent.is_empty();
            all.extend(sent.into_iter().map(got));
            self.handle_events();
            if !is_busy {
                return all;
            }
        }
    }

    fn handle_events(&mut self) {
        for event in self.script.events() {
            match event {
                Event::Request(key, request) => match self.handler.request(request) {
                    Reply::Ready(response) => self.script.connection.respond(key, response),
                    Reply::Refused(error) => self.script.connection.fail_stream(key, &error),
                    Reply::Source(source) => {
                        let woken = Arc::new(Woken(AtomicBool::new(true)));
                        self.works.push(Work { key, source, woken, paced: None });
                    }
                    Reply::Response(_) | Reply::Effect(_) => panic!("no such reply"),
                },
                Event::FireAndForget(request) => match self.handler.request(request) {
                    Reply::Effect(None) | Reply::Refused(_) => {}
                    _ => panic!("no such reply"),
                },
                Event::Credit(key) | Event::Input(key) => {
                    for work in self.works.iter().filter(|work| work.key == key) {
                        work.woken.0.store(true, Ordering::Relaxed);
                    }
                }
                Event::Ended(key) => self.works.retain(|work| work.key != key),
                event => panic!("not expected: {event:?}"),
            }
        }
    }

    /// Polls a source that was woken; whether it may have more to say at once.
    fn poll(&mut self, index: usize) -> bool {
        let (connection, now) = (&mut self.script.connection, self.script.now);
        let Work { key, source, woken, paced } = &mut self.works[index];
        let is_due = paced.is_some_and(|until| until <= now);
        if !woken.0.swap(false, Ordering::Relaxed) && !is_due {
            return false;
        }
        *paced = None;
        let waker = Waker::from(Arc::clone(woken));
        let mut cx = Context::from_waker(&waker);
        if connection.is_draining(*key) {
            connection.drain(*key, |input| source.poll_drain(&mut cx, input));
        }
        let filled = connection
            .fill(*key, now, usize::MAX, |quota, items| source.poll_fill(&mut cx, quota, items));
        match filled.map(|filled| filled.pause) {
            Some(Pause::Paced(until)) => *paced = Some(until),
            Some(Pause::Congested) => woken.0.store(true, Ordering::Relaxed),
            _ => {}
        }
        true
    }
}

/// The JSON of each item.
fn json(all: &[Got]) -> Vec<Value> {
    let parse = |got: &Got| match got {
        Got::Item(payload) => serde_json::from_slice(&payload.data).unwrap(),
        other => panic!("not an item: {other:?}"),
    };
    all.iter().map(parse).collect()
}

/// The `seq` of each item.
fn seqs(all: &[Got]) -> Vec<u64> {
    json(all).iter().map(|item| item["seq"].as_u64().unwrap()).collect()
}

/// The one error, and its text.
fn error(all: &[Got]) -> (ErrorCode, &str) {
    match all {
        [Got::Error(code, text)] => (*code, text),
        other => panic!("not one error: {other:?}"),
    }
}

#[tokio::test]
async fn the_routes_of_this_server_are_consistent() {
    let topics = topics();
    let count = |debug_routes| router(&topics, debug_routes, 64).unwrap().routes().count();
    assert_eq!(count(false), 2);
    assert_eq!(count(true), 2 + 8);
}
