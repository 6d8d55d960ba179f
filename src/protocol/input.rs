//! What the peer sent on one stream, handed to its [`Source`](super::Source) by demand.

use super::stream::{Inbound, Stream, UNBOUNDED};
use super::{Interaction, StreamError, StreamKey};
use crate::wire::Payload;

/// The inbound half of one stream for the time of one `poll_drain`. What it holds is bounded by the
/// credit that the source granted (R-REQN-15).
#[derive(Debug)]
pub struct Input<'a> {
    pub(super) stream: &'a mut Stream,
    pub(super) held_bytes: &'a mut usize,
    pub(super) grants: &'a mut Vec<StreamKey>,
    pub(super) key: StreamKey,
    pub(super) cancelled: bool,
}

/// The next thing that the peer said on a stream.
#[derive(Debug)]
pub enum Next {
    /// An item.
    Item(Payload),
    /// Nothing yet; `poll_drain` is called again when there is.
    Pending,
    /// The peer has no more items. Said once, then [`Next::Pending`].
    Complete,
    /// The stream failed. Said once, then [`Next::Pending`].
    Failed(StreamError),
}

impl Input<'_> {
    /// Takes the next item, or the end.
    #[allow(clippy::should_implement_trait, reason = "it is not an iterator: Pending is no end")]
    pub fn next(&mut self) -> Next {
        let next = self.stream.inbound.next();
        if let Next::Item(payload) = &next {
            *self.held_bytes = self.held_bytes.saturating_sub(payload.len());
            if let Some(n) = self.stream.inbound.top_up() {
                self.request(n);
            }
        }
        next
    }

    /// Grants the peer `n` more items (REQUEST_N). Grants add up; they are sent together at the end
    /// of the turn, split where they exceed what one field carries; 2^31-1 or more at once asks for
    /// everything (R-REQN-4, R-REQN-6). Nothing is sent when the peer's half
    /// has ended (R-REQN-13).
    pub fn request(&mut self, n: u32) {
        // A response has no credit (R-RR-6).
        let counts = self.stream.interaction != Interaction::RequestResponse;
        if n == 0 || !counts || !matches!(self.stream.inbound, Inbound::Open(_)) {
            return;
        }
        if self.stream.grant.is_empty() {
            self.grants.push(self.key);
        }
        self.stream.grant.grant(n.min(UNBOUNDED));
    }

    /// Whether the peer's half has ended and everything it said was taken.
    #[must_use]
    pub const fn is_done(&self) -> bool {
        matches!(self.stream.inbound, Inbound::Done)
    }

    /// Takes no more items. On an interaction that this side requested, that ends it (R-CAN-2); on
    /// a channel that this side serves, only the peer's half (R-CHN-12).
    pub fn cancel(&mut self) {
        self.cancelled = true;
    }
}
