//! The driver over memory, in virtual time.

use std::sync::Arc;
use std::task::Context;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::protocol::{
    Handler, Interaction, Items, Pause, Quota, Reply, Request, Source, StreamError,
};
use crate::wire::{Body, Deframer, Frame, Inbound, Payload, Setup, StreamId, decode};

struct Echo;

impl Handler for Echo {
    fn request(&mut self, request: Request) -> Reply {
        match request.interaction {
            Interaction::RequestResponse => Reply::Ready(Ok(Some(request.payload))),
            Interaction::FireAndForget => Reply::Effect(None),
            Interaction::RequestStream => Reply::Source(Box::new(Endless { next: 0 })),
            Interaction::RequestChannel => Reply::Refused(StreamError::invalid("no channels")),
        }
    }
}

struct Endless {
    next: u64,
}

impl Source for Endless {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        loop {
            let text = format!("{:0128}", self.next);
            if let Some(pause) = items.push_parts(None, &[text.as_bytes()]).pause() {
                return pause;
            }
            self.next += 1;
        }
    }
}

fn accept() -> Accept {
    Arc::new(|_| Box::pin(async { Ok(Box::new(Echo) as Box<dyn Handler>) }))
}

fn setup() -> Frame {
    let setup = Setup {
        version: (1, 0),
        keepalive_ms: 20_000,
        lifetime_ms: 90_000,
        lease: false,
        resume_token: None,
        metadata_mime: Bytes::from_static(b"application/binary"),
        data_mime: Bytes::from_static(b"application/json"),
        payload: Payload::default(),
    };
    Frame::new(StreamId::CONNECTION, Body::Setup(setup))
}

/// A peer that writes and reads raw frames.
struct Peer {
    socket: MemorySocket,
    buffer: BytesMut,
    deframer: Deframer,
}

impl Peer {
    fn start(options: &Options) -> (Self, tokio::task::JoinHandle<crate::protocol::Cause>) {
        let (socket, other) = memory_pair(64 << 10);
        let driver = Driver::server(other, Kind::Stream, BytesMut::new(), options, accept(), None);
        let deframer = Deframer::length_prefix(1 << 24);
        (Self { socket, buffer: BytesMut::new(), deframer }, tokio::spawn(driver))
    }

    async fn send(&mut self, frames: &[Frame]) {
        let mut out = BytesMut::new();
        for frame in frames {
            let mut framing = crate::wire::Framing::LengthPrefix;
            framing.encode(&mut out, frame.encoded_len(), |out| frame.encode(out));
        }
        self.socket.write_all(&out).await.unwrap();
    }

    async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.deframer.next(&mut self.buffer).unwrap() {
                Some(Inbound::Frame(frame)) => return Some(decode(frame).unwrap()),
                Some(_) => {}
                None => {
                    if self.socket.read_buf(&mut self.buffer).await.unwrap() == 0 {
                        return None;
                    }
                }
            }
        }
    }

    async fn silent(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.next()).await.is_err()
    }
}

fn stream(id: u32, initial_n: u32) -> Frame {
    let payload = Payload::default();
    Frame::new(StreamId::new(id), Body::RequestStream { follows: false, initial_n, payload })
}

#[tokio::test(start_paused = true)]
async fn a_response_comes_back() {
    let (mut peer, _driver) = Peer::start(&Options::default());
    let payload = Payload::with_metadata("m", "d");
    let request = Body::RequestResponse { follows: false, payload: payload.clone() };
    peer.send(&[setup(), Frame::new(StreamId::new(1), request)]).await;
    let expected = Body::Payload { follows: false, complete: true, next: true, payload };
    assert_eq!(peer.next().await.unwrap(), Frame::new(StreamId::new(1), expected));
}

#[tokio::test(start_paused = true)]
async fn credit_is_exact() {
    let (mut peer, _driver) = Peer::start(&Options::default());
    peer.send(&[setup(), stream(1, 5)]).await;
    for _ in 0..5 {
        assert!(matches!(peer.next().await.unwrap().body, Body::Payload { next: true, .. }));
    }
    assert!(peer.silent(Duration::from_secs(2)).await);
    peer.send(&[Frame::new(StreamId::new(1), Body::RequestN { n: 3 })]).await;
    for _ in 0..3 {
        assert!(matches!(peer.next().await.unwrap().body, Body::Payload { next: true, .. }));
    }
    assert!(peer.silent(Duration::from_secs(2)).await);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_stops_is_closed_after_the_write_stall() {
    let options = Options { write_stall: Duration::from_secs(10), ..Options::default() };
    let (mut peer, driver) = Peer::start(&options);
    peer.send(&[setup(), stream(1, 0x7FFF_FFFF)]).await;
    let cause = driver.await.unwrap();
    assert_eq!(cause, crate::protocol::Cause::Timeout(crate::protocol::Deadline::WriteStall));
}
