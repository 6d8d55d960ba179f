//! What the peer asks of this side: requests, their credit, their end.

use std::time::Instant;

use super::stream::{Credit, Fault, Inbound, Outbound, Reassembly, Side, Stream};
use super::{Connection, Event, Interaction, Limits, Request, StreamError, StreamKey, Terminal};
use crate::wire::{Body, ErrorCode, Payload, StreamId};

/// A REQUEST_* frame, whichever of the four it is.
struct Opened {
    interaction: Interaction,
    follows: bool,
    complete: bool,
    /// Zero is refused; one for the single response of request/response.
    initial_n: u32,
    payload: Payload,
}

impl Connection {
    pub(super) fn handle_request(&mut self, now: Instant, id: StreamId, body: Body) {
        let Some(opened) = Opened::from_body(body) else { return };
        // On stream 0, or on an id that is live on either side: as if it had not come (R-SID-6).
        if id.is_connection() || self.table.key_of(id).is_some() {
            self.ignore();
            return;
        }
        if let Err(refusal) = self.admit(id, &opened) {
            self.stats.refused += 1;
            // The requester of a fire-and-forget has forgotten the id (R-FNF-1, R-ERR-12).
            if opened.interaction != Interaction::FireAndForget {
                self.error_frame(id, refusal.code, &refusal.message);
            }
            return;
        }
        if opened.follows {
            self.start_opening(now, id, &opened);
        } else {
            self.open(id, opened);
        }
    }

    /// Everything that may speak against a request before its handler hears of it.
    fn admit(&mut self, id: StreamId, opened: &Opened) -> Result<(), StreamError> {
        if !self.is_peers_id(id) {
            return Err(StreamError::invalid("this stream id belongs to the other side"));
        }
        if self.granted.as_mut().is_some_and(|granted| !granted.take()) {
            return Err(StreamError::rejected("beyond the lease: wait for the next LEASE"));
        }
        if opened.payload.len() > self.limits.item_bytes_max {
            self.stats.reassembly_limits += 1;
            return Err(StreamError::canceled("the request is larger than the limit"));
        }
        if opened.initial_n == 0 {
            return Err(StreamError::invalid("initial n must be above 0"));
        }
        if let Some(message) = &self.draining {
            return Err(StreamError::rejected(message.clone()));
        }
        if self.table.responders() >= self.limits.streams_max {
            self.stats.stream_limits += 1;
            let max = self.limits.streams_max;
            return Err(StreamError::rejected(format!(
                "more than {max} live streams: retry later"
            )));
        }
        if opened.follows && self.reassemblies.len() >= self.limits.reassemblies_max {
            self.stats.reassembly_limits += 1;
            return Err(StreamError::rejected("too many requests in fragments: retry later"));
        }
        Ok(())
    }

    fn start_opening(&mut self, now: Instant, id: StreamId, opened: &Opened) {
        let mut credit = Credit::NONE;
        credit.grant(opened.initial_n);
        let deadline = now + self.limits.fragment_interval;
        let mut partial = Reassembly::new(deadline);
        partial.complete = opened.complete;
        let stream = Stream::new(
            id,
            Side::Responder,
            opened.interaction,
            Outbound::Open(credit),
            Inbound::Opening(partial),
        );
        let Some(key) = self.table.insert(stream) else { return };
        self.reassemblies.push_back((deadline, key));
        self.join_opening(now, key, &opened.payload, true);
    }

    /// One more fragment of a request; the last one opens the stream.
    pub(super) fn join_opening(
        &mut self,
        now: Instant,
        key: StreamKey,
        part: &Payload,
        follows: bool,
    ) {
        let over_connection = self.held_bytes + part.len() > self.limits.inbound_bytes_max;
        let Some(stream) = self.table.get_mut(key) else { return };
        let Inbound::Opening(partial) = &mut stream.inbound else { return };
        let joined = if over_connection {
            Err(Fault::TooLarge)
        } else {
            partial.join(part, !follows, &self.limits)
        };
        match joined {
            Err(fault) => self.give_up(key, fault),
            Ok(()) if follows => {
                partial.deadline = now + self.limits.fragment_interval;
                self.held_bytes += part.len();
            }
            Ok(()) => {
                let partial = std::mem::replace(partial, Reassembly::new(now));
                self.held_bytes -= partial.len().saturating_sub(part.len()).min(self.held_bytes);
                self.reassemblies.retain(|(_, other)| *other != key);
                self.finish_opening(key, partial);
            }
        }
    }

