//! Random operations on a server against a naive model of credit and of who may still speak.
//!
//! The model knows streams by id only and nothing of buffers: it reads each frame as it is encoded
//! and each frame that the peer sends, and says what may be there.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::BytesMut;
use proptest::prelude::*;

use crate::protocol::{Event, Interaction, Limits, Pause, StreamError, StreamKey};
use crate::testkit::{
    Script, cancel, channel, completes, error, fnf, follows, item, keepalive, request, request_n,
    stream,
};
use crate::wire::{Body, Deframer, ErrorCode, Frame, Inbound, Payload, StreamId, decode};

const N_MAX: u32 = 0x7FFF_FFFF;
const WRITE_BUDGET: usize = 512;
/// Half the budget, and its length prefix.
const FRAGMENT: usize = 256 + 3;
/// Data that does not fit the write budget whole, with 9 bytes of header and prefix.
const CUT_SIZES: [usize; 3] = [504, 600, 2_000];
const INTERVAL: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug)]
enum Op {
    Request { id: u32, kind: Interaction, n: u32, follows: bool, complete: bool },
    RequestN { id: u32, n: u32 },
    Cancel { id: u32 },
    Error { id: u32 },
    Payload { id: u32, flags: &'static str },
    Keepalive,
    Fill { at: usize, count: u64, size: usize },
    Done { at: usize },
    Fail { at: usize },
    Respond { at: usize, size: Option<usize> },
    Take { at: usize },
    Grant { at: usize, n: u32 },
    Stop { at: usize },
    Flush,
    FlushRest,
    Advance { share: usize },
    Pass { seconds: u64 },
}

fn id() -> impl Strategy<Value = u32> {
    prop_oneof![8 => (0_u32..5).prop_map(|i| i * 2 + 1), 1 => Just(0), 1 => Just(2)]
}

fn n() -> impl Strategy<Value = u32> {
    prop_oneof![6 => 1_u32..6, 1 => Just(0), 1 => Just(N_MAX), 1 => Just(N_MAX - 1)]
}

fn size() -> impl Strategy<Value = usize> {
    let whole = prop::sample::select(vec![0, 1, 10, 100, 400, 503]);
    prop_oneof![whole, prop::sample::select(CUT_SIZES.to_vec())]
}

fn op() -> impl Strategy<Value = Op> {
    let flags = prop::sample::select(vec!["N", "C", "CN", "FN", "F", "FC", "FCN", ""]);
    let kind = prop::sample::select(Interaction::ALL.to_vec());
    prop_oneof![
        4 => (id(), kind, n(), prop::bool::weighted(0.3), any::<bool>()).prop_map(
            |(id, kind, n, follows, complete)| Op::Request { id, kind, n, follows, complete }
        ),
        4 => (id(), n()).prop_map(|(id, n)| Op::RequestN { id, n }),
        1 => id().prop_map(|id| Op::Cancel { id }),
        1 => id().prop_map(|id| Op::Error { id }),
        6 => (id(), flags).prop_map(|(id, flags)| Op::Payload { id, flags }),
        1 => Just(Op::Keepalive),
        8 => (0_usize..8, 0_u64..12, size())
            .prop_map(|(at, count, size)| Op::Fill { at, count, size }),
        1 => (0_usize..8).prop_map(|at| Op::Done { at }),
        1 => (0_usize..8).prop_map(|at| Op::Fail { at }),
        2 => (0_usize..8, prop::option::of(size())).prop_map(|(at, size)| Op::Respond { at, size }),
        3 => (0_usize..8).prop_map(|at| Op::Take { at }),
        3 => (0_usize..8, 0_u32..4).prop_map(|(at, n)| Op::Grant { at, n }),
        1 => (0_usize..8).prop_map(|at| Op::Stop { at }),
        4 => Just(Op::Flush),
        4 => Just(Op::FlushRest),
        6 => (1_usize..=100).prop_map(|share| Op::Advance { share }),
        1 => (0_u64..40).prop_map(|seconds| Op::Pass { seconds }),
    ]
}

/// What the model knows of a live stream.
#[derive(Debug)]
struct Known {
    kind: Interaction,
    /// Granted to this side; `None`: everything.
    credit: Option<u64>,
    /// Granted to the peer, as it read on the wire.
    window: u64,
    /// This side may still send.
    out: bool,
    /// The peer may still send.
    inward: bool,
    /// The request itself is in fragments; C was on one of them.
    opening: Option<bool>,
    /// An item of the peer is in fragments.
    joining: bool,
    /// When what is in fragments is overdue.
    deadline: std::time::Instant,
    /// Fragments of this side are under way; bytes of the item so far.
    cutting: bool,
    cut_bytes: usize,
    key: Option<StreamKey>,
}

struct Model {
    script: Script,
    /// Live streams by id.
    known: BTreeMap<u32, Known>,
    /// Every stream that was reported, and whether its end was.
    reported: Vec<(StreamKey, u32, bool)>,
    /// Bytes of the output that were read already.
    read: usize,
    deframer: Deframer,
    /// ERROR frames that the last operation owes: id and code.
    owed: Vec<(u32, ErrorCode)>,
    /// The stream that the next request event belongs to.
    opened: Option<u32>,
}

impl Model {
    fn new() -> Self {
        let limits = Limits { write_budget: WRITE_BUDGET, ..Limits::default() };
        let script = Script::server(limits);
        Self {
            script,
            known: BTreeMap::new(),
            reported: Vec::new(),
            read: 0,
            deframer: Deframer::length_prefix(1 << 24),
            owed: Vec::new(),
            opened: None,
        }
    }

