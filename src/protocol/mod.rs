//! One RSocket connection as a value: no IO, no clock, no task.
//!
//! [`Connection`] owns everything that the two peers agreed on: the SETUP, the stream table, credit
//! in both directions, fragments, keepalive, leases, and the bytes that wait for the socket. It is
//! the same value for both roles. Whoever drives it (see `transport`) follows one law: *after one
//! mutation, drain every `poll_*`*.
//!
//! ```text
//!   bytes ─ Deframer ─▶ handle_frame ─▶ poll_event ─▶ Handler / Source      (the peer's frames)
//!   bytes ◀─ output ◀─ flush, fill ◀────────────────── Source, responses    (ours, by demand)
//!   time  ─ poll_timeout ─▶ handle_timeout
//! ```
//!
//! The application's half of a stream is a [`Source`]: it is pulled for items only while
//! `min(credit, room)` is above zero, so nothing is ever queued for a reader who does not read.
//!
//! Not here: sockets and wakers (`transport`), routing and media types (`routes`). RESUME is
//! refused (R-SETUP-8, R-RES-11); its place is `setup` for the first frame and `output` for
//! positions.
#![deny(clippy::disallowed_methods, clippy::wildcard_enum_match_arm, clippy::iter_over_hash_type)]

mod audit;
mod connection;
mod demand;
mod dispatch;
mod error;
mod event;
mod handler;
mod input;
mod items;
mod keepalive;
mod lease;
mod limits;
mod output;
mod payloads;
mod requester;
mod responder;
mod setup;
mod source;
mod stats;
mod stream;
#[cfg(test)]
mod tests;

pub use connection::Connection;
pub use demand::Filled;
pub use error::{Cause, Deadline, RequestRefused, StreamError};
pub use event::{Event, StreamKey};
pub use handler::{EffectFuture, Handler, Interaction, Reply, Request, ResponseFuture};
pub use input::{Input, Next};
pub use items::{Items, Pushed};
pub use lease::LeaseGrant;
pub use limits::Limits;
pub use requester::NewRequest;
pub use setup::{ClientSetup, SetupRejection};
pub use source::{Pause, Quota, Source};
pub use stats::{Stats, Terminal};