    fn finish_opening(&mut self, key: StreamKey, partial: Reassembly) {
        let complete = partial.complete;
        let payload = partial.finish();
        let Some(stream) = self.table.get_mut(key) else { return };
        let interaction = stream.interaction;
        stream.inbound = first_inbound(interaction, complete);
        let request = Request { interaction, payload, complete };
        self.stats.requests[interaction.index()] += 1;
        if interaction == Interaction::FireAndForget {
            // It is over before the application hears of it, so nothing says so later.
            stream.outbound = Outbound::Done;
            self.stats.streams[interaction.index()][Terminal::Complete.index()] += 1;
            self.events.push_back(Event::FireAndForget(request));
            self.settle(key);
        } else {
            stream.announced = true;
            self.events.push_back(Event::Request(key, request));
        }
    }

    fn open(&mut self, id: StreamId, opened: Opened) {
        let Opened { interaction, complete, initial_n, payload, .. } = opened;
        let request = Request { interaction, payload, complete };
        self.stats.requests[interaction.index()] += 1;
        if interaction == Interaction::FireAndForget {
            self.stats.streams[interaction.index()][Terminal::Complete.index()] += 1;
            self.events.push_back(Event::FireAndForget(request));
            return;
        }
        let mut credit = Credit::NONE;
        credit.grant(initial_n);
        let inbound = first_inbound(interaction, complete);
        let outbound = Outbound::Open(credit);
        let stream = Stream::new(id, Side::Responder, interaction, outbound, inbound);
        if let Some(key) = self.table.insert(stream) {
            self.events.push_back(Event::Request(key, request));
        }
    }

    pub(super) fn handle_request_n(&mut self, id: StreamId, n: u32) {
        let found = self.table.key_of(id).and_then(|key| Some((key, self.table.get_mut(key)?)));
        let Some((key, stream)) = found else {
            self.ignore();
            return;
        };
        let counts = match (stream.side, stream.interaction) {
            (_, Interaction::RequestChannel) => true,
            (Side::Responder, Interaction::RequestStream) => true,
            // Request/response has no credit (R-RR-6), and nobody grants to a requester (R-DSP-3).
            (Side::Requester, Interaction::RequestStream)
            | (_, Interaction::RequestResponse | Interaction::FireAndForget) => false,
        };
        match &mut stream.outbound {
            Outbound::Open(_) if counts && n == 0 => self.refuse_zero(key),
            Outbound::Open(credit) if counts => {
                let opening = matches!(stream.inbound, Inbound::Opening(_));
                let was_empty = credit.is_empty();
                credit.grant(n);
                if was_empty && !opening {
                    self.events.push_back(Event::Credit(key));
                }
            }
            Outbound::Open(_) | Outbound::Finished(_) | Outbound::Sending | Outbound::Done => {
                self.ignore();
            }
        }
    }

    /// REQUEST_N of 0 (R-REQN-3).
    fn refuse_zero(&mut self, key: StreamKey) {
        let error = StreamError::invalid("n must be above 0");
        match self.table.get(key).map(|stream| stream.side) {
            Some(Side::Responder) => self.fail_stream(key, &error),
            Some(Side::Requester) => self.abandon(key, error),
            None => {}
        }
    }

