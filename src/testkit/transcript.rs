//! Both sides of a script as text, so that a test reads like a transcript: `1 N x` is an item of
//! stream 1, `1 C` its completion, `1 ERROR INVALID` an error, `1 REQUEST_N 3` a grant.

use super::Script;
use crate::protocol::{Event, Interaction, NewRequest, Next, Pause, StreamError, StreamKey};
use crate::wire::{Body, Frame, Payload};

/// Data longer than this is written as its length.
const SHOWN_MAX: usize = 16;

/// One frame as text.
#[must_use]
pub fn text(frame: &Frame) -> String {
    let flag = |set: bool, name: &'static str| if set { name } else { "" };
    let said = match &frame.body {
        Body::RequestResponse { follows, payload } => {
            format!("REQUEST_RESPONSE {} {}", flag(*follows, "F"), content(payload))
        }
        Body::RequestFireAndForget { follows, payload } => {
            format!("REQUEST_FNF {} {}", flag(*follows, "F"), content(payload))
        }
        Body::RequestStream { follows, initial_n, payload } => {
            let follows = flag(*follows, "F");
            format!("REQUEST_STREAM {initial_n} {follows} {}", content(payload))
        }
        Body::RequestChannel { follows, complete, initial_n, payload } => {
            let flags = [flag(*follows, "F"), flag(*complete, "C")].concat();
            format!("REQUEST_CHANNEL {initial_n} {flags} {}", content(payload))
        }
        Body::Payload { follows, complete, next, payload } => {
            let flags = [flag(*follows, "F"), flag(*complete, "C"), flag(*next, "N")].concat();
            format!("{flags} {}", content(payload))
        }
        Body::Error { code, .. } => format!("ERROR {code}"),
        Body::RequestN { n } => format!("REQUEST_N {n}"),
        Body::Keepalive(keepalive) => {
            let data = String::from_utf8_lossy(&keepalive.data);
            format!("KEEPALIVE {} {data}", flag(keepalive.respond, "R"))
        }
        Body::Lease(lease) => format!("LEASE {} {}", lease.ttl_ms, lease.requests),
        Body::Setup(_)
        | Body::Cancel
        | Body::MetadataPush { .. }
        | Body::Resume(_)
        | Body::ResumeOk { .. }
        | Body::Ext(_) => frame.frame_type().name().to_owned(),
    };
    let line = format!("{} {said}", frame.stream_id.get());
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Metadata in brackets, then data; long parts as their length.
fn content(payload: &Payload) -> String {
    let part = |bytes: &[u8]| match bytes.len() {
        ..=SHOWN_MAX => String::from_utf8_lossy(bytes).into_owned(),
        len => format!("{len}B"),
    };
    let metadata = payload.metadata.as_ref();
    let metadata = metadata.map_or(String::new(), |bytes| format!("[{}]", part(bytes)));
    metadata + &part(&payload.data)
}

/// What kind of event it is.
const fn kind(event: &Event) -> &'static str {
    match event {
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
    }
}

impl Script {
    /// What the connection sent since the last look.
    pub fn said(&mut self) -> Vec<String> {
        self.sent().iter().map(text).collect()
    }

    /// What the connection reported since the last look, by kind.
    pub fn heard(&mut self) -> Vec<&'static str> {
        self.events().iter().map(kind).collect()
    }

    /// The source of a stream offers this item `count` times; how many were taken.
    pub fn put(&mut self, key: StreamKey, item: &Payload, count: u64) -> u64 {
        let filled = self.connection.fill(key, self.now, usize::MAX, |_, items| {
            for _ in 0..count {
                if let Some(pause) = items.push(item).pause() {
                    return pause;
                }
            }
            Pause::CaughtUp
        });
        filled.map_or(0, |filled| filled.written)
    }

    /// Items that credit and room allow the source of a stream now.
    pub fn quota(&mut self, key: StreamKey) -> Option<u64> {
        let mut allowed = None;
        self.connection.fill(key, self.now, usize::MAX, |quota, _| {
            allowed = Some(quota.items);
            Pause::CaughtUp
        });
        allowed
    }

    /// The source of a stream has no more items.
    pub fn complete(&mut self, key: StreamKey) {
        self.connection.fill(key, self.now, usize::MAX, |_, _| Pause::Done);
    }

    /// The source of a stream offers a last item.
    pub fn put_last(&mut self, key: StreamKey, item: &Payload) {
        self.connection.fill(key, self.now, usize::MAX, |_, items| {
            match items.push(item).pause() {
                Some(pause) => pause,
                None => Pause::Done,
            }
        });
    }

    /// The source of a stream fails with APPLICATION_ERROR.
    pub fn fail(&mut self, key: StreamKey) {
        let error = StreamError::application("broken");
        self.connection.fill(key, self.now, usize::MAX, |_, _| Pause::Failed(error));
    }

    /// Takes all that the peer sent on a stream: the items as text, then `complete` or
    /// `failed CODE`.
    pub fn take(&mut self, key: StreamKey) -> Vec<String> {
        let mut taken = Vec::new();
        self.connection.drain(key, |input| {
            loop {
                taken.push(match input.next() {
                    Next::Item(payload) => content(&payload),
                    Next::Complete => "complete".to_owned(),
                    Next::Failed(error) => format!("failed {}", error.code),
                    Next::Pending => return,
                });
            }
        });
        taken
    }

    /// The application wants `n` more items of the peer.
    pub fn grant(&mut self, key: StreamKey, n: u32) {
        self.connection.drain(key, |input| input.request(n));
    }

    /// The application takes no more items of the peer.
    pub fn stop(&mut self, key: StreamKey) {
        self.connection.drain(key, |input| input.cancel());
    }

    /// The connection sends a request, which nobody looks at; its key.
    pub fn ask(&mut self, interaction: Interaction, initial_n: u32) -> StreamKey {
        let key = self.ask_with(interaction, initial_n, Payload::new("first"));
        self.sent();
        key
    }

    /// The connection sends a request with this payload; its key.
    pub fn ask_with(
        &mut self,
        interaction: Interaction,
        initial_n: u32,
        payload: Payload,
    ) -> StreamKey {
        let request = NewRequest { interaction, payload, initial_n, complete: false };
        let key = self.connection.request(self.now, &request).expect("it can be sent");
        key.expect("it has a stream")
    }
}
