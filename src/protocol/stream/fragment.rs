//! Fragments: cutting a large payload up as the socket drains, and joining the peer's.

use std::time::Instant;

use bytes::{Bytes, BytesMut};

use super::super::{Interaction, Limits, StreamKey};
use crate::wire::{Body, Frame, Payload, StreamId};

/// The frame that opens the fragmented payload.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Opening {
    /// A request and its initial N, where the interaction has one.
    Request(Interaction, u32),
    /// An item of a live stream.
    Item,
}

/// A payload larger than the write budget, held by reference and sent one fragment at a time.
///
/// Fragments carry N, the last one C with it when the half is complete (R-FRAG-8, R-FRAG-9);
/// metadata goes first and starts in the first fragment (R-FRAG-2, R-FRAG-18).
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) key: StreamKey,
    pub(crate) stream_id: StreamId,
    /// The half ends with this item.
    pub(crate) complete: bool,
    /// The frame type of the first fragment, until it is written.
    opening: Option<Opening>,
    is_request: bool,
    metadata: Option<Bytes>,
    data: Bytes,
}

impl Outgoing {
    pub(crate) fn item(key: StreamKey, stream_id: StreamId, payload: Payload) -> Self {
        Self::new(key, stream_id, Opening::Item, payload)
    }

    pub(crate) fn new(
        key: StreamKey,
        stream_id: StreamId,
        opening: Opening,
        payload: Payload,
    ) -> Self {
        let Payload { metadata, data } = payload;
        let is_request = matches!(opening, Opening::Request(..));
        Self { key, stream_id, complete: false, opening: Some(opening), is_request, metadata, data }
    }

    /// Whether it is a request, not an item of a live stream.
    pub(crate) const fn is_request(&self) -> bool {
        self.is_request
    }

    /// Whether completion still needs a frame of its own after the last fragment.
    pub(crate) const fn owes_complete(&self) -> bool {
        self.complete && self.is_request
    }

    /// The next fragment, of at most `frame_len` bytes without framing, and whether it is the last.
    pub(crate) fn next_fragment(&mut self, frame_len: usize) -> (Frame, bool) {
        let opening = self.opening.take();
        let has_n = match opening {
            Some(Opening::Request(interaction, _)) => match interaction {
                Interaction::RequestStream | Interaction::RequestChannel => true,
                Interaction::RequestResponse | Interaction::FireAndForget => false,
            },
            Some(Opening::Item) | None => false,
        };
        let payload = self.cut(frame_len.saturating_sub(if has_n { 10 } else { 6 }));
        let last = self.metadata.is_none() && self.data.is_empty();
        let body = self.body(opening, payload, !last);
        (Frame { stream_id: self.stream_id, body }, last)
    }

    /// Takes up to `space` bytes, metadata first; its length field counts.
    fn cut(&mut self, mut space: usize) -> Payload {
        let metadata = self.metadata.take().map(|mut rest| {
            space = space.saturating_sub(3);
            let part = rest.split_to(rest.len().min(space));
            space -= part.len();
            self.metadata = Some(rest).filter(|rest| !rest.is_empty());
            part
        });
        let len = if self.metadata.is_some() { 0 } else { self.data.len().min(space) };
        Payload { metadata, data: self.data.split_to(len) }
    }

    fn body(&self, opening: Option<Opening>, payload: Payload, follows: bool) -> Body {
        match opening {
            Some(Opening::Request(interaction, initial_n)) => match interaction {
                Interaction::RequestResponse => Body::RequestResponse { follows, payload },
                Interaction::FireAndForget => Body::RequestFireAndForget { follows, payload },
                Interaction::RequestStream => Body::RequestStream { follows, initial_n, payload },
                // C never rides on a fragmented REQUEST_CHANNEL (R-CHN-15).
                Interaction::RequestChannel => {
                    Body::RequestChannel { follows, complete: false, initial_n, payload }
                }
            },
            Some(Opening::Item) | None => Body::Payload {
                follows,
                // A channel whose first item is its only one says so in a frame of its own
                // (R-CHN-15).
                complete: self.complete && !follows && !self.is_request,
                next: true,
                payload,
            },
        }
    }
}

/// Why an item in reassembly was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Larger than [`Limits::item_bytes_max`] or the connection's share (R-LIM-2, R-LIM-3).
    TooLarge,
    /// More fragments, or more empty ones, than allowed (R-LIM-6).
    TooMany,
    /// Metadata after data (R-FRAG-7).
    LateMetadata,
    /// The next fragment did not come in time (R-LIM-4).
    TimedOut,
}

/// An item that arrives in fragments. It grows with the bytes received, never by a claim.
#[derive(Debug)]
pub(crate) struct Reassembly {
    metadata: Option<BytesMut>,
    data: BytesMut,
    fragments: u32,
    empty: u32,
    /// When it is given up, unless another fragment comes (R-LIM-4).
    pub(crate) deadline: Instant,
    /// C was seen on the request itself (R-CHN-15).
    pub(crate) complete: bool,
}

impl Reassembly {
    pub(crate) fn new(deadline: Instant) -> Self {
        Self {
            metadata: None,
            data: BytesMut::new(),
            fragments: 0,
            empty: 0,
            deadline,
            complete: false,
        }
    }

    /// Joins one more fragment; `last` ones may be empty (R-FRAG-20).
    pub(crate) fn join(
        &mut self,
        part: &Payload,
        last: bool,
        limits: &Limits,
    ) -> Result<(), Fault> {
        self.fragments += 1;
        if part.is_empty() && !last {
            self.empty += 1;
        }
        if self.fragments > limits.fragments_max || self.empty > limits.empty_fragments_max {
            return Err(Fault::TooMany);
        }
        if self.len() + part.len() > limits.item_bytes_max {
            return Err(Fault::TooLarge);
        }
        if let Some(metadata) = &part.metadata {
            if !self.data.is_empty() {
                return Err(Fault::LateMetadata);
            }
            self.metadata.get_or_insert_default().extend_from_slice(metadata);
        }
        self.data.extend_from_slice(&part.data);
        Ok(())
    }

    /// Bytes held.
    pub(crate) fn len(&self) -> usize {
        self.metadata.as_ref().map_or(0, BytesMut::len) + self.data.len()
    }

    pub(crate) fn finish(self) -> Payload {
        Payload { metadata: self.metadata.map(BytesMut::freeze), data: self.data.freeze() }
    }
}