    pub(super) fn handle_cancel(&mut self, id: StreamId) {
        let found = self.table.key_of(id).and_then(|key| Some((key, self.table.get_mut(key)?)));
        let Some((key, stream)) = found else {
            self.ignore();
            return;
        };
        match (stream.side, stream.interaction) {
            (Side::Responder, _) => self.end_served(key, Terminal::Cancel),
            // The responder of a channel takes no more; its own items go on (R-CHN-12).
            (Side::Requester, Interaction::RequestChannel) => {
                if matches!(stream.outbound, Outbound::Done) {
                    self.ignore();
                    return;
                }
                stream.outbound = Outbound::Done;
                self.drop_outgoing_item(key);
                self.events.push_back(Event::OutboundCancelled(key));
                self.settle(key);
            }
            (
                Side::Requester,
                Interaction::RequestResponse
                | Interaction::FireAndForget
                | Interaction::RequestStream,
            ) => self.ignore(),
        }
    }

    pub(super) fn handle_stream_error(&mut self, id: StreamId, code: ErrorCode, message: &[u8]) {
        let found = self.table.key_of(id).and_then(|key| Some((key, self.table.get_mut(key)?)));
        let Some((key, stream)) = found else {
            self.ignore();
            return;
        };
        match stream.side {
            // A requester's way of cancelling (R-CHN-8).
            Side::Responder => self.end_served(key, Terminal::Cancel),
            Side::Requester => {
                let error = StreamError::new(code, kept_message(message, &self.limits));
                stream.outbound = Outbound::Done;
                self.end_inbound(key, Some(error));
                self.drop_outgoing(key);
                self.settle(key);
            }
        }
    }

    /// A served stream is over and nothing is sent for it any more.
    pub(super) fn end_served(&mut self, key: StreamKey, terminal: Terminal) {
        self.drop_outgoing(key);
        self.drop_response(key);
        let Some(stream) = self.table.get_mut(key) else { return };
        stream.outbound = Outbound::Done;
        stream.terminal = Some(terminal);
        self.drop_inbound(key);
        self.settle(key);
    }

    /// Ends a served stream with an ERROR, which is terminal for both halves (R-CHN-8).
    pub fn fail_stream(&mut self, key: StreamKey, error: &StreamError) {
        let Some(stream) = self.table.get(key) else { return };
        let id = stream.id;
        if !matches!(stream.outbound, Outbound::Done) || stream.inbound.is_live() {
            self.error_frame(id, error.code, &error.message);
        }
        self.end_served(key, Terminal::Error);
    }
}

impl Opened {
    /// `None` for any other frame; the dispatch table hands in no other.
    fn from_body(body: Body) -> Option<Self> {
        use Interaction::{FireAndForget, RequestChannel, RequestResponse, RequestStream};
        let (interaction, follows, complete, initial_n, payload) = match body {
            Body::RequestResponse { follows, payload } => {
                (RequestResponse, follows, false, 1, payload)
            }
            Body::RequestFireAndForget { follows, payload } => {
                (FireAndForget, follows, false, 1, payload)
            }
            Body::RequestStream { follows, initial_n, payload } => {
                (RequestStream, follows, false, initial_n, payload)
            }
            Body::RequestChannel { follows, complete, initial_n, payload } => {
                (RequestChannel, follows, complete, initial_n, payload)
            }
            Body::Setup(_)
            | Body::Lease(_)
            | Body::Keepalive(_)
            | Body::RequestN { .. }
            | Body::Cancel
            | Body::Payload { .. }
            | Body::Error { .. }
            | Body::MetadataPush { .. }
            | Body::Resume(_)
            | Body::ResumeOk { .. }
            | Body::Ext(_) => return None,
        };
        Some(Self { interaction, follows, complete, initial_n, payload })
    }
}

/// The peer's message, decoded lossily (R-ERR-8) and cut to what is kept of it.
pub(super) fn kept_message(message: &[u8], limits: &Limits) -> String {
    let kept = message.get(..limits.error_kept_bytes_max).unwrap_or(message);
    String::from_utf8_lossy(kept).into_owned()
}

/// What the peer may still send after its request: on a channel whatever we will grant.
fn first_inbound(interaction: Interaction, complete: bool) -> Inbound {
    match interaction {
        Interaction::RequestChannel if !complete => Inbound::Open(super::stream::Flow::default()),
        Interaction::RequestChannel
        | Interaction::RequestResponse
        | Interaction::FireAndForget
        | Interaction::RequestStream => Inbound::Done,
    }
}
