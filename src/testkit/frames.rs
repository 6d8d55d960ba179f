//! Frames as a test names them.

use bytes::Bytes;

use crate::wire::{Body, ErrorCode, Frame, Keepalive, Payload, Setup, StreamId};

/// A payload without metadata.
#[must_use]
pub fn payload(data: &'static str) -> Payload {
    Payload::new(data)
}

/// SETUP as most clients send it: 20 s and 90 s, JSON, no lease.
#[must_use]
pub fn setup() -> Frame {
    let setup = Setup {
        version: (1, 0),
        keepalive_ms: 20_000,
        lifetime_ms: 90_000,
        lease: false,
        resume_token: None,
        metadata_mime: Bytes::from_static(b"message/x.rsocket.composite-metadata.v0"),
        data_mime: Bytes::from_static(b"application/json"),
        payload: Payload::default(),
    };
    Frame::new(StreamId::CONNECTION, Body::Setup(setup))
}

/// REQUEST_RESPONSE in one frame.
#[must_use]
pub fn request(id: u32, data: &'static str) -> Frame {
    let body = Body::RequestResponse { follows: false, payload: payload(data) };
    Frame::new(StreamId::new(id), body)
}

/// REQUEST_FNF in one frame.
#[must_use]
pub fn fnf(id: u32, data: &'static str) -> Frame {
    let body = Body::RequestFireAndForget { follows: false, payload: payload(data) };
    Frame::new(StreamId::new(id), body)
}

/// REQUEST_STREAM in one frame.
#[must_use]
pub fn stream(id: u32, initial_n: u32) -> Frame {
    let body = Body::RequestStream { follows: false, initial_n, payload: Payload::default() };
    Frame::new(StreamId::new(id), body)
}

/// REQUEST_CHANNEL in one frame, open on both halves.
#[must_use]
pub fn channel(id: u32, initial_n: u32, data: &'static str) -> Frame {
    let payload = payload(data);
    let body = Body::RequestChannel { follows: false, complete: false, initial_n, payload };
    Frame::new(StreamId::new(id), body)
}

/// PAYLOAD with these flags: some of `F`, `C`, `N`.
#[must_use]
pub fn item(id: u32, flags: &str, data: &'static str) -> Frame {
    let body = Body::Payload {
        follows: flags.contains('F'),
        complete: flags.contains('C'),
        next: flags.contains('N'),
        payload: payload(data),
    };
    Frame::new(StreamId::new(id), body)
}

/// REQUEST_N.
#[must_use]
pub fn request_n(id: u32, n: u32) -> Frame {
    Frame::new(StreamId::new(id), Body::RequestN { n })
}

/// CANCEL.
#[must_use]
pub fn cancel(id: u32) -> Frame {
    Frame::new(StreamId::new(id), Body::Cancel)
}

/// ERROR.
#[must_use]
pub fn error(id: u32, code: ErrorCode, message: &'static str) -> Frame {
    let message = Bytes::from_static(message.as_bytes());
    Frame::new(StreamId::new(id), Body::Error { code, message })
}

/// KEEPALIVE on stream 0.
#[must_use]
pub fn keepalive(respond: bool, data: &'static str) -> Frame {
    let data = Bytes::from_static(data.as_bytes());
    let keepalive = Keepalive { respond, position: 0, data };
    Frame::new(StreamId::CONNECTION, Body::Keepalive(keepalive))
}

/// The same request or item with F set: more fragments follow.
#[must_use]
pub fn follows(mut frame: Frame) -> Frame {
    match &mut frame.body {
        Body::RequestResponse { follows, .. }
        | Body::RequestFireAndForget { follows, .. }
        | Body::RequestStream { follows, .. }
        | Body::RequestChannel { follows, .. }
        | Body::Payload { follows, .. } => *follows = true,
        body => panic!("{body:?} is never fragmented"),
    }
    frame
}

/// The same REQUEST_CHANNEL or PAYLOAD with C set.
#[must_use]
pub fn completes(mut frame: Frame) -> Frame {
    match &mut frame.body {
        Body::RequestChannel { complete, .. } | Body::Payload { complete, .. } => *complete = true,
        body => panic!("{body:?} has no C"),
    }
    frame
}

/// The same request or item with metadata.
#[must_use]
pub fn tagged(mut frame: Frame, metadata: &'static str) -> Frame {
    match &mut frame.body {
        Body::RequestResponse { payload, .. }
        | Body::RequestFireAndForget { payload, .. }
        | Body::RequestStream { payload, .. }
        | Body::RequestChannel { payload, .. }
        | Body::Payload { payload, .. } => payload.metadata = Some(metadata.into()),
        body => panic!("{body:?} has no payload"),
    }
    frame
}
