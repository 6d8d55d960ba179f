//! For tests: scripted peers in virtual time, without sockets or sleeps.

mod frames;
mod script;
mod transcript;

pub use frames::{
    cancel, channel, completes, error, fnf, follows, item, keepalive, payload, request, request_n,
    setup, stream, tagged,
};
pub use script::Script;
pub use transcript::text;
