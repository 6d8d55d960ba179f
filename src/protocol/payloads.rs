//! PAYLOAD frames: items, completion and fragments, in both roles (conformance 3.2 and 3.9).

use std::time::Instant;

use super::stream::{Fault, Flow, Inbound, Outbound, Reassembly, Side};
use super::{Connection, Event, Interaction, StreamError, StreamKey};
use crate::wire::{Body, Payload, StreamId};

/// What a PAYLOAD frame says, once its flags are read together with the state of its stream.
enum Reading {
    /// One more fragment, more to come.
    Fragment,
    /// A whole item, or the last fragment of one; `bool`: and then completion.
    Item(bool),
    /// Completion without an item.
    Complete,
    /// None of N, C and F, and nothing in reassembly.
    Nothing,
}

impl Connection {
    pub(super) fn handle_payload(
        &mut self,
        now: Instant,
        id: StreamId,
        follows: bool,
        complete: bool,
        next: bool,
        payload: Payload,
    ) {
        let found = self.table.key_of(id).and_then(|key| Some((key, self.table.get(key)?)));
        let Some((key, stream)) = found else {
            self.ignore();
            return;
        };
        // F together with C is void (R-FRAG-10).
        let follows = follows && !complete;
        let is_response = stream.interaction == Interaction::RequestResponse;
        match &stream.inbound {
            Inbound::Opening(_) => {
                self.close_opening(key, complete);
                self.join_opening(now, key, &payload, follows);
            }
            Inbound::Open(flow) => {
                let joining = flow.partial.is_some();
                let reading = if is_response && !follows {
                    read_response(next || joining, &payload)
                } else {
                    read(follows, complete, next, joining)
                };
                match reading {
                    Reading::Fragment => self.take_fragment(now, key, &payload),
                    Reading::Item(end) => self.take_item(key, payload, end),
                    Reading::Complete => self.complete_inbound(key),
                    Reading::Nothing => {
                        self.refuse(key, StreamError::invalid("PAYLOAD with none of N, C and F"));
                    }
                }
            }
            Inbound::Ended { .. } | Inbound::Done => self.ignore(),
        }
    }

    /// C on any fragment of a request completes a channel's inbound half (R-CHN-15).
    fn close_opening(&mut self, key: StreamKey, complete: bool) {
        if let Some(stream) = self.table.get_mut(key)
            && let Inbound::Opening(partial) = &mut stream.inbound
        {
            partial.complete |= complete;
        }
    }

    fn take_fragment(&mut self, now: Instant, key: StreamKey, part: &Payload) {
        let deadline = now + self.limits.fragment_interval;
        let surplus = u64::from(self.limits.surplus_items_max);
        let full = self.reassemblies.len() >= self.limits.reassemblies_max;
        let over_connection = self.held_bytes + part.len() > self.limits.inbound_bytes_max;
        let Some(flow) = self.flow_mut(key) else { return };
        if flow.partial.is_none() {
            // Credit is checked at the first fragment, to bound memory (R-REQN-10).
            if flow.window.is_empty() && flow.surplus >= surplus {
                self.refuse_surplus(key);
                return;
            }
            if full {
                self.give_up(key, Fault::TooMany);
                return;
            }
            flow.partial = Some(Reassembly::new(deadline));
            self.reassemblies.push_back((deadline, key));
        }
        if over_connection {
            self.give_up(key, Fault::TooLarge);
            return;
        }
        let limits = self.limits.clone();
        let Some(Flow { partial: Some(partial), .. }) = self.flow_mut(key) else { return };
        match partial.join(part, false, &limits) {
            Ok(()) => {
                partial.deadline = deadline;
                self.held_bytes += part.len();
            }
            Err(fault) => self.give_up(key, fault),
        }
    }

    fn take_item(&mut self, key: StreamKey, payload: Payload, complete: bool) {
        let limits = self.limits.clone();
        let over_connection = self.held_bytes + payload.len() > limits.inbound_bytes_max;
        let Some(flow) = self.flow_mut(key) else { return };
        let surplus = u64::from(limits.surplus_items_max);
        if flow.window.is_empty() && flow.surplus >= surplus {
            self.refuse_surplus(key);
            return;
        }
        let had_news = flow.has_items();
        let partial = flow.partial.take();
        let arrived = payload.len();
        let gathered = partial.as_ref().map(Reassembly::len);
        let joined = match partial {
            _ if over_connection => Err(Fault::TooLarge),
            None if arrived > limits.item_bytes_max => Err(Fault::TooLarge),
            None => Ok(payload),
            Some(mut partial) => partial.join(&payload, true, &limits).map(|()| partial.finish()),
        };
        match joined {
            Ok(item) => {
                if !flow.window.take() {
                    flow.surplus += 1;
                }
                flow.push(item);
                self.held_bytes += arrived;
                if complete {
                    self.end_inbound(key, None);
                } else if !had_news {
                    self.events.push_back(Event::Input(key));
                }
                self.settle(key);
            }
            Err(fault) => {
                self.held_bytes -= gathered.unwrap_or(0).min(self.held_bytes);
                self.give_up(key, fault);
            }
        }
        if gathered.is_some() {
            self.reassemblies.retain(|(_, other)| *other != key);
        }
    }