    fn key(&self, at: usize) -> Option<(StreamKey, u32)> {
        let live: Vec<_> = self.reported.iter().filter(|(_, _, ended)| !ended).collect();
        let (key, id, _) = live.get(at % live.len().max(1))?;
        Some((*key, *id))
    }

    /// The live stream that this key still names.
    fn named(&self, key: StreamKey, id: u32) -> Option<&Known> {
        self.known.get(&id).filter(|known| known.key == Some(key))
    }

    // ---- the peer ------------------------------------------------------------------------------

    fn request(&mut self, id: u32, kind: Interaction, n: u32, cut: bool, complete: bool) {
        let counts = matches!(kind, Interaction::RequestStream | Interaction::RequestChannel);
        let complete = complete && kind == Interaction::RequestChannel;
        let mut frame = match kind {
            Interaction::RequestResponse => request(id, "q"),
            Interaction::FireAndForget => fnf(id, "q"),
            Interaction::RequestStream => stream(id, n),
            Interaction::RequestChannel => channel(id, n, "q"),
        };
        if complete {
            frame = completes(frame);
        }
        if cut {
            frame = follows(frame);
        }
        let ignored = id == 0 || self.known.contains_key(&id);
        let refused = id.is_multiple_of(2) || (counts && n == 0);
        if !ignored && refused && kind != Interaction::FireAndForget {
            self.owed.push((id, ErrorCode::INVALID));
        }
        if !ignored && !refused && (cut || kind != Interaction::FireAndForget) {
            self.known.insert(
                id,
                Known {
                    kind,
                    credit: if n == N_MAX && counts { None } else { Some(u64::from(n)) },
                    window: 0,
                    out: kind != Interaction::FireAndForget,
                    inward: cut || (kind == Interaction::RequestChannel && !complete),
                    opening: cut.then_some(complete),
                    joining: false,
                    deadline: self.script.now + INTERVAL,
                    cutting: false,
                    cut_bytes: 0,
                    key: None,
                },
            );
            self.opened = (!cut).then_some(id);
        }
        self.script.receive(&frame);
    }

    fn request_n(&mut self, id: u32, n: u32) {
        if let Some(known) = self.known.get_mut(&id)
            && matches!(known.kind, Interaction::RequestStream | Interaction::RequestChannel)
        {
            if n == 0 {
                if self.is_filling(id) {
                    self.owed.push((id, ErrorCode::INVALID));
                }
            } else {
                known.credit = match known.credit {
                    Some(credit) if n < N_MAX => Some(credit + u64::from(n)),
                    Some(_) | None => None,
                };
            }
        }
        self.script.receive(&request_n(id, n));
    }

