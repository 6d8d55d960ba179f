//! The connection: its phases, its dispatch table, its clocks.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::{Bytes, BytesMut};

use super::keepalive::Keepalive;
use super::lease::{Granted, Held};
use super::output::Output;
use super::setup::{check_first, reject_malformed};
use super::stream::{Outgoing, Side, Table};
use super::{
    Cause, ClientSetup, Deadline, Event, LeaseGrant, Limits, SetupRejection, Stats, StreamKey,
    Terminal,
};
use crate::wire::{
    Body, ErrorCode, Frame, Framing, FramingError, Keepalive as KeepaliveFrame, Setup, StreamId,
    decode,
};

/// Where a connection is in its life (conformance section 2).
///
/// ```text
///   server: AwaitingFirst ── SETUP ──▶ Deciding ── accept ──▶ Open ──▶ Closed(cause)
///   client: Open (not established) ── first answer ──▶ Open ──▶ Closed(cause)
/// ```
#[derive(Debug)]
pub(super) enum Phase {
    /// A server waits for SETUP.
    AwaitingFirst { deadline: Instant },
    /// The application decides about this SETUP; no frame is taken meanwhile (R-SETUP-12, R-LIM-9).
    Deciding { deadline: Instant, setup: Announced },
    /// Streams may be opened.
    Open { established: bool },
    /// The peer sent CONNECTION_CLOSE: live streams go on until they end or the deadline (R-ERR-5).
    PeerClosing { deadline: Instant },
    /// Nothing is taken any more; what is in the output is still to be written (R-CLOSE-2).
    Closed,
}

/// What the connection itself needs of a SETUP that is being decided about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Announced {
    keepalive_ms: u32,
    lifetime_ms: u32,
    lease: bool,
}

/// One RSocket connection, of either role, without IO and without a clock.
///
/// The driver's law: after `handle_frame`, `handle_timeout` or a verb (`accept`, `request`,
/// `respond`, `fill`, `drain`, …), call [`poll_event`](Self::poll_event) until it is empty; before
/// it writes, call [`flush`](Self::flush); then write [`output`](Self::output) and tell
/// [`advance`](Self::advance). [`poll_timeout`](Self::poll_timeout) is the next time that matters.
#[derive(Debug)]
pub struct Connection {
    pub(super) limits: Arc<Limits>,
    pub(super) output: Output,
    pub(super) table: Table,
    /// The one item larger than the write budget that is being sent.
    pub(super) outgoing: Option<Outgoing>,
    /// The item in `outgoing` is owed its turn: sources wait until it had one.
    pub(super) fragment_due: bool,
    /// Finished responses that wait for room, by reference; those larger than the write budget
    /// apart, so that they do not hold up the others.
    pub(super) responses: VecDeque<StreamKey>,
    pub(super) large_responses: VecDeque<StreamKey>,
    pub(super) responses_bytes: usize,
    /// Streams with credit to grant; each is listed once.
    pub(super) grants: Vec<StreamKey>,
    /// Bytes in reassembly or not yet taken by the application.
    pub(super) held_bytes: usize,
    /// Items in reassembly, by the time before which none of them is overdue: a fragment that came
    /// since only makes it later, which is seen when that time comes.
    pub(super) reassemblies: VecDeque<(Instant, StreamKey)>,
    pub(super) granted: Option<Granted>,
    pub(super) held: Held,
    pub(super) next_id: StreamId,
    pub(super) events: VecDeque<Event>,
    pub(super) stats: Stats,
    /// New requests are refused; the text says when to come back.
    pub(super) draining: Option<String>,
    pub(super) is_server: bool,
    pub(super) phase: Phase,
    lease: Option<LeaseGrant>,
    keepalive: Option<Keepalive>,
}

impl Connection {
    /// The accepting side. `lease` is what it grants to clients that ask for leases.
    #[must_use]
    pub fn server(
        framing: Framing,
        limits: Arc<Limits>,
        lease: Option<LeaseGrant>,
        now: Instant,
    ) -> Self {
        let deadline = now + limits.setup_timeout;
        Self::new(framing, limits, lease, Phase::AwaitingFirst { deadline }, true)
    }

