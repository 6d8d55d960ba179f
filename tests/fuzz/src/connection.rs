//! Operations on one connection, in either role: what the peer sends, what the application does,
//! time, and a socket that takes what it likes. After each one the promises of `protocol` are
//! checked: the frames against [`Observer`], the sums against the streams, the output against its
//! bound, the clock against standing still.
//!
//! ```text
//!   input: config 1, then operations: what 1, its arguments
//! ```
//!
//! The operations are read by hand, not derived: one byte chooses one operation, so that seeds can
//! be written down and a changed byte changes one thing.

mod app;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};
use tidegate::protocol::{Cause, ClientSetup, Connection, Event, LeaseGrant, Limits};
use tidegate::wire::{
    self, Body, Deframer, ErrorCode, Ext, Frame, Framing, FramingError, Inbound, Keepalive, Lease,
    Masking, Payload, Resume, Setup, StreamId,
};

use self::app::App;
use crate::observer::Observer;
use crate::reader::Reader;

const OPERATIONS_MAX: usize = 512;
const INTERVAL: Duration = Duration::from_secs(30);
const ERROR_MESSAGE_MAX: usize = 48;
const KEEPALIVE_MAX: usize = 64;
const STREAMS_MAX: usize = 8;
/// Content is of no interest here, its length is.
static CONTENT: [u8; 8_192] = [7; 8_192];

/// Target `connection`.
pub fn connection(input: &[u8]) {
    let mut input = Reader::new(input);
    let mut harness = Harness::new(input.byte());
    for _ in 0..OPERATIONS_MAX {
        if input.is_empty() {
            break;
        }
        harness.step(&mut input);
        harness.check();
    }
    harness.end();
}

struct Harness {
    connection: Connection,
    limits: Arc<Limits>,
    now: Instant,
    app: App,
    observer: Observer,
    /// The peer's reading end.
    deframer: Deframer,
    /// How much of the output was observed.
    observed: usize,
    /// A SETUP waits for a decision; whether it asks for leases.
    deciding: Option<bool>,
    /// Streams may be opened.
    open: bool,
    closed: bool,
}

impl Harness {
    fn new(config: u8) -> Self {
        let is_server = config & 1 == 0;
        let budget = [256, 600, 1_024, 4_096][usize::from(config >> 1 & 3)];
        let lease = config & 8 != 0;
        let limits = Arc::new(limits(budget));
        let grant = lease.then_some(LeaseGrant { requests: 3, ttl: Duration::from_secs(40) });
        let (framing, deframer) = match (config & 16 != 0, is_server) {
            (false, _) => (Framing::LengthPrefix, Deframer::length_prefix(1 << 24)),
            (true, true) => {
                (Framing::WebSocket(Masking::None), Deframer::websocket(false, 1 << 24))
            }
            (true, false) => {
                let masking = Masking::Client { seed: 1 };
                (Framing::WebSocket(masking), Deframer::websocket(true, 1 << 24))
            }
        };
        let now = Instant::now();
        let connection = if is_server {
            Connection::server(framing, Arc::clone(&limits), grant, now)
        } else {
            Connection::client(framing, Arc::clone(&limits), grant, &client_setup(lease), now)
        };
        let mut observer = Observer::new(is_server);
        observer.lease = (!is_server && lease).then_some(0);
        let mut harness = Self {
            connection,
            limits,
            now,
            app: App::default(),
            observer,
            deframer,
            observed: 0,
            deciding: None,
            open: !is_server,
            closed: false,
        };
        // Most inputs are about what comes later.
        if is_server && config & 32 == 0 {
            harness.receive(&frame(0, Body::Setup(setup(lease))));
            harness.accept();
        }
        harness
    }

    fn step(&mut self, input: &mut Reader<'_>) {
        match input.byte() % 40 {
            choice @ 0..20 => {
                let id = self.stream_id(input);
                if choice == 19 {
                    let len = usize::from(input.byte() % 64);
                    self.receive_bytes(Bytes::copy_from_slice(input.bytes(len)));
                } else {
                    self.receive(&frame(id, body(choice, input)));
                }
            }
            20 => self.accept(),
            21 => self.connection.reject(rejection(input)),
            choice @ 22..31 => {
                self.app.act(choice, &mut self.connection, self.now, input);
            }
            31 => self.pass(input),
            32 | 33 => self.write(input),
            34 => self.connection.flush(),
            35 => self.connection.flush_rest(),
            36 => {
                let mut spare = BytesMut::with_capacity(64);
                self.connection.lend_buffer(&mut spare);
            }
            37 => {
                let len = usize::from(input.byte() % 126);
                if self.connection.wants_frames() {
                    self.connection.handle_ping(&CONTENT[..len]);
                }
            }
            38 => drop(self.connection.take_stats()),
            _ => self.leave(input),
        }
    }