    /// Whether this side's half is open and its source has not said that it is done.
    fn is_filling(&self, id: u32) -> bool {
        let connection = &self.script.connection;
        let Some(key) = connection.table.key_of(StreamId::new(id)) else { return false };
        connection.table.get(key).is_some_and(|stream| {
            matches!(stream.outbound, crate::protocol::stream::Outbound::Open(_))
        })
    }

    fn payload(&mut self, id: u32, flags: &'static str) {
        let complete = flags.contains('C');
        let follows = flags.contains('F') && !complete;
        let deadline = self.script.now + INTERVAL;
        if let Some(known) = self.known.get_mut(&id).filter(|known| known.inward) {
            known.deadline = deadline;
            if let Some(completed) = &mut known.opening {
                *completed |= complete;
                if !follows {
                    known.inward = known.kind == Interaction::RequestChannel && !*completed;
                    known.opening = None;
                    if known.kind == Interaction::FireAndForget {
                        self.known.remove(&id);
                    } else {
                        self.opened = Some(id);
                    }
                }
            } else if !known.joining && (follows || flags.contains('N')) && known.window == 0 {
                self.owed.push((id, ErrorCode::CANCELED));
            } else if follows {
                known.joining = true;
            } else if !known.joining && !complete && !flags.contains('N') {
                self.owed.push((id, ErrorCode::INVALID));
            } else {
                if known.joining || flags.contains('N') {
                    known.window -= 1;
                }
                known.joining = false;
                known.inward = !complete;
            }
        }
        self.script.receive(&item(id, flags, "x"));
        self.forget_ended(id);
    }

    fn end(&mut self, id: u32, frame: &Frame) {
        self.known.remove(&id);
        self.script.receive(frame);
    }

    fn pass(&mut self, seconds: u64) {
        let end = self.script.now + Duration::from_secs(seconds);
        let overdue =
            |known: &Known| (known.joining || known.opening.is_some()) && known.deadline <= end;
        let due = self.known.iter().filter(|(_, known)| overdue(known)).map(|(id, _)| *id);
        let due: Vec<_> = due.collect();
        for id in due {
            if self.known[&id].kind == Interaction::FireAndForget {
                self.known.remove(&id);
            } else {
                self.owed.push((id, ErrorCode::CANCELED));
            }
        }
        self.script.pass(Duration::from_secs(seconds));
        self.script.receive(&keepalive(false, ""));
    }

    // ---- the application -----------------------------------------------------------------------

    fn fill(&mut self, at: usize, count: u64, size: usize) {
        let Some((key, id)) = self.key(at) else { return };
        let connection = &self.script.connection;
        let room = connection.room();
        let large = connection.outgoing.is_some();
        let may = self
            .named(key, id)
            .filter(|known| known.out && known.kind != Interaction::RequestResponse);
        let (open, credit) =
            (may.is_some(), may.map_or(0, |known| known.credit.unwrap_or(u64::MAX)));
        if self.named(key, id).is_some_and(|known| known.kind == Interaction::RequestResponse) {
            return;
        }
        let written = self.script.put(key, &Payload::new(vec![b'y'; size]), count);
        if !open {
            assert_eq!(written, 0, "stream {id} is over");
            return;
        }
        assert!(written <= count.min(credit), "beyond the credit of {id}");
        // What stopped it was credit, unless it was room or another item under way.
        let framed = size + 9;
        let stopped_by_room = match framed <= WRITE_BUDGET {
            true => room < framed * usize::try_from(count.min(credit)).unwrap(),
            false => room == 0 || large || count.min(credit) > 1,
        };
        let done = !self.is_filling(id);
        if !stopped_by_room && !done && !self.being_cut(key) && !large {
            assert_eq!(written, count.min(credit), "short of the credit of {id}");
        }
    }

    fn being_cut(&self, key: StreamKey) -> bool {
        self.script.connection.outgoing.as_ref().is_some_and(|outgoing| outgoing.key == key)
    }

    fn respond(&mut self, at: usize, size: Option<usize>) {
        let Some((key, id)) = self.key(at) else { return };
        if self.named(key, id).is_some_and(|known| known.kind == Interaction::RequestResponse) {
            let response = size.map(|size| Payload::new(vec![b'r'; size]));
            self.script.connection.respond(key, Ok(response));
        }
    }

