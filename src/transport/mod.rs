//! Connections on sockets: one connection is one task.
//!
//! A [`Driver`] owns a socket and drives a session: the [`Connection`](crate::protocol::Connection)
//! with the sources of its streams, their wakers and the set of those that are ready. Each turn it
//! reads what is there and hands frames in, pulls *ready* sources in round robin for what credit
//! and room allow, writes once, and then waits for readable, writable, a source's waker, the timer,
//! or the server's drain. 10,000 idle streams cost a turn nothing.
//!
//! Read and write buffers belong to the thread and are lent for one poll; what stays with an idle
//! connection is an incomplete frame. The same driver serves TCP, WebSocket and memory: how frames
//! are framed is [`wire::Framing`](crate::wire::Framing)'s matter.
//!
//! Not here: listening, the HTTP handshake and limits over several connections (`server`), what a
//! request means (`routes`).

mod buffers;
mod driver;
mod memory;
mod options;
mod ready;
mod requester;
mod session;
mod tcp;
#[cfg(test)]
mod tests;
mod totals;
mod websocket;

pub use driver::Driver;
pub use memory::{MemorySocket, memory_pair};
pub use options::{Accept, AcceptFuture, DrainPlan, DrainSignal, Kind, Options};
pub use requester::Requester;
pub use tcp::{TcpOptions, prepare_stream};
pub use totals::{PauseReason, Totals};
pub use websocket::accept_key;
