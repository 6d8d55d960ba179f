//! The pull contract between a connection and the application's half of a stream.

use std::task::Context;
use std::time::Instant;

use super::{Input, Items, StreamError};

/// The application's half of one live interaction: it fills our outbound half and drains the
/// peer's. It is polled by its connection's own task and needs no lock.
///
/// Both methods register `cx`'s waker when they have nothing more to do. They are called again when
/// that waker fires, when the peer grants credit, when room returns, when a pace ends, and
/// (`poll_drain`) when something arrived.
pub trait Source: Send {
    /// Writes at most `quota.items` items into `items` and says why it stopped.
    ///
    /// Called with an empty quota when it wakes without credit or room, so that it can end or fail
    /// without either (R-REQN-8, R-STR-4). After [`Pause::Done`] or [`Pause::Failed`] it is not
    /// filled again.
    fn poll_fill(&mut self, cx: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause;

    /// Takes what the peer sent: a channel's items, or the items of an interaction that this side
    /// requested. The default is not to be interested, which cancels the peer's half.
    fn poll_drain(&mut self, _cx: &mut Context<'_>, input: &mut Input<'_>) {
        input.cancel();
    }

    /// The peer of a channel that this side requested takes no more items from it (R-CHN-12).
    /// `poll_fill` is not called again; the peer's own items go on.
    fn outbound_cancelled(&mut self) {}
}

/// How much a [`Source`] may write now: `min(credit, room)` in its two units.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Items that the reader's credit allows, [`u64::MAX`] when it asked for everything.
    pub items: u64,
    /// Bytes left in the connection's write budget.
    pub bytes: usize,
    /// The time of this poll, for sources that pace themselves.
    pub now: Instant,
}

/// Why a [`Source`] stopped writing. Each pause names the one event that ends it.
#[derive(Debug)]
pub enum Pause {
    /// Nothing more to say now: ended by the waker of the source.
    CaughtUp,
    /// The reader's credit is used up: ended by REQUEST_N.
    NoCredit,
    /// The connection's write budget is used up: ended by the socket taking bytes.
    Congested,
    /// It keeps a least interval between two items: ended by that time.
    Paced(Instant),
    /// It has no more items: the stream completes.
    Done,
    /// It failed: the stream ends with this error.
    Failed(StreamError),
}
