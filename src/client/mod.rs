//! The requester: connects, asks, follows.
//!
//! [`connect()`] opens a [`Client`] over TCP or WebSocket; [`Client::over`] makes one of any
//! socket. Its calls are thin: a stream is a [`Subscription`] whose credit the caller grants, a
//! channel adds a [`Sender`] that waits for the responder's credit. The connection itself is driven
//! by a task of its own (see [`transport`](crate::transport)); caller and task meet in one short
//! lock per *run* of items, never per item.
//!
//! Invariants: nothing is asked for that the caller did not grant; what waits for the caller is
//! bounded by that grant and by a number of bytes; dropping a handle cancels what it stands for.
//!
//! Not here: serving requests (a [`Handler`](crate::protocol::Handler) may be handed in), retrying
//! and resuming, TLS.

mod call;
mod call_args;
mod connect;
mod error;
mod handle;
mod inbox;
mod media;
mod metadata;
mod options;
mod outbox;
mod response;
mod subscription;
#[cfg(test)]
mod tests;
mod websocket;

pub use call::run_call;
pub use call_args::{CallArgs, CallData, CallInteraction, CallUrl};
pub use connect::connect;
pub use error::{CallError, ConnectError, SendError};
pub use handle::Client;
pub use metadata::Metadata;
pub use options::Options;
pub use outbox::Sender;
pub use subscription::Subscription;
