//! What a connection tells its driver.

use bytes::Bytes;

use super::{Cause, Request};
use crate::wire::Setup;

/// A stream of one connection, for as long as it lives; stale keys name nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamKey {
    slot: u32,
    generation: u32,
}

impl StreamKey {
    pub(super) const fn new(slot: u32, generation: u32) -> Self {
        Self { slot, generation }
    }

    /// Index into a dense table: small, and reused after the stream has gone.
    #[must_use]
    pub const fn slot(self) -> usize {
        self.slot as usize
    }

    pub(super) const fn index(self) -> u32 {
        self.slot
    }

    pub(super) const fn generation(self) -> u32 {
        self.generation
    }
}

/// Output of [`Connection::poll_event`](super::Connection::poll_event).
#[derive(Debug)]
pub enum Event {
    /// A client introduced itself: answer with `accept` or `reject`. No frame is taken until then.
    Setup(Setup),
    /// The peer opened a stream (not fire-and-forget): answer it under this key.
    Request(StreamKey, Request),
    /// A fire-and-forget request arrived whole; its stream is gone already (R-FNF-2).
    FireAndForget(Request),
    /// The peer granted credit on a stream that had none: fill it.
    Credit(StreamKey),
    /// Something arrived for a stream, or its inbound half ended: drain it.
    Input(StreamKey),
    /// The peer takes no more items of a channel that this side requested.
    OutboundCancelled(StreamKey),
    /// The stream is over and there is nothing left to take from it: drop its source.
    Ended(StreamKey),
    /// METADATA_PUSH arrived.
    MetadataPush(Bytes),
    /// The peer granted requests: those that wait for a lease may go (R-LEASE-13).
    Lease,
    /// The connection is over. Requests that this side made find their error in their input, served
    /// streams are to be dropped; what is left in the output is still to be written.
    Closed(Cause),
}