    // ---- the peer ----------------------------------------------------------------------------

    /// A small id of either parity, or one that is in use.
    fn stream_id(&self, input: &mut Reader<'_>) -> u32 {
        let choice = input.byte();
        let picked = self.observer.pick(usize::from(choice & 0x7F));
        if choice & 0x80 == 0 { (choice % 16).into() } else { picked.unwrap_or(1) }
    }

    fn receive(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.receive_bytes(bytes.freeze());
    }

    /// Keeps to the driver's law: frames only while they are wanted.
    fn receive_bytes(&mut self, bytes: Bytes) {
        if !self.connection.wants_frames() {
            return;
        }
        let frame = wire::decode(bytes.clone()).ok().filter(|_| self.open && !self.closed);
        if let Some(frame) = &frame {
            self.observer.before(frame, self.now);
        }
        self.connection.handle_frame(self.now, bytes);
        self.check();
        if let Some(frame) = &frame {
            self.observer.after(frame, self.now);
        }
    }

    fn leave(&mut self, input: &mut Reader<'_>) {
        match input.byte() {
            0..8 => self.connection.handle_eof(),
            8..16 => self.connection.handle_framing_error(&FramingError::Text),
            16..24 => self.connection.handle_websocket_close(),
            24..32 => self.connection.abort(Cause::Closed),
            32..48 => self.connection.finish("bye"),
            48..80 => self.connection.drain_requests("draining".to_owned()),
            // The end comes often enough.
            _ => {}
        }
    }

    // ---- the driver --------------------------------------------------------------------------

    fn accept(&mut self) {
        self.connection.accept(self.now);
        if let Some(lease) = self.deciding.take() {
            self.open = true;
            self.observer.lease = lease.then_some(0);
        }
        self.check();
    }

    fn write(&mut self, input: &mut Reader<'_>) {
        self.check();
        let len = self.connection.output().len();
        let taken = match input.byte() {
            255 => len,
            part => usize::from(part) * 8,
        };
        self.advance(taken.min(len));
    }

    fn advance(&mut self, taken: usize) {
        self.connection.advance(taken);
        self.observed -= taken;
    }

    fn pass(&mut self, input: &mut Reader<'_>) {
        const MILLIS: [u64; 8] = [1, 100, 1_000, 5_000, 15_000, 29_999, 45_000, 90_000];
        let end = self.now + Duration::from_millis(MILLIS[usize::from(input.byte() % 8)]);
        while let Some(due) = self.connection.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
            self.check();
            let next = self.connection.poll_timeout();
            assert!(next.is_none_or(|next| next > self.now), "the clock stands still");
        }
        self.now = end;
        if !self.closed {
            self.observer.assert_no_overdue(self.now, INTERVAL);
        }
    }

    // ---- checks ------------------------------------------------------------------------------

    fn check(&mut self) {
        let was_closed = self.closed;
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Setup(setup) => {
                    assert!(!self.open && self.deciding.is_none(), "a second SETUP");
                    self.deciding = Some(setup.lease);
                }
                Event::Closed(_) => {
                    assert!(!self.closed, "closed twice");
                    self.closed = true;
                    self.deciding = None;
                }
                event => self.app.hear(event),
            }
        }
        self.observe(was_closed);
        assert_eq!(self.closed, self.connection.is_closed());
        assert!(!self.closed || self.connection.poll_timeout().is_none());
        self.connection.assert_sound();
        let (live, own) = (self.connection.live_streams(), self.app.own());
        assert!(live <= STREAMS_MAX + own, "{live} live streams, {own} of them ours");
    }

    /// Frames are always appended whole, so what is new can be read at once.
    fn observe(&mut self, was_closed: bool) {
        let output = self.connection.output();
        let mut new = BytesMut::from(&output[self.observed..]);
        assert!(!was_closed || new.is_empty(), "output after the end");
        self.observed = output.len();
        let largest = ERROR_MESSAGE_MAX.max(KEEPALIVE_MAX).max(255) + 32;
        let terminals = (STREAMS_MAX + app::OWN_MAX) * (ERROR_MESSAGE_MAX + 32);
        let bound = 2 * self.limits.write_budget + largest + terminals;
        assert!(output.len() <= bound, "{} bytes of output", output.len());
        while let Some(inbound) = self.deframer.next(&mut new).expect("what we sent is framed") {
            if let Inbound::Frame(bytes) = inbound {
                self.observer.sent(&wire::decode(bytes).expect("what we sent decodes"));
            }
        }
        assert!(new.is_empty(), "half a frame in the output");
    }

    /// The socket takes everything, the peer leaves, the application takes what is left.
    fn end(mut self) {
        for _ in 0..4 {
            self.connection.flush();
            self.connection.flush_rest();
            self.check();
            self.advance(self.observed);
        }
        self.connection.handle_eof();
        self.check();
        self.app.take_all(&mut self.connection);
        self.check();
        assert_eq!(self.app.live(), 0, "streams that never ended");
        assert_eq!(self.connection.live_streams(), 0);
    }
}

