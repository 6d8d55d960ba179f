//! The driver over memory, in virtual time.

mod bounds;
mod closing;
mod credit;
mod drain;
mod requester;
mod websocket;

use std::sync::Arc;
use std::task::Context;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;

use super::*;
use crate::protocol::{
    Cause, Handler, Input, Interaction, Items, Next, Pause, Quota, Reply, Request, Source,
    StreamError,
};
use crate::testkit::setup;
use crate::wire::{Body, Deframer, Frame, Framing, Inbound, Masking, Payload, decode};

/// Serves what the data of a request names.
struct Service;

impl Handler for Service {
    fn request(&mut self, request: Request) -> Reply {
        let data = request.payload.data.clone();
        match (request.interaction, &data[..]) {
            (_, b"panic") => panic!("as asked"),
            (Interaction::RequestResponse, b"never") => {
                Reply::Response(Box::pin(std::future::pending()))
            }
            (Interaction::RequestResponse, b"large") => {
                Reply::Ready(Ok(Some(Payload::new(vec![7; 3 << 20]))))
            }
            (Interaction::RequestResponse, _) => Reply::Ready(Ok(Some(request.payload))),
            (Interaction::FireAndForget, b"never") => {
                Reply::Effect(Some(Box::pin(std::future::pending())))
            }
            (Interaction::FireAndForget, b"later") => {
                let second = tokio::time::sleep(Duration::from_secs(1));
                Reply::Effect(Some(Box::pin(second)))
            }
            (Interaction::FireAndForget, _) => Reply::Effect(None),
            (Interaction::RequestStream, b"paced") => Reply::Source(Box::new(Paced(None))),
            (Interaction::RequestStream, b"three") => Reply::Source(Box::new(Count(0, 3))),
            (Interaction::RequestStream, b"fail") => Reply::Source(Box::new(Fail)),
            (Interaction::RequestStream, _) => Reply::Source(Box::new(Count(0, u64::MAX))),
            (Interaction::RequestChannel, _) => Reply::Source(Box::new(Slow::default())),
        }
    }
}

/// Items of 128 bytes, from a number to a limit.
struct Count(u64, u64);

impl Source for Count {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        while self.0 < self.1 {
            let text = format!("{:0128}", self.0);
            if let Some(pause) = items.push_parts(None, &[text.as_bytes()]).pause() {
                return pause;
            }
            self.0 += 1;
        }
        Pause::Done
    }
}

struct Fail;

impl Source for Fail {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, _: &mut Items<'_>) -> Pause {
        Pause::Failed(StreamError::application("as asked"))
    }
}

/// One item a second.
struct Paced(Option<Instant>);

impl Source for Paced {
    fn poll_fill(&mut self, _: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        let next = self.0.unwrap_or(quota.now);
        if quota.now < next {
            return Pause::Paced(next);
        }
        if let Some(pause) = items.push(&Payload::new("tick")).pause() {
            return pause;
        }
        let next = quota.now + Duration::from_secs(1);
        self.0 = Some(next);
        Pause::Paced(next)
    }
}

/// Takes one item every 100 ms, with a window of four, and sends nothing.
#[derive(Default)]
struct Slow {
    next: Option<Instant>,
    granted: bool,
    ended: bool,
}

impl Source for Slow {
    fn poll_fill(&mut self, _: &mut Context<'_>, quota: Quota, _: &mut Items<'_>) -> Pause {
        if self.ended {
            return Pause::Done;
        }
        let next = self.next.filter(|next| *next > quota.now);
        Pause::Paced(next.unwrap_or(quota.now + Duration::from_millis(100)))
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        if !self.granted {
            self.granted = true;
            input.request(4);
        }
        let now = tokio::time::Instant::now().into_std();
        if self.next.is_some_and(|next| now < next) {
            return;
        }
        match input.next() {
            Next::Item(_) => {
                self.next = Some(now + Duration::from_millis(100));
                input.request(1);
            }
            Next::Complete => self.ended = true,
            Next::Pending | Next::Failed(_) => {}
        }
    }
}

fn accept() -> Accept {
    Arc::new(|_| Box::pin(async { Ok(Box::new(Service) as Box<dyn Handler>) }))
}

/// A peer that writes and reads raw frames.
struct Peer {
    socket: MemorySocket,
    buffer: BytesMut,
    framing: Framing,
    deframer: Deframer,
}

impl Peer {
    /// A server with the usual options, and a peer that has sent SETUP.
    async fn connected(options: &Options) -> (Self, JoinHandle<Cause>) {
        let (mut peer, driver) = Self::start(options, Kind::Stream, None);
        peer.send(&[setup()]).await;
        (peer, driver)
    }

    fn start(
        options: &Options,
        kind: Kind,
        drain: Option<DrainSignal>,
    ) -> (Self, JoinHandle<Cause>) {
        let (socket, other) = memory_pair(64 << 10);
        let driver = Driver::server(other, kind, BytesMut::new(), options, accept(), drain);
        let (framing, deframer) = match kind {
            Kind::Stream => (Framing::LengthPrefix, Deframer::length_prefix(1 << 24)),
            Kind::WebSocketServer | Kind::WebSocketClient { .. } => (
                Framing::WebSocket(Masking::Client { seed: 1 }),
                Deframer::websocket(false, 1 << 24),
            ),
        };
        (Self { socket, buffer: BytesMut::new(), framing, deframer }, tokio::spawn(driver))
    }

    async fn send(&mut self, frames: &[Frame]) {
        let mut out = BytesMut::new();
        for frame in frames {
            self.framing.encode(&mut out, frame.encoded_len(), |out| frame.encode(out));
        }
        self.socket.write_all(&out).await.unwrap();
    }

    /// The next frame; `None` at the end of the connection.
    async fn next(&mut self) -> Option<Frame> {
        loop {
            match self.deframer.next(&mut self.buffer).unwrap() {
                Some(Inbound::Frame(frame)) => return Some(decode(frame).unwrap()),
                Some(Inbound::Ping(_) | Inbound::Pong | Inbound::Close(_)) => {}
                None => {
                    if self.socket.read_buf(&mut self.buffer).await.unwrap() == 0 {
                        return None;
                    }
                }
            }
        }
    }

    async fn items(&mut self, count: usize) {
        for number in 0..count {
            let frame = self.next().await;
            let body = frame.map(|frame| frame.body);
            let is_item = matches!(body, Some(Body::Payload { next: true, .. }));
            assert!(is_item, "item {number} of {count}: {body:?}");
        }
    }

    async fn is_silent(&mut self, time: Duration) -> bool {
        tokio::time::timeout(time, self.next()).await.is_err()
    }
}
