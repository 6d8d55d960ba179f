//! The client against a scripted responder in memory, in virtual time.

mod channel;
mod codec;
mod handshake;
pub(super) mod responder;
mod stream;