    fn fail(&mut self, at: usize) {
        let Some((key, id)) = self.key(at) else { return };
        match self.named(key, id).map(|known| known.kind) {
            Some(Interaction::RequestResponse) => {
                self.script.connection.respond(key, Err(StreamError::application("broken")));
            }
            _ => self.script.fail(key),
        }
    }

    fn done(&mut self, at: usize) {
        let Some((key, id)) = self.key(at) else { return };
        if self.named(key, id).is_none_or(|known| known.kind != Interaction::RequestResponse) {
            self.script.connection.fill(key, self.script.now, usize::MAX, |_, _| Pause::Done);
        }
    }

    // ---- what comes of it ----------------------------------------------------------------------

    fn step(&mut self, op: Op) {
        match op {
            Op::Request { id, kind, n, follows, complete } => {
                self.request(id, kind, n, follows, complete);
            }
            Op::RequestN { id, n } => self.request_n(id, n),
            Op::Cancel { id } => self.end(id, &cancel(id)),
            Op::Error { id: 0 } => {}
            Op::Error { id } => self.end(id, &error(id, ErrorCode::CANCELED, "")),
            Op::Payload { id, flags } => self.payload(id, flags),
            Op::Keepalive => self.script.receive(&keepalive(true, "ping")),
            Op::Fill { at, count, size } => self.fill(at, count, size),
            Op::Done { at } => self.done(at),
            Op::Fail { at } => self.fail(at),
            Op::Respond { at, size } => self.respond(at, size),
            Op::Take { at } => {
                if let Some((key, _)) = self.key(at) {
                    self.script.take(key);
                }
            }
            Op::Grant { at, n } => {
                if let Some((key, _)) = self.key(at) {
                    self.script.grant(key, n);
                }
            }
            Op::Stop { at } => {
                if let Some((key, _)) = self.key(at) {
                    self.script.stop(key);
                }
            }
            Op::Flush => self.script.connection.flush(),
            Op::FlushRest => self.script.connection.flush_rest(),
            Op::Advance { share } => {
                let len = self.script.connection.output().len() * share / 100;
                self.script.connection.advance(len);
                self.read -= len;
            }
            Op::Pass { seconds } => self.pass(seconds),
        }
        self.read_output();
        self.read_events();
        self.compare();
    }

    /// Reads every frame that was encoded since the last look.
    fn read_output(&mut self) {
        let output = self.script.connection.output();
        assert!(output.len() <= 2 * WRITE_BUDGET + FRAGMENT, "{} bytes", output.len());
        let mut fresh = BytesMut::from(&output[self.read..]);
        self.read = output.len();
        while let Some(inbound) = self.deframer.next(&mut fresh).unwrap() {
            let Inbound::Frame(frame) = inbound else { panic!("{inbound:?}") };
            self.read_frame(&decode(frame).unwrap());
        }
        assert!(fresh.is_empty(), "frames are encoded whole");
        assert_eq!(self.owed, [], "errors that were owed and not sent");
    }