    fn complete_inbound(&mut self, key: StreamKey) {
        self.end_inbound(key, None);
        self.settle(key);
    }

    /// The peer's half ends; the application is told to take what is left.
    pub(super) fn end_inbound(&mut self, key: StreamKey, error: Option<StreamError>) {
        let Some(stream) = self.table.get_mut(key) else { return };
        if !stream.inbound.is_live() {
            return;
        }
        let joining = stream.inbound.is_joining();
        let dropped = stream.inbound.end(error);
        if joining {
            self.reassemblies.retain(|(_, other)| *other != key);
        }
        self.held_bytes -= dropped.min(self.held_bytes);
        self.events.push_back(Event::Input(key));
    }

    pub(super) fn drop_inbound(&mut self, key: StreamKey) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let joining = stream.inbound.is_joining();
        let dropped = stream.inbound.drop_all();
        self.held_bytes -= dropped.min(self.held_bytes);
        if joining {
            self.reassemblies.retain(|(_, other)| *other != key);
        }
    }

    fn refuse_surplus(&mut self, key: StreamKey) {
        self.stats.credit_violations += 1;
        self.refuse(key, StreamError::canceled("more items than were granted"));
    }

    /// An item is given up in the middle: R-FRAG-19.
    pub(super) fn give_up(&mut self, key: StreamKey, fault: Fault) {
        self.stats.reassembly_limits += 1;
        let error = match fault {
            Fault::TooLarge => StreamError::canceled("the item is larger than the limit"),
            Fault::TimedOut => StreamError::canceled("the next fragment did not come in time"),
            Fault::TooMany => StreamError::invalid("too many fragments"),
            Fault::LateMetadata => StreamError::invalid("metadata after data in a fragment"),
        };
        self.refuse(key, error);
    }

    /// The peer broke a rule of this stream: a responder answers ERROR, a requester cancels and
    /// fails. A fire-and-forget request gets no answer (R-ERR-12).
    fn refuse(&mut self, key: StreamKey, error: StreamError) {
        let Some(stream) = self.table.get(key) else { return };
        match (stream.side, stream.interaction) {
            (Side::Responder, Interaction::FireAndForget) => {
                self.end_served(key, super::Terminal::Error);
            }
            (
                Side::Responder,
                Interaction::RequestResponse
                | Interaction::RequestStream
                | Interaction::RequestChannel,
            ) => self.fail_stream(key, &error),
            (Side::Requester, _) => self.abandon(key, error),
        }
    }

    /// This side requested it and gives it up: CANCEL, and the error to the application.
    pub(super) fn abandon(&mut self, key: StreamKey, error: StreamError) {
        let Some(stream) = self.table.get_mut(key) else { return };
        let id = stream.id;
        stream.outbound = Outbound::Done;
        self.output.control(id, Body::Cancel);
        self.drop_outgoing(key);
        self.end_inbound(key, Some(error));
        self.settle(key);
    }

    fn flow_mut(&mut self, key: StreamKey) -> Option<&mut Flow> {
        match &mut self.table.get_mut(key)?.inbound {
            Inbound::Open(flow) => Some(flow),
            Inbound::Opening(_) | Inbound::Ended { .. } | Inbound::Done => None,
        }
    }

    // ---- time --------------------------------------------------------------------------------

    pub(super) fn next_reassembly_deadline(&self) -> Option<Instant> {
        self.reassemblies.front().map(|(due, _)| *due)
    }

    fn reassembly_deadline(&self, key: StreamKey) -> Option<Instant> {
        match &self.table.get(key)?.inbound {
            Inbound::Opening(partial) => Some(partial.deadline),
            Inbound::Open(flow) => flow.partial.as_ref().map(|partial| partial.deadline),
            Inbound::Ended { .. } | Inbound::Done => None,
        }
    }

    /// Gives up the items whose next fragment is overdue (R-LIM-4). One that had a fragment since
    /// takes its place by its new deadline.
    pub(super) fn expire_reassemblies(&mut self, now: Instant) {
        while let Some((_, key)) = self.reassemblies.pop_front_if(|(due, _)| *due <= now) {
            match self.reassembly_deadline(key) {
                Some(deadline) if deadline <= now => self.give_up(key, Fault::TimedOut),
                Some(deadline) => {
                    let place = self.reassemblies.partition_point(|(due, _)| *due <= deadline);
                    self.reassemblies.insert(place, (deadline, key));
                }
                None => {}
            }
        }
    }
}

/// Conformance 3.2; `joining`: an item of this stream is in reassembly.
fn read(follows: bool, complete: bool, next: bool, joining: bool) -> Reading {
    match (follows, complete, next) {
        (true, _, _) => Reading::Fragment,
        // A last fragment needs neither N nor C (§3.2), and C ends a reassembly (R-FRAG-13).
        (false, _, _) if joining => Reading::Item(complete),
        (false, _, true) => Reading::Item(complete),
        (false, true, false) => Reading::Complete,
        (false, false, false) => Reading::Nothing,
    }
}

/// A response completes its stream whatever its flags; without N it is empty unless it carries
/// something (R-RR-3, R-RR-5).
fn read_response(item: bool, payload: &Payload) -> Reading {
    if item || payload.metadata.is_some() || !payload.data.is_empty() {
        Reading::Item(true)
    } else {
        Reading::Complete
    }
}
