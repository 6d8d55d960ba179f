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

use crate::protocol::{Interaction, Limits, NewRequest, RequestRefused, StreamKey};
use crate::testkit::Script;
use crate::wire::Payload;

fn new_request(interaction: Interaction, initial_n: u32) -> NewRequest {
    NewRequest { interaction, payload: Payload::new("first"), initial_n, complete: false }
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