    fn read_frame(&mut self, frame: &Frame) {
        let id = frame.stream_id.get();
        if id == 0 {
            assert!(matches!(frame.body, Body::Keepalive(_)), "{frame:?}");
            return;
        }
        if let Body::Error { code, .. } = frame.body {
            match self.owed.iter().position(|owed| *owed == (id, code)) {
                Some(owed) => drop(self.owed.remove(owed)),
                None => {
                    assert_eq!(code, ErrorCode::APPLICATION_ERROR, "nobody asked for it");
                    assert!(self.known[&id].out, "{frame:?} after the end");
                }
            }
            // A refused request has no stream, and leaves one of that id alone.
            self.known.remove(&id);
            return;
        }
        let known = self.known.get_mut(&id).unwrap_or_else(|| panic!("{frame:?}: no such stream"));
        match &frame.body {
            Body::Payload { follows, complete, next, payload } => {
                assert!(known.out, "{frame:?} after the end");
                assert!(*next || *complete, "neither N nor C");
                if *next && !known.cutting && known.kind != Interaction::RequestResponse {
                    known.credit = known.credit.map(|credit| {
                        credit.checked_sub(1).unwrap_or_else(|| panic!("{frame:?}: no credit"))
                    });
                }
                assert!(!known.cutting || *next, "C alone between fragments");
                known.cut_bytes += payload.len();
                if known.cutting && !follows {
                    let len = known.cut_bytes;
                    assert!(CUT_SIZES.contains(&len), "an item of {len} bytes in fragments");
                }
                if !follows {
                    known.cut_bytes = 0;
                }
                known.cutting = *follows;
                known.out = !complete;
            }
            Body::RequestN { n } => {
                assert!(known.inward && !known.cutting, "{frame:?}");
                assert!((1..=N_MAX).contains(n));
                known.window += u64::from(*n);
            }
            Body::Cancel => {
                assert!(known.inward && known.kind == Interaction::RequestChannel, "{frame:?}");
                known.inward = false;
                known.joining = false;
            }
            Body::Setup(_)
            | Body::Lease(_)
            | Body::Keepalive(_)
            | Body::RequestResponse { .. }
            | Body::RequestFireAndForget { .. }
            | Body::RequestStream { .. }
            | Body::RequestChannel { .. }
            | Body::Error { .. }
            | Body::MetadataPush { .. }
            | Body::Resume(_)
            | Body::ResumeOk { .. }
            | Body::Ext(_) => panic!("{frame:?} of a responder"),
        }
        self.forget_ended(id);
    }

    fn forget_ended(&mut self, id: u32) {
        if self.known.get(&id).is_some_and(|known| !known.out && !known.inward) {
            self.known.remove(&id);
        }
    }

    fn read_events(&mut self) {
        for event in self.script.events() {
            match event {
                Event::Request(key, _) => {
                    let id = self.opened.take().expect("a request was due");
                    self.reported.push((key, id, false));
                    if let Some(known) = self.known.get_mut(&id) {
                        known.key = Some(key);
                    }
                }
                Event::Ended(key) => {
                    let found = self.reported.iter_mut().find(|(other, _, _)| *other == key);
                    let (_, _, ended) = found.expect("it was reported");
                    assert!(!*ended, "ended twice");
                    *ended = true;
                }
                Event::FireAndForget(_) | Event::Credit(_) | Event::Input(_) => {}
                Event::Setup(_)
                | Event::OutboundCancelled(_)
                | Event::MetadataPush(_)
                | Event::Lease
                | Event::Closed(_) => panic!("{event:?}"),
            }
        }
        assert_eq!(self.opened, None, "a request that was not reported");
    }

    fn compare(&self) {
        let connection = &self.script.connection;
        connection.assert_sound();
        let live: Vec<u32> = self.known.keys().copied().collect();
        assert_eq!(connection.live_streams(), live.len(), "the model has {live:?}");
        for (id, known) in &self.known {
            let key = connection.table.key_of(StreamId::new(*id));
            assert!(key.is_some(), "{id} is live: {known:?}");
            if known.key.is_some() {
                assert_eq!(key, known.key);
            }
        }
        if connection.table.keys().count() == 0 {
            assert_eq!(connection.held_bytes, 0, "no stream and still bytes");
            assert_eq!(connection.responses_bytes, 0);
            assert!(connection.reassemblies.is_empty());
        }
    }

    /// The peer gives up everything: nothing is left.
    fn finish(&mut self) {
        for id in self.known.keys().copied().collect::<Vec<_>>() {
            self.step(Op::Cancel { id });
        }
        for (key, _, _) in self.reported.clone() {
            self.script.take(key);
        }
        self.read_events();
        assert!(self.reported.iter().all(|(_, _, ended)| *ended), "{:?}", self.reported);
        assert_eq!(self.script.connection.table.keys().count(), 0);
        self.compare();
        let stats = self.script.connection.take_stats();
        let ended = stats.streams.iter().flatten().sum::<u64>();
        assert_eq!(ended, stats.requests.iter().sum::<u64>(), "each request ends once");
        assert!(!self.script.connection.is_closed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn r_reqn_1_r_str_3_random_operations_keep_to_the_model(
        ops in prop::collection::vec(op(), 1..120)
    ) {
        let mut model = Model::new();
        for op in ops {
            model.step(op);
        }
        model.finish();
    }
}