    /// The connecting side: its SETUP is in the output at once (R-SETUP-1). `lease` is what it
    /// grants to the server, when `setup.lease` is set.
    #[must_use]
    pub fn client(
        framing: Framing,
        limits: Arc<Limits>,
        lease: Option<LeaseGrant>,
        setup: &ClientSetup,
        now: Instant,
    ) -> Self {
        let phase = Phase::Open { established: false };
        let mut client = Self::new(framing, limits, lease, phase, false);
        let frame = setup.to_frame();
        // The times as the wire says them: those asked for may be beyond it (R-KA-12).
        let times = [frame.keepalive_ms, frame.lifetime_ms];
        let [keepalive, lifetime] = times.map(|ms| Duration::from_millis(ms.into()));
        client.output.control(StreamId::CONNECTION, Body::Setup(frame));
        client.keepalive = Some(Keepalive::client(keepalive, lifetime, now));
        if setup.lease {
            client.held = Held::Waiting;
            client.grant_lease(now);
        }
        client
    }

    fn new(
        framing: Framing,
        limits: Arc<Limits>,
        lease: Option<LeaseGrant>,
        phase: Phase,
        is_server: bool,
    ) -> Self {
        Self {
            output: Output::new(framing, limits.write_budget),
            limits,
            table: Table::default(),
            outgoing: None,
            fragment_due: false,
            responses: VecDeque::new(),
            large_responses: VecDeque::new(),
            responses_bytes: 0,
            grants: Vec::new(),
            held_bytes: 0,
            reassemblies: VecDeque::new(),
            granted: None,
            held: Held::NotNegotiated,
            next_id: StreamId::new(if is_server { 2 } else { 1 }),
            events: VecDeque::new(),
            stats: Stats::default(),
            draining: None,
            is_server,
            lease,
            keepalive: None,
            phase,
        }
    }

    // ---- input -------------------------------------------------------------------------------

    /// One whole frame arrived, without its framing. To be called only while
    /// [`wants_frames`](Self::wants_frames).
    pub fn handle_frame(&mut self, now: Instant, frame: Bytes) {
        if let Some(keepalive) = &mut self.keepalive {
            keepalive.heard(now);
        }
        match &self.phase {
            Phase::AwaitingFirst { .. } => self.handle_first(now, frame),
            Phase::Open { .. } | Phase::PeerClosing { .. } => match decode(frame) {
                Ok(frame) => self.dispatch(now, frame),
                Err(error) => self.handle_malformed(&error),
            },
            Phase::Deciding { .. } | Phase::Closed => {
                debug_assert!(!self.wants_frames(), "a frame was handed in unasked");
            }
        }
    }

    /// What is left of the bytes cannot be framed: the stream position is lost.
    pub fn handle_framing_error(&mut self, error: &FramingError) {
        if !self.is_closed() {
            self.fail_with(error.to_string(), error.close_code());
        }
    }

    /// The transport ended, with or without a last frame cut short (R-WIRE-7, R-CLOSE-1).
    pub fn handle_eof(&mut self) {
        self.close(Cause::PeerClosed);
    }

    /// The peer's WebSocket layer said Ping or Close; neither is an RSocket frame (R-WS-5).
    pub fn handle_ping(&mut self, data: &[u8]) {
        if !self.is_closed() {
            self.output.pong(data);
        }
    }

    /// The peer began the WebSocket close handshake: it is answered, and that is the end (R-WS-5).
    pub fn handle_websocket_close(&mut self) {
        if !self.is_closed() {
            self.output.close(1000);
            self.close(Cause::PeerClosed);
        }
    }

    /// Time has passed [`poll_timeout`](Self::poll_timeout).
    pub fn handle_timeout(&mut self, now: Instant) {
        match self.phase {
            Phase::AwaitingFirst { deadline } if now >= deadline => {
                self.reject_late(&SetupRejection::invalid("no SETUP in time"), Deadline::Setup);
            }
            Phase::Deciding { deadline, .. } if now >= deadline => {
                let rejection = SetupRejection::rejected("not accepted in time: retry");
                self.reject_late(&rejection, Deadline::Acceptor);
            }
            Phase::PeerClosing { deadline } if now >= deadline => self.close_politely(),
            Phase::Open { .. } | Phase::PeerClosing { .. } => self.handle_clocks(now),
            Phase::AwaitingFirst { .. } | Phase::Deciding { .. } | Phase::Closed => {}
        }
    }

