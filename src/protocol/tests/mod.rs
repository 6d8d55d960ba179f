//! The rules of conformance sections 1.6 to 4.1, each by a test of its name.
//!
//! Frames are written as text, so that a test reads like a transcript: `1 N x` is an item of stream
//! 1, `1 C` its completion, `1 ERROR INVALID` an error, `1 REQUEST_N 3` a grant.

mod cancel;
mod channel;
mod clocks;
mod credit;
mod dispatch;
mod errors;
mod fire_and_forget;
mod fragment;
mod keepalive;
mod lease;
mod limits;
mod model;
mod pair;
mod payload;
mod response;
mod setup;
mod stream;
mod stream_ids;

use crate::protocol::{
    Event, Interaction, Limits, NewRequest, Next, Pause, RequestRefused, StreamError, StreamKey,
};
use crate::testkit::Script;
use crate::wire::{Body, Frame, Payload};

/// A frame as text.
fn text(frame: &Frame) -> String {
    let id = frame.stream_id.get();
    let data = |payload: &Payload| String::from_utf8_lossy(&payload.data).into_owned();
    let flag = |set: bool, name: &'static str| if set { name } else { "" };
    let said = match &frame.body {
        Body::Payload { follows, complete, next, payload } => {
            let flags = [flag(*follows, "F"), flag(*complete, "C"), flag(*next, "N")].concat();
            format!("{flags} {}", data(payload))
        }
        Body::Error { code, .. } => format!("ERROR {code}"),
        Body::RequestN { n } => format!("REQUEST_N {n}"),
        Body::Keepalive(keepalive) => {
            let data = String::from_utf8_lossy(&keepalive.data);
            format!("KEEPALIVE {} {data}", flag(keepalive.respond, "R"))
        }
        Body::Lease(lease) => format!("LEASE {} {}", lease.ttl_ms, lease.requests),
        Body::RequestStream { initial_n, .. } => format!("REQUEST_STREAM {initial_n}"),
        Body::RequestChannel { initial_n, complete, follows, .. } => {
            let flags = [flag(*follows, "F"), flag(*complete, "C")].concat();
            format!("REQUEST_CHANNEL {initial_n} {flags}")
        }
        Body::Setup(_)
        | Body::RequestResponse { .. }
        | Body::RequestFireAndForget { .. }
        | Body::Cancel
        | Body::MetadataPush { .. }
        | Body::Resume(_)
        | Body::ResumeOk { .. }
        | Body::Ext(_) => frame.frame_type().name().to_owned(),
    };
    format!("{id} {said}").trim().to_owned()
}

/// What was sent since the last look, as text.
fn sent(script: &mut Script) -> Vec<String> {
    script.sent().iter().map(text).collect()
}

/// What the connection reports, by kind.
fn events(script: &mut Script) -> Vec<&'static str> {
    script
        .events()
        .iter()
        .map(|event| match event {
            Event::Setup(_) => "setup",
            Event::Request(..) => "request",
            Event::FireAndForget(_) => "fire-and-forget",
            Event::Credit(_) => "credit",
            Event::Input(_) => "input",
            Event::OutboundCancelled(_) => "outbound cancelled",
            Event::Ended(_) => "ended",
            Event::MetadataPush(_) => "metadata push",
            Event::Lease => "lease",
            Event::Closed(_) => "closed",
        })
        .collect()
}

/// Writes at most `count` items `x`; how many were taken.
fn fill(script: &mut Script, key: StreamKey, count: u64) -> u64 {
    let filled = script.connection.fill(key, script.now, usize::MAX, |_, items| {
        for _ in 0..count {
            if let Some(pause) = items.push(&Payload::new("x")).pause() {
                return pause;
            }
        }
        Pause::CaughtUp
    });
    filled.map_or(0, |filled| filled.written)
}

/// The source of a stream fails.
fn fail(script: &mut Script, key: StreamKey) {
    let error = StreamError::application("broken");
    script.connection.fill(key, script.now, usize::MAX, |_, _| Pause::Failed(error));
}

/// Takes everything that the peer sent on a stream, as text.
fn drain(script: &mut Script, key: StreamKey) -> Vec<String> {
    let mut taken = Vec::new();
    script.connection.drain(key, |input| {
        loop {
            taken.push(match input.next() {
                Next::Item(payload) => String::from_utf8_lossy(&payload.data).into_owned(),
                Next::Complete => "complete".to_owned(),
                Next::Failed(error) => format!("failed {}", error.code),
                Next::Pending => return,
            });
        }
    });
    taken
}

fn grant(script: &mut Script, key: StreamKey, n: u32) {
    script.connection.drain(key, |input| input.request(n));
}

fn cancel_input(script: &mut Script, key: StreamKey) {
    script.connection.drain(key, |input| input.cancel());
}

fn new_request(interaction: Interaction, initial_n: u32) -> NewRequest {
    NewRequest { interaction, payload: Payload::new("first"), initial_n, complete: false }
}

/// This side requests; its key. What went out is not looked at.
fn ask(script: &mut Script, interaction: Interaction, initial_n: u32) -> StreamKey {
    let request = new_request(interaction, initial_n);
    let key = script.connection.request(script.now, &request).unwrap().unwrap();
    script.sent();
    key
}

fn try_ask(script: &mut Script) -> Result<Option<StreamKey>, RequestRefused> {
    script.connection.request(script.now, &new_request(Interaction::RequestResponse, 1))
}

fn server() -> Script {
    Script::server(Limits::default())
}

fn client() -> Script {
    Script::client(Limits::default())
}
