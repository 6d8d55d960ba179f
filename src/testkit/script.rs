//! One connection under test and a peer that says exactly what the test says.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::BytesMut;

use super::frames;
use crate::protocol::{ClientSetup, Connection, Event, LeaseGrant, Limits, StreamKey};
use crate::wire::{Body, Deframer, Frame, Framing, Inbound, Payload, decode};

/// A connection, its virtual clock, and what it sent so far.
#[derive(Debug)]
pub struct Script {
    /// The connection under test.
    pub connection: Connection,
    /// The virtual time.
    pub now: Instant,
}

impl Script {
    /// A server that accepted the usual SETUP.
    #[must_use]
    pub fn server(limits: Limits) -> Self {
        let mut script = Self::raw_server(limits, None);
        script.receive(&frames::setup());
        assert!(matches!(script.events()[..], [Event::Setup(_)]), "SETUP was not accepted");
        script.connection.accept(script.now);
        script
    }

    /// A server that has received nothing.
    #[must_use]
    pub fn raw_server(limits: Limits, lease: Option<LeaseGrant>) -> Self {
        let now = Instant::now();
        let connection = Connection::server(Framing::LengthPrefix, Arc::new(limits), lease, now);
        Self { connection, now }
    }

    /// A client whose SETUP (20 s, 90 s) was sent and taken.
    #[must_use]
    pub fn client(limits: Limits) -> Self {
        let mut script = Self::raw_client(limits, false, None);
        let sent = script.sent();
        assert!(matches!(sent[..], [Frame { body: Body::Setup(_), .. }]), "no SETUP: {sent:?}");
        script
    }

    /// A client whose SETUP is still in its output.
    #[must_use]
    pub fn raw_client(limits: Limits, lease: bool, grant: Option<LeaseGrant>) -> Self {
        let now = Instant::now();
        let setup = ClientSetup {
            keepalive: Duration::from_secs(20),
            lifetime: Duration::from_secs(90),
            lease,
            metadata_mime: "message/x.rsocket.composite-metadata.v0".into(),
            data_mime: "application/json".into(),
            payload: Payload::default(),
        };
        let limits = Arc::new(limits);
        let connection = Connection::client(Framing::LengthPrefix, limits, grant, &setup, now);
        Self { connection, now }
    }

    /// The peer sends a frame.
    pub fn receive(&mut self, frame: &Frame) {
        let mut bytes = BytesMut::new();
        frame.encode(&mut bytes);
        self.connection.handle_frame(self.now, bytes.freeze());
    }

    /// The peer sends the bytes of one frame.
    pub fn receive_bytes(&mut self, bytes: &[u8]) {
        self.connection.handle_frame(self.now, bytes.to_vec().into());
    }

    /// What the connection reports.
    pub fn events(&mut self) -> Vec<Event> {
        std::iter::from_fn(|| self.connection.poll_event()).collect()
    }

    /// The peer sends a request; its key.
    pub fn open(&mut self, request: &Frame) -> StreamKey {
        self.receive(request);
        match &self.events()[..] {
            [Event::Request(key, _)] => *key,
            events => panic!("one request was expected, not {events:?}"),
        }
    }

    /// Everything that the connection sends now, as a socket that takes all would see it.
    pub fn sent(&mut self) -> Vec<Frame> {
        let mut bytes = BytesMut::new();
        loop {
            self.connection.flush();
            self.connection.flush_rest();
            if self.connection.output().is_empty() {
                break;
            }
            bytes.extend_from_slice(self.connection.output());
            let len = self.connection.output().len();
            self.connection.advance(len);
        }
        let mut deframer = Deframer::length_prefix(1 << 24);
        let mut frames = Vec::new();
        while let Some(inbound) = deframer.next(&mut bytes).expect("whole frames") {
            if let Inbound::Frame(frame) = inbound {
                frames.push(decode(frame).expect("a frame of ours"));
            }
        }
        frames
    }

    /// Time passes, deadline by deadline.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.connection.poll_timeout().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            self.connection.handle_timeout(self.now);
        }
        self.now = end;
    }
}
