//! For tests: scripted peers in virtual time, without sockets or sleeps.

mod frames;
mod script;

pub use frames::{
    cancel, channel, error, fnf, item, keepalive, payload, request, request_n, setup, stream,
};
pub use script::Script;