    fn handle_clocks(&mut self, now: Instant) {
        let takes_frames = self.wants_frames();
        if let Some(keepalive) = &mut self.keepalive {
            if !takes_frames {
                // Silence is our own doing while nothing is read; a peer that does not read either
                // is the driver's to end (R-LIM-11).
                keepalive.heard(now);
            }
            if keepalive.is_dead(now) {
                let message = "no frame for longer than the lifetime";
                self.error_frame(StreamId::CONNECTION, ErrorCode::CONNECTION_ERROR, message);
                self.output.close(1000);
                self.close(Cause::Timeout(Deadline::Keepalive));
                return;
            }
            // What the clocks say must not pile up in front of a peer that does not read.
            if keepalive.is_due(now) && !self.output.is_flooded() {
                let ping = KeepaliveFrame { respond: true, position: 0, data: Bytes::new() };
                self.output.control(StreamId::CONNECTION, Body::Keepalive(ping));
            }
        }
        if let Some(granted) = self.granted.as_mut().filter(|granted| now >= granted.renew_at()) {
            if self.output.is_flooded() {
                granted.postpone(now);
            } else {
                self.grant_lease(now);
            }
        }
        self.expire_reassemblies(now);
    }

    // ---- output ------------------------------------------------------------------------------

    /// What happened; to be called until it is empty.
    pub fn poll_event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// The next time that [`handle_timeout`](Self::handle_timeout) has something to do.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Instant> {
        match self.phase {
            Phase::AwaitingFirst { deadline } | Phase::Deciding { deadline, .. } => Some(deadline),
            Phase::Open { .. } => self.next_clock(),
            Phase::PeerClosing { deadline } => {
                Some(self.next_clock().map_or(deadline, |clock| clock.min(deadline)))
            }
            Phase::Closed => None,
        }
    }

    fn next_clock(&self) -> Option<Instant> {
        let keepalive = self.keepalive.as_ref().map(Keepalive::next_timeout);
        let lease = self.granted.as_ref().map(Granted::renew_at);
        [keepalive, lease, self.next_reassembly_deadline()].into_iter().flatten().min()
    }

    /// Bytes for the socket.
    #[must_use]
    pub fn output(&self) -> &[u8] {
        self.output.bytes()
    }

    /// The socket took this many bytes of [`output`](Self::output).
    pub fn advance(&mut self, taken: usize) {
        self.output.advance(taken);
    }

    /// Lends memory for the output of a turn, or takes it back: an idle connection holds none.
    pub fn lend_buffer(&mut self, spare: &mut BytesMut) {
        self.output.lend(spare);
    }

    /// Bytes of memory that the output holds, whether or not it is used.
    #[must_use]
    pub fn output_capacity(&self) -> usize {
        self.output.capacity()
    }

    /// Whether frames are taken now: not while the application decides about SETUP, not while
    /// answers fill the output or finished responses their limit, not after the end.
    #[must_use]
    pub fn wants_frames(&self) -> bool {
        match self.phase {
            // Pings may come before any SETUP, and so may their answers.
            Phase::AwaitingFirst { .. } => !self.output.is_flooded(),
            Phase::Open { .. } | Phase::PeerClosing { .. } => {
                !self.output.is_flooded() && self.responses_bytes < self.limits.responses_bytes_max
            }
            Phase::Deciding { .. } | Phase::Closed => false,
        }
    }

    /// Whether the connection is over and only its output is left to write.
    #[must_use]
    pub const fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Streams of either side that are live.
    #[must_use]
    pub fn live_streams(&self) -> usize {
        self.table.live_ids()
    }

    /// Takes the counters gathered since the last call.
    pub fn take_stats(&mut self) -> Stats {
        let frames_out = self.output.take_frame_counts();
        Stats { frames_out, ..std::mem::take(&mut self.stats) }
    }

    // ---- verbs -------------------------------------------------------------------------------

    /// The application accepts the client of [`Event::Setup`].
    pub fn accept(&mut self, now: Instant) {
        let Phase::Deciding { setup, .. } = self.phase else { return };
        self.phase = Phase::Open { established: true };
        let millis = |ms: u32| Duration::from_millis(ms.into());
        self.keepalive = Some(Keepalive::server(
            millis(setup.keepalive_ms),
            millis(setup.lifetime_ms),
            self.limits.lifetime_min,
            now,
        ));
        if setup.lease {
            self.held = Held::Waiting;
            self.grant_lease(now);
        }
    }

    /// The application, or a full server, refuses the client. Also before any SETUP arrived.
    pub fn reject(&mut self, rejection: SetupRejection) {
        match self.phase {
            Phase::AwaitingFirst { .. } | Phase::Deciding { .. } => {
                let SetupRejection { code, message } = rejection;
                // No other code is an answer to SETUP (R-SETUP-10).
                let code = if code.is_setup() { code } else { ErrorCode::REJECTED_SETUP };
                self.error_frame(StreamId::CONNECTION, code, &message);
                self.output.close(if code == ErrorCode::INVALID_SETUP { 1002 } else { 1000 });
                self.close(Cause::Refused { code, message });
            }
            Phase::Open { .. } | Phase::PeerClosing { .. } | Phase::Closed => {}
        }
    }

    fn reject_late(&mut self, rejection: &SetupRejection, deadline: Deadline) {
        self.error_frame(StreamId::CONNECTION, rejection.code, &rejection.message);
        self.output.close(1000);
        self.close(Cause::Timeout(deadline));
    }

    /// From now on new requests are refused as retryable, with this text (R-CLOSE-3).
    pub fn drain_requests(&mut self, message: String) {
        self.draining = Some(message);
    }

    /// Ends the connection in good order: CONNECTION_CLOSE, then nothing (R-CLOSE-3).
    pub fn finish(&mut self, message: &str) {
        if !self.is_closed() {
            self.error_frame(StreamId::CONNECTION, ErrorCode::CONNECTION_CLOSE, message);
            self.output.close(1000);
            self.close(Cause::Closed);
        }
    }

    /// Ends the connection because of something that the driver saw; says nothing to the peer.
    pub fn abort(&mut self, cause: Cause) {
        self.close(cause);
    }

    // ---- dispatch ----------------------------------------------------------------------------

    fn handle_first(&mut self, now: Instant, bytes: Bytes) {
        if bytes.len() > self.limits.setup_bytes_max {
            let max = self.limits.setup_bytes_max;
            self.reject(SetupRejection::invalid(format!("SETUP is longer than {max} bytes")));
            return;
        }
        let first = decode(bytes).map_err(|error| reject_malformed(&error)).and_then(|frame| {
            self.count_in(&frame);
            check_first(frame, self.lease.is_some(), self.limits.keepalive_min)
        });
        match first {
            Ok(setup) => self.decide(now, setup),
            Err(rejection) => self.reject(rejection),
        }
    }

    fn decide(&mut self, now: Instant, setup: Setup) {
        let Setup { keepalive_ms, lifetime_ms, lease, .. } = setup;
        let deadline = now + self.limits.acceptor_timeout;
        let announced = Announced { keepalive_ms, lifetime_ms, lease };
        self.phase = Phase::Deciding { deadline, setup: announced };
        self.events.push_back(Event::Setup(setup));
    }

    /// After the peer's CONNECTION_CLOSE the last stream takes the connection with it (R-ERR-5).
    pub(super) fn close_if_idle(&mut self) {
        if matches!(self.phase, Phase::PeerClosing { .. }) && self.table.live_ids() == 0 {
            self.close_politely();
        }
    }

    fn close_politely(&mut self) {
        self.output.close(1000);
        self.close(Cause::Closed);
    }

    /// Whether this side may still open streams.
    pub(super) const fn may_request(&self) -> bool {
        matches!(self.phase, Phase::Open { .. })
    }

    /// Whether the peer opens streams under this id (R-SID-1).
    pub(super) const fn is_peers_id(&self, id: StreamId) -> bool {
        id.is_odd() == self.is_server
    }

    fn grant_lease(&mut self, now: Instant) {
        let frame = match (&mut self.granted, self.lease) {
            (Some(granted), _) => granted.renew(now),
            (None, Some(grant)) => {
                let (granted, frame) = Granted::new(grant, now);
                self.granted = Some(granted);
                frame
            }
            (None, None) => return,
        };
        self.stats.leases += 1;
        self.output.control(StreamId::CONNECTION, Body::Lease(frame));
    }

    // ---- endings -----------------------------------------------------------------------------

    pub(super) fn ignore(&mut self) {
        self.stats.ignored += 1;
    }

    pub(super) fn count_in(&mut self, frame: &Frame) {
        if let Some(count) = self.stats.frames_in.get_mut(frame.frame_type().index()) {
            *count += 1;
        }
    }

    pub(super) fn fail(&mut self, message: &'static str) {
        self.fail_with(message.to_owned(), 1002);
    }

    /// The peer broke the protocol: one ERROR on stream 0, then nothing (R-CLOSE-2, R-CLOSE-5).
    pub(super) fn fail_with(&mut self, message: String, close_code: u16) {
        let code = match self.phase {
            Phase::AwaitingFirst { .. } | Phase::Deciding { .. } => ErrorCode::INVALID_SETUP,
            Phase::Open { .. } | Phase::PeerClosing { .. } | Phase::Closed => {
                ErrorCode::CONNECTION_ERROR
            }
        };
        self.error_frame(StreamId::CONNECTION, code, &message);
        self.output.close(close_code);
        self.close(Cause::Violation { code, message: message.into() });
    }

    /// An ERROR frame whose message is cut to the limit on a character boundary (R-ERR-11). On a
    /// stream it never says a code of the connection, nor a reserved one: a handler may hand on how
    /// a call of its own failed (R-ERR-2, R-ERR-9).
    pub(super) fn error_frame(&mut self, stream_id: StreamId, code: ErrorCode, message: &str) {
        let fits = stream_id.is_connection() || is_for_streams(code);
        let code = if fits { code } else { ErrorCode::APPLICATION_ERROR };
        let cut = message.floor_char_boundary(self.limits.error_message_bytes_max);
        let message = Bytes::copy_from_slice(message.get(..cut).unwrap_or_default().as_bytes());
        self.output.control(stream_id, Body::Error { code, message });
    }

    /// Ends every stream exactly once: those that this side requested find the error in their
    /// input, served ones count as lost (R-CLOSE-4).
    pub(super) fn close(&mut self, cause: Cause) {
        if self.is_closed() {
            return;
        }
        self.phase = Phase::Closed;
        self.outgoing = None;
        self.responses = VecDeque::new();
        self.large_responses = VecDeque::new();
        self.responses_bytes = 0;
        self.grants = Vec::new();
        self.reassemblies = VecDeque::new();
        self.lose_streams(&cause);
        self.events.push_back(Event::Closed(cause));
    }

    fn lose_streams(&mut self, cause: &Cause) {
        let keys: Vec<StreamKey> = self.table.keys().collect();
        for key in keys {
            let Some(stream) = self.table.get_mut(key) else { continue };
            stream.outbound = super::stream::Outbound::Done;
            match stream.side {
                Side::Responder => {
                    stream.terminal = Some(Terminal::ConnectionLost);
                    self.held_bytes -= stream.inbound.drop_all().min(self.held_bytes);
                    self.settle(key);
                }
                Side::Requester => {
                    let dropped = stream.inbound.end(Some(cause.to_stream_error()));
                    self.held_bytes -= dropped.min(self.held_bytes);
                    self.events.push_back(Event::Input(key));
                    self.settle(key);
                }
            }
        }
    }
}

/// The codes that a stream may end with (R-ERR-2); JavaScript clients close the connection on those
/// above 0x7FFFFFFF (R-ERR-9).
const fn is_for_streams(code: ErrorCode) -> bool {
    matches!(code.0, 0x201..=0x204 | 0x301..=0x7FFF_FFFF)
}
