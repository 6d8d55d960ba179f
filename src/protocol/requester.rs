//! What this side asks of the peer.

use std::time::Instant;

use bytes::Bytes;

use super::demand::FRAMING_MAX;
use super::stream::{Credit, Flow, Inbound, Opening, Outbound, Outgoing, Side, Stream, UNBOUNDED};
use super::{Connection, Interaction, RequestRefused, StreamKey};
use crate::wire::{Body, Frame, Payload, StreamId};

/// A request to send.
#[derive(Clone, Debug)]
pub struct NewRequest {
    /// How to ask.
    pub interaction: Interaction,
    /// Metadata and data; the first item of a channel.
    pub payload: Payload,
    /// Items asked for at once, 1 to 2^31-1 (which asks for everything); for streams and channels.
    pub initial_n: u32,
    /// On a channel: the first item is the only one (R-CHN-14).
    pub complete: bool,
}

/// Largest metadata that one payload may carry (R-META-5).
pub(super) const METADATA_MAX: usize = 0xFF_FFFF;

impl Connection {
    /// Sends a request and returns its stream; fire-and-forget has none, it is over when sent.
    ///
    /// # Errors
    /// See [`RequestRefused`]; nothing was sent and no lease unit was spent.
    pub fn request(
        &mut self,
        now: Instant,
        request: &NewRequest,
    ) -> Result<Option<StreamKey>, RequestRefused> {
        self.may_send(now, request)?;
        let (id, next_id) = self.free_id()?;
        let NewRequest { interaction, payload, initial_n, complete } = request;
        let frame = Self::request_frame(id, request);
        let framed = frame.encoded_len();
        let whole = framed <= self.output.budget() && framed <= self.output.frame_len_max();
        let fits = if whole {
            framed <= self.output.room()
        } else {
            // Its first fragment must leave at once: a request that is given up before it would
            // cancel an id that the peer never saw (R-CAN-6).
            let first = self.limits.fragment_len() + FRAMING_MAX;
            self.outgoing.is_none() && self.output.room() >= first
        };
        let is_idle = self.output.is_empty() && self.outgoing.is_none();
        if !fits && !is_idle {
            return Err(RequestRefused::Full);
        }
        let key = self.enlist(id, *interaction, *initial_n, *complete)?;
        self.next_id = next_id;
        self.held.spend();
        if whole {
            self.output.frame(&frame);
            if *interaction == Interaction::FireAndForget {
                self.table.remove(key);
                return Ok(None);
            }
        } else {
            let opening = Opening::Request(*interaction, *initial_n);
            let mut outgoing = Outgoing::new(key, id, opening, payload.clone());
            // Both end with the request itself; C of a channel follows in a frame of its own
            // (R-CHN-15), the others have no C to send.
            outgoing.complete = *complete && *interaction == Interaction::RequestChannel;
            self.outgoing = Some(outgoing);
            self.fragment_due = true;
            self.flush();
        }
        Ok(Some(key))
    }

    /// Sends METADATA_PUSH, which no one answers (R-MP-4). To peers that are known to cope only
    /// (R-MP-6).
    pub fn metadata_push(&mut self, metadata: Bytes) {
        if self.may_request() {
            self.output.control(StreamId::CONNECTION, Body::MetadataPush { metadata });
        }
    }

    fn may_send(&self, now: Instant, request: &NewRequest) -> Result<(), RequestRefused> {
        let NewRequest { interaction, payload, initial_n, .. } = request;
        let counts =
            matches!(interaction, Interaction::RequestStream | Interaction::RequestChannel);
        if !self.may_request() {
            return Err(RequestRefused::Closed);
        }
        if counts && !(1..=UNBOUNDED).contains(initial_n) {
            return Err(RequestRefused::Unsendable("initial n must be 1 to 2^31-1"));
        }
        if payload.metadata.as_ref().is_some_and(|metadata| metadata.len() > METADATA_MAX) {
            return Err(RequestRefused::Unsendable("metadata is longer than 16,777,215 bytes"));
        }
        if !self.held.allows(now) {
            return Err(RequestRefused::NoLease);
        }
        Ok(())
    }

    /// The next id of our parity that is not live, and the one to go on with when it was used;
    /// wraps, and never yields 0 (R-SID-4).
    fn free_id(&self) -> Result<(StreamId, StreamId), RequestRefused> {
        let mut id = self.next_id;
        for _ in 0..=self.table.live_ids() {
            let first = 2 - (id.get() & 1);
            let next = id.get().checked_add(2).filter(|next| *next <= UNBOUNDED).unwrap_or(first);
            let next = StreamId::new(next);
            if self.table.key_of(id).is_none() {
                return Ok((id, next));
            }
            id = next;
        }
        Err(RequestRefused::TooManyStreams)
    }

    fn request_frame(id: StreamId, request: &NewRequest) -> Frame {
        let NewRequest { interaction, payload, initial_n, complete } = request.clone();
        let body = match interaction {
            Interaction::RequestResponse => Body::RequestResponse { follows: false, payload },
            Interaction::FireAndForget => Body::RequestFireAndForget { follows: false, payload },
            Interaction::RequestStream => {
                Body::RequestStream { follows: false, initial_n, payload }
            }
            Interaction::RequestChannel => {
                Body::RequestChannel { follows: false, complete, initial_n, payload }
            }
        };
        Frame { stream_id: id, body }
    }

    fn enlist(
        &mut self,
        id: StreamId,
        interaction: Interaction,
        initial_n: u32,
        complete: bool,
    ) -> Result<StreamKey, RequestRefused> {
        let outbound = match interaction {
            Interaction::RequestChannel if !complete => Outbound::Open(Credit::NONE),
            Interaction::RequestChannel
            | Interaction::RequestResponse
            | Interaction::FireAndForget
            | Interaction::RequestStream => Outbound::Done,
        };
        let inbound = match interaction {
            Interaction::FireAndForget => Inbound::Done,
            Interaction::RequestResponse => Inbound::Open(Flow::new(Credit::ONE)),
            Interaction::RequestStream | Interaction::RequestChannel => {
                let mut flow = Flow::default();
                flow.grant(initial_n);
                Inbound::Open(flow)
            }
        };
        let stream = Stream::new(id, Side::Requester, interaction, outbound, inbound);
        self.table.insert(stream).ok_or(RequestRefused::TooManyStreams)
    }
}
