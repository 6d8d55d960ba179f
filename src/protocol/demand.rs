//! The doors through which the driver moves items: filling, draining, responding, flushing.

use std::borrow::Cow;
use std::time::Instant;

use super::items::Items;
use super::requester::METADATA_MAX;
use super::stream::{Credit, Inbound, Outbound, Outgoing, Side};
use super::{
    Connection, Event, Input, Interaction, Pause, Quota, StreamError, StreamKey, Terminal,
};
use crate::wire::{Body, ErrorCode, Payload, PayloadFlags};

const COMPLETE: PayloadFlags = PayloadFlags { follows: false, complete: true, next: false };
const RESPONSE: PayloadFlags = PayloadFlags { follows: false, complete: true, next: true };

/// What came of pulling one source.
#[derive(Debug)]
pub struct Filled {
    /// Why it stopped.
    pub pause: Pause,
    /// How many items it wrote.
    pub written: u64,
}

impl Connection {
    /// Pulls one source: `fill` gets what credit and room allow, at most `share` bytes of the room
    /// (or one item), and its pause is carried out. `None` when the outbound half is over and the
    /// source has nothing more to say.
    pub fn fill(
        &mut self,
        key: StreamKey,
        now: Instant,
        share: usize,
        fill: impl FnOnce(Quota, &mut Items<'_>) -> Pause,
    ) -> Option<Filled> {
        let room = self.source_room();
        let stream = self.table.get_mut(key)?;
        let Outbound::Open(credit) = &mut stream.outbound else { return None };
        // Its end would take room that there is not: it is asked again when there is.
        if self.output.is_flooded() {
            return Some(Filled { pause: Pause::Congested, written: 0 });
        }
        let bytes = if credit.is_empty() { 0 } else { room };
        let items = if bytes == 0 { 0 } else { credit.items() };
        let mut sink = Items {
            output: &mut self.output,
            outgoing: &mut self.outgoing,
            credit,
            key,
            stream_id: stream.id,
            room: bytes,
            share,
            written: 0,
            unsendable: false,
        };
        let pause = fill(Quota { items, bytes: bytes.min(share), now }, &mut sink);
        let Items { written, unsendable, .. } = sink;
        let pause = if unsendable { Pause::Failed(unsendable_metadata()) } else { pause };
        match &pause {
            Pause::Done => self.complete_outbound(key),
            Pause::Failed(error) => self.fail_outbound(key, error),
            Pause::CaughtUp | Pause::NoCredit | Pause::Congested | Pause::Paced(_) => {}
        }
        Some(Filled { pause, written })
    }

    /// Bytes of the write budget that are left for sources this turn.
    #[must_use]
    pub fn room(&self) -> usize {
        self.source_room()
    }

    /// Room for sources: none while a fragment is owed its turn, else the large item would starve
    /// behind small ones.
    pub(super) fn source_room(&self) -> usize {
        if self.fragment_due { 0 } else { self.output.room() }
    }

    fn complete_outbound(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let id = stream.id;
        match &mut self.outgoing {
            // C rides on the last fragment, with N (R-FRAG-9).
            Some(outgoing) if outgoing.key == key => {
                outgoing.complete = true;
                stream.outbound = Outbound::Sending;
                return;
            }
            Some(_) | None => {}
        }
        stream.outbound = Outbound::Done;
        self.output.item(id, COMPLETE, None, &[]);
        self.settle(key);
    }

    fn fail_outbound(&mut self, key: StreamKey, error: &StreamError) {
        match self.table.get(key).map(|stream| (stream.side, stream.id)) {
            Some((Side::Responder, _)) => self.fail_stream(key, error),
            Some((Side::Requester, id)) => {
                self.error_frame(id, error.code, &error.message);
                self.drop_outgoing(key);
                if let Some(stream) = self.table.get_mut(key) {
                    stream.outbound = Outbound::Done;
                }
                self.end_inbound(key, Some(error.clone()));
                self.settle(key);
            }
            None => {}
        }
    }

    /// Hands what the peer sent to the source of a stream.
    pub fn drain(&mut self, key: StreamKey, drain: impl FnOnce(&mut Input<'_>)) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let mut input = Input {
            stream,
            held_bytes: &mut self.held_bytes,
            grants: &mut self.grants,
            key,
            cancelled: false,
        };
        drain(&mut input);
        let cancelled = input.cancelled;
        stream.inbound.own_memory();
        if cancelled {
            self.cancel_inbound(key);
        }
        self.settle(key);
    }

    /// Whether the source of this stream is to be drained: the peer's half goes on, or something is
    /// left of it.
    #[must_use]
    pub fn is_draining(&self, key: StreamKey) -> bool {
        match self.table.get(key).map(|stream| &stream.inbound) {
            Some(Inbound::Open(_) | Inbound::Ended { .. }) => true,
            Some(Inbound::Opening(_) | Inbound::Done) | None => false,
        }
    }

    /// The source of a stream broke down: a served stream fails, one that this side requested is
    /// cancelled.
    pub fn give_up_stream(&mut self, key: StreamKey, error: &StreamError) {
        match self.table.get(key).map(|stream| stream.side) {
            Some(Side::Responder) => self.fail_stream(key, error),
            Some(Side::Requester) => self.cancel_inbound(key),
            None => {}
        }
    }

    /// Whether [`drain`](Self::drain) would find something.
    #[must_use]
    pub fn has_input(&self, key: StreamKey) -> bool {
        self.table.get(key).is_some_and(|stream| stream.inbound.has_news())
    }

    /// The application takes no more from a stream (see [`Input::cancel`]).
    pub fn cancel_inbound(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let id = stream.id;
        let live = stream.inbound.is_live();
        match stream.side {
            Side::Responder => {
                if live && stream.interaction == Interaction::RequestChannel {
                    self.output.control(id, Body::Cancel);
                }
            }
            Side::Requester => {
                // After C or ERROR there is nothing to cancel (R-STR-6), unless our half goes on.
                let channel_open = stream.interaction == Interaction::RequestChannel
                    && !matches!(stream.outbound, Outbound::Done);
                stream.outbound = Outbound::Done;
                // Or the request itself is still being sent (R-FNF-3).
                let sending = self.is_being_fragmented(key);
                if (live || channel_open || sending) && !self.is_closed() {
                    self.output.control(id, Body::Cancel);
                }
                self.drop_outgoing(key);
            }
        }
        self.drop_inbound(key);
        self.settle(key);
    }

    /// Completes a served subscription on behalf of the server, which drains: our half ends with C,
    /// the peer's half is cancelled. A response under way is not touched: it ends by itself.
    pub fn complete_stream(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get(key) else { return };
        let subscribed = stream.side == Side::Responder
            && stream.interaction != Interaction::RequestResponse
            && matches!(stream.outbound, Outbound::Open(_));
        if subscribed {
            self.complete_outbound(key);
            self.cancel_inbound(key);
        }
    }

    // ---- responses ---------------------------------------------------------------------------

    /// The response of a request/response. It is written at once when it fits, else it waits by
    /// reference, a failure too; nothing is sent when the stream is gone.
    pub fn respond(&mut self, key: StreamKey, response: Result<Option<Payload>, StreamError>) {
        match self.table.get(key).map(|stream| &stream.outbound) {
            Some(Outbound::Open(_)) => {}
            Some(Outbound::Finished(_) | Outbound::Sending | Outbound::Done) | None => return,
        }
        let response = match response {
            Ok(Some(Payload { metadata: Some(metadata), .. })) if metadata.len() > METADATA_MAX => {
                Err(unsendable_metadata())
            }
            sendable => sendable,
        };
        let len = self.response_len(&response);
        let fits = match &response {
            Ok(Some(_)) => self.responses.is_empty() && len <= self.source_room(),
            // A few bytes each, which may use what is set aside for answers.
            Ok(None) | Err(_) => !self.output.is_flooded(),
        };
        let is_large = matches!(response, Ok(Some(_))) && len > self.whole_len_max();
        if let Ok(Some(payload)) = &response {
            self.responses_bytes += payload.len();
        }
        if let Some(stream) = self.table.get_mut(key) {
            stream.outbound = Outbound::Finished(response);
        }
        if is_large {
            self.large_responses.push_back(key);
            self.start_large_response();
        } else if fits {
            self.write_response(key);
        } else {
            self.responses.push_back(key);
        }
    }

    /// Bytes that the response takes in the output.
    fn response_len(&self, response: &Result<Option<Payload>, StreamError>) -> usize {
        match response {
            Ok(Some(payload)) => {
                let metadata_len = payload.metadata.as_ref().map(bytes::Bytes::len);
                self.output.item_len(metadata_len, payload.data.len())
            }
            Ok(None) => self.output.item_len(None, 0),
            Err(error) => {
                let max = self.limits.error_message_bytes_max;
                self.output.item_len(None, ERROR_CODE_LEN + error.message.len().min(max))
            }
        }
    }

    /// Longest framed item that is sent whole.
    fn whole_len_max(&self) -> usize {
        self.output.budget().min(self.output.frame_len_max())
    }

    fn write_response(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let id = stream.id;
        match std::mem::replace(&mut stream.outbound, Outbound::Sending) {
            Outbound::Finished(Ok(Some(payload))) => {
                self.responses_bytes -= payload.len().min(self.responses_bytes);
                self.output.item(id, RESPONSE, payload.metadata.as_deref(), &[&payload.data]);
            }
            Outbound::Finished(Ok(None)) => self.output.item(id, COMPLETE, None, &[]),
            Outbound::Finished(Err(error)) => {
                self.fail_stream(key, &error);
                return;
            }
            other @ (Outbound::Open(_) | Outbound::Sending | Outbound::Done) => {
                stream.outbound = other;
                return;
            }
        }
        stream.outbound = Outbound::Done;
        self.settle(key);
    }

    fn start_large_response(&mut self) {
        while self.outgoing.is_none() {
            let Some(key) = self.large_responses.pop_front() else { return };
            let Some(stream) = self.table.get_mut(key) else { continue };
            let payload = match std::mem::replace(&mut stream.outbound, Outbound::Sending) {
                Outbound::Finished(Ok(Some(payload))) => payload,
                other @ (Outbound::Open(_)
                | Outbound::Finished(Ok(None) | Err(_))
                | Outbound::Sending
                | Outbound::Done) => {
                    stream.outbound = other;
                    continue;
                }
            };
            self.responses_bytes -= payload.len().min(self.responses_bytes);
            let mut outgoing = Outgoing::item(key, stream.id, payload);
            outgoing.complete = true;
            self.outgoing = Some(outgoing);
        }
    }

    pub(super) fn drop_response(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get_mut(key) else { return };
        if let Outbound::Finished(response) = &stream.outbound {
            let payload = response.as_ref().ok().and_then(Option::as_ref);
            self.responses_bytes -= payload.map_or(0, Payload::len).min(self.responses_bytes);
            stream.outbound = Outbound::Sending;
            self.responses.retain(|other| *other != key);
            self.large_responses.retain(|other| *other != key);
        }
    }

    pub(super) fn drop_outgoing(&mut self, key: StreamKey) {
        if self.outgoing.as_ref().is_some_and(|outgoing| outgoing.key == key) {
            self.outgoing = None;
            self.fragment_due = false;
        }
    }

    /// Drops an item, but not a request that is still being sent: the peer's half depends on it. No
    /// C follows it (R-CHN-12).
    pub(super) fn drop_outgoing_item(&mut self, key: StreamKey) {
        match &mut self.outgoing {
            Some(outgoing) if outgoing.key == key && outgoing.is_request() => {
                outgoing.complete = false;
            }
            Some(_) | None => self.drop_outgoing(key),
        }
    }

    // ---- flushing ----------------------------------------------------------------------------

    /// Opens a turn: the large item gets one fragment, then waiting responses what fits, then
    /// grants go out. Sources are pulled after this, into what room is left.
    pub fn flush(&mut self) {
        if self.is_closed() {
            return;
        }
        self.start_large_response();
        self.fragment_due = self.outgoing.is_some();
        self.write_fragment();
        self.write_responses();
        self.write_grants();
    }

    /// Closes a turn: what room the sources left goes to the large item.
    pub fn flush_rest(&mut self) {
        if self.is_closed() {
            return;
        }
        while self.outgoing.is_some() && self.write_fragment() {
            self.start_large_response();
        }
        self.write_grants();
    }

    /// Whether something waits for room.
    #[must_use]
    pub fn is_congested(&self) -> bool {
        self.outgoing.is_some() || !self.responses.is_empty() || !self.large_responses.is_empty()
    }

    fn write_fragment(&mut self) -> bool {
        let frame_len = self.limits.fragment_len();
        let room = self.output.room();
        let Some(outgoing) = &mut self.outgoing else { return false };
        // An empty output takes a fragment whatever the budget, else a tiny budget would never.
        if room < frame_len + FRAMING_MAX && !self.output.is_empty() {
            return false;
        }
        let (frame, last) = outgoing.next_fragment(frame_len);
        self.output.frame(&frame);
        self.fragment_due = false;
        if last && let Some(outgoing) = self.outgoing.take() {
            self.finish_outgoing(&outgoing);
        }
        true
    }

    /// The last fragment is written; C went with it if it was an item's.
    fn finish_outgoing(&mut self, outgoing: &Outgoing) {
        let key = outgoing.key;
        let Some(stream) = self.table.get_mut(key) else { return };
        if outgoing.owes_complete() {
            self.output.item(outgoing.stream_id, COMPLETE, None, &[]);
        }
        if outgoing.complete {
            stream.outbound = Outbound::Done;
        } else if matches!(stream.outbound, Outbound::Open(_)) {
            self.events.push_back(Event::Credit(key));
        }
        self.settle(key);
    }

    fn write_responses(&mut self) {
        while let Some(key) = self.responses.front().copied() {
            let len = match self.table.get(key).map(|stream| &stream.outbound) {
                Some(Outbound::Finished(response)) => self.response_len(response),
                Some(Outbound::Open(_) | Outbound::Sending | Outbound::Done) | None => 0,
            };
            // A message longer than a tiny budget would else wait for ever.
            if len.min(self.output.budget()) > self.source_room() {
                return;
            }
            self.responses.pop_front();
            self.write_response(key);
        }
    }

    /// REQUEST_N for what sources granted; never between fragments of the same stream (R-FRAG-11).
    fn write_grants(&mut self) {
        let mut grants = std::mem::take(&mut self.grants);
        grants.retain(|key| {
            if self.output.is_flooded() || self.is_being_fragmented(*key) {
                return true;
            }
            let Some(stream) = self.table.get_mut(*key) else { return false };
            let Inbound::Open(flow) = &mut stream.inbound else {
                stream.grant = Credit::NONE;
                return false;
            };
            let n = stream.grant.take_request_n();
            if n > 0 {
                flow.grant(n);
                self.output.control(stream.id, Body::RequestN { n });
            }
            !stream.grant.is_empty()
        });
        self.grants = grants;
    }

    fn is_being_fragmented(&self, key: StreamKey) -> bool {
        self.outgoing.as_ref().is_some_and(|outgoing| outgoing.key == key)
    }

    // ---- the end -----------------------------------------------------------------------------

    /// Called after every change of a stream: frees its id when both halves are over, and the
    /// stream itself when nothing is left to take from it.
    pub(super) fn settle(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get(key) else { return };
        if !matches!(stream.outbound, Outbound::Done) || stream.inbound.is_live() {
            return;
        }
        if self.is_being_fragmented(key) {
            // Fire-and-forget is over when its request is sent. Any other that the peer ended
            // before it had the whole request needs the rest no more.
            if stream.interaction == Interaction::FireAndForget {
                return;
            }
            self.drop_outgoing(key);
        }
        self.table.free_id(key);
        let taken = matches!(stream_inbound(self, key), Some(Inbound::Done));
        if taken
            && let Some(stream) = self.table.remove(key)
            && stream.announced
        {
            if stream.side == Side::Responder {
                let terminal = stream.terminal.unwrap_or(Terminal::Complete);
                self.stats.streams[stream.interaction.index()][terminal.index()] += 1;
            }
            self.events.push_back(Event::Ended(key));
        }
        self.close_if_idle();
    }
}

fn stream_inbound(connection: &Connection, key: StreamKey) -> Option<&Inbound> {
    connection.table.get(key).map(|stream| &stream.inbound)
}

/// Bytes of an ERROR frame between header and message.
const ERROR_CODE_LEN: usize = 4;

/// The most that framing adds to one frame: a WebSocket header with a mask.
pub(super) const FRAMING_MAX: usize = 14;

/// Peers cannot represent more (R-META-5).
const fn unsendable_metadata() -> StreamError {
    StreamError {
        code: ErrorCode::APPLICATION_ERROR,
        message: Cow::Borrowed("metadata is longer than 16,777,215 bytes"),
    }
}
