//! For tests: scripted peers in virtual time, without sockets or sleeps.

mod frames;
mod pair;
mod script;
mod transcript;

pub use frames::{
    cancel, channel, completes, error, fnf, follows, item, keepalive, payload, request, request_n,
    setup, stream, tagged,
};
pub use pair::{Pair, Random};
pub use script::Script;
pub use transcript::text;