fn limits(write_budget: usize) -> Limits {
    Limits {
        streams_max: STREAMS_MAX,
        item_bytes_max: 2_048,
        inbound_bytes_max: 6_000,
        reassemblies_max: 3,
        fragments_max: 12,
        empty_fragments_max: 2,
        fragment_interval: INTERVAL,
        setup_bytes_max: 512,
        keepalive_bytes_max: KEEPALIVE_MAX,
        write_budget,
        responses_bytes_max: 4_096,
        error_message_bytes_max: ERROR_MESSAGE_MAX,
        ..Limits::default()
    }
}

fn client_setup(lease: bool) -> ClientSetup {
    ClientSetup {
        keepalive: Duration::from_secs(20),
        lifetime: Duration::from_secs(90),
        lease,
        metadata_mime: "a/b".into(),
        data_mime: "c/d".into(),
        payload: Payload::default(),
    }
}

fn setup(lease: bool) -> Setup {
    Setup {
        version: (1, 0),
        keepalive_ms: 20_000,
        lifetime_ms: 90_000,
        lease,
        resume_token: None,
        metadata_mime: Bytes::from_static(b"a/b"),
        data_mime: Bytes::from_static(b"c/d"),
        payload: Payload::default(),
    }
}

fn rejection(input: &mut Reader<'_>) -> tidegate::protocol::SetupRejection {
    match input.byte() & 1 {
        0 => tidegate::protocol::SetupRejection::invalid("as asked"),
        _ => tidegate::protocol::SetupRejection::rejected("as asked"),
    }
}

const fn frame(id: u32, body: Body) -> Frame {
    Frame::new(StreamId::new(id), body)
}

/// What the peer says, by the number of its operation.
fn body(choice: u8, input: &mut Reader<'_>) -> Body {
    match choice {
        0 => Body::RequestResponse { follows: input.byte() & 1 == 1, payload: payload(input) },
        1 => Body::RequestFireAndForget { follows: input.byte() & 1 == 1, payload: payload(input) },
        2 | 3 => {
            let (follows, initial_n) = (input.byte() & 1 == 1, input.n());
            Body::RequestStream { follows, initial_n, payload: payload(input) }
        }
        4 | 5 => {
            let (flags, initial_n) = (input.byte(), input.n());
            let (follows, complete) = (flags & 1 == 1, flags & 2 == 2);
            Body::RequestChannel { follows, complete, initial_n, payload: payload(input) }
        }
        6..9 => {
            let flags = input.byte();
            let (follows, complete, next) = (flags & 1 == 1, flags & 2 == 2, flags & 4 == 4);
            Body::Payload { follows, complete, next, payload: payload(input) }
        }
        9 | 10 => Body::RequestN { n: input.n() },
        11 => Body::Cancel,
        12 => {
            let code = ErrorCode([0x101, 0x102, 0x201, 0x203, 1, 3][usize::from(input.byte() % 6)]);
            Body::Error { code, message: content(usize::from(input.byte())) }
        }
        13 => {
            let (respond, data) = (input.byte() & 1 == 1, content(usize::from(input.byte() % 80)));
            Body::Keepalive(Keepalive { respond, position: 0, data })
        }
        14 => {
            let (ttl_ms, requests) = (input.n().saturating_mul(100), input.n());
            Body::Lease(Lease { ttl_ms, requests, metadata: None })
        }
        15 => Body::MetadataPush { metadata: content(usize::from(input.byte())) },
        16 => {
            let flags = input.byte();
            let resume_token = (flags & 2 == 2).then(|| content(3));
            Body::Setup(Setup { resume_token, ..setup(flags & 1 == 1) })
        }
        17 => {
            let (server_position, client_position) = (0, 0);
            let version = (input.byte().into(), 0);
            Body::Resume(Resume { version, token: content(3), server_position, client_position })
        }
        _ => {
            let ignorable = input.byte() & 1 == 1;
            let extended_type = input.n();
            Body::Ext(Ext { ignorable, metadata: false, extended_type, rest: Bytes::new() })
        }
    }
}

fn payload(input: &mut Reader<'_>) -> Payload {
    let len = len(input);
    // Of each length, some with metadata.
    match len % 3 {
        0 => Payload::with_metadata(content(len / 3), content(len - len / 3)),
        _ => Payload::new(content(len)),
    }
}

/// Up to 5,500 bytes, mostly few.
fn len(input: &mut Reader<'_>) -> usize {
    match usize::from(input.byte()) {
        len @ 0..200 => len,
        len => (len - 200) * 100,
    }
}

fn content(len: usize) -> Bytes {
    Bytes::from_static(&CONTENT[..len])
}
