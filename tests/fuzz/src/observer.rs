//! What one peer may say to the other, judged by the frames alone: a second, plain reading of the
//! protocol to hold the connection against.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use tidegate::protocol::Interaction;
use tidegate::wire::{Body, Frame, Payload};

/// Asks for everything.
const UNBOUNDED: u32 = 0x7FFF_FFFF;

/// Follows the frames in both directions; panics when ours break a rule.
pub(crate) struct Observer {
    is_server: bool,
    open: HashMap<u32, Exchange>,
    /// Ids that once carried a fire-and-forget request of the peer: when its id is free again shows
    /// in no frame, so nothing is said about these.
    vague: HashSet<u32>,
    /// Requests that the peer's LEASE still allows, when leases are in use.
    pub(crate) lease: Option<u32>,
    /// ERROR on stream 0 was sent.
    ended: bool,
}

/// One open stream.
#[derive(Debug)]
struct Exchange {
    /// We sent the request.
    ours: bool,
    interaction: Interaction,
    /// Items that the peer allowed, [`u64::MAX`] for all.
    credit: u64,
    items: u64,
    our_half_done: bool,
    peers_half_done: bool,
    /// Our request is on its way in fragments.
    requesting: bool,
    /// The last frame of ours was a fragment.
    fragmenting: bool,
    /// The peer's request arrives in fragments.
    opening: bool,
    /// When the last fragment of an unfinished item of the peer arrived.
    partial_since: Option<Instant>,
}

struct Opened<'a> {
    interaction: Interaction,
    follows: bool,
    complete: bool,
    n: u32,
    payload: &'a Payload,
}

impl Observer {
    pub(crate) fn new(is_server: bool) -> Self {
        let (open, vague) = (HashMap::new(), HashSet::new());
        Self { is_server, open, vague, lease: None, ended: false }
    }

    /// An id of those that are open, to aim at.
    pub(crate) fn pick(&self, index: usize) -> Option<u32> {
        let mut ids: Vec<u32> = self.open.keys().copied().collect();
        ids.sort_unstable();
        ids.get(index % ids.len().max(1)).copied()
    }

    /// The peer sends this; called before the connection hears it.
    pub(crate) fn before(&mut self, frame: &Frame, now: Instant) {
        let id = frame.stream_id.get();
        if let Some(opened) = opened(&frame.body) {
            self.peer_opens(id, &opened, now);
            return;
        }
        let exchange = self.open.get_mut(&id);
        match (&frame.body, exchange) {
            (Body::Lease(lease), _) if id == 0 => {
                let granted = if lease.ttl_ms == 0 { 0 } else { lease.requests };
                self.lease = self.lease.map(|_| granted);
            }
            (Body::RequestN { n }, Some(exchange)) => match exchange.interaction {
                Interaction::RequestChannel => exchange.grant(*n),
                Interaction::RequestStream if !exchange.ours => exchange.grant(*n),
                _ => {}
            },
            (Body::Cancel, Some(exchange)) if !exchange.ours => self.close(id),
            (Body::Cancel, Some(exchange))
                if exchange.interaction == Interaction::RequestChannel =>
            {
                exchange.our_half_done = true;
                // The request itself goes on: without it the responder has nothing to answer.
                exchange.fragmenting = exchange.requesting;
                self.close_if_done(id);
            }
            (Body::Error { .. }, Some(_)) => self.close(id),
            _ => {}
        }
    }

    fn peer_opens(&mut self, id: u32, opened: &Opened<'_>, now: Instant) {
        // Under our own parity it is refused; of a fire-and-forget request nobody hears that.
        let is_theirs = (id % 2 == 1) == self.is_server;
        let is_effect = opened.interaction == Interaction::FireAndForget;
        if id == 0 || (is_effect && !is_theirs) || self.open.contains_key(&id) {
            return;
        }
        let is_channel = opened.interaction == Interaction::RequestChannel;
        if opened.interaction == Interaction::FireAndForget {
            self.vague.insert(id);
        }
        let mut exchange = Exchange {
            ours: false,
            interaction: opened.interaction,
            credit: 0,
            items: 0,
            our_half_done: false,
            peers_half_done: !is_channel || opened.complete,
            requesting: false,
            fragmenting: false,
            opening: opened.follows,
            partial_since: opened.follows.then_some(now),
        };
        exchange.grant(opened.n);
        self.open.insert(id, exchange);
    }

    /// The connection has heard this, and what it said since was observed.
    pub(crate) fn after(&mut self, frame: &Frame, now: Instant) {
        let Body::Payload { follows, complete, .. } = frame.body else { return };
        let id = frame.stream_id.get();
        let Some(exchange) = self.open.get_mut(&id) else { return };
        let follows = follows && !complete;
        if exchange.opening {
            exchange.opening = follows;
            exchange.peers_half_done |= complete;
            exchange.partial_since = follows.then_some(now);
        } else if !exchange.peers_half_done {
            let is_response = exchange.interaction == Interaction::RequestResponse;
            exchange.peers_half_done = complete || (is_response && !follows);
            exchange.partial_since = follows.then_some(now);
            self.close_if_done(id);
        }
    }

    /// The peer has been silent within some item for too long.
    pub(crate) fn assert_no_overdue(&self, now: Instant, interval: Duration) {
        for (id, exchange) in self.open.iter().filter(|(id, _)| !self.vague.contains(id)) {
            let overdue = exchange.partial_since.is_some_and(|since| since + interval <= now);
            assert!(!overdue, "stream {id} still waits for a fragment: {exchange:?}");
        }
    }

    /// We send this.
    pub(crate) fn sent(&mut self, frame: &Frame) {
        assert!(!self.ended, "after the last frame of the connection: {frame:?}");
        let id = frame.stream_id.get();
        if id == 0 {
            self.ended = matches!(frame.body, Body::Error { .. });
        } else if let Some(opened) = opened(&frame.body) {
            self.we_open(id, &opened);
        } else if !self.vague.contains(&id) {
            self.we_continue(id, frame);
        }
    }

    fn we_open(&mut self, id: u32, opened: &Opened<'_>) {
        let is_ours = (id % 2 == 1) != self.is_server;
        assert!(is_ours, "request on {id}, which is the peer's");
        assert!(!self.open.contains_key(&id), "request on the live stream {id}");
        assert!(opened.n > 0, "a request for nothing");
        assert!(!(opened.follows && opened.complete), "F with C");
        assert!(opened.payload.len() <= 0xFF_FFFF);
        if let Some(lease) = &mut self.lease {
            assert!(*lease > 0, "request beyond the lease");
            *lease -= 1;
        }
        let is_channel = opened.interaction == Interaction::RequestChannel;
        let is_effect = opened.interaction == Interaction::FireAndForget;
        let exchange = Exchange {
            ours: true,
            interaction: opened.interaction,
            credit: 0,
            items: 0,
            our_half_done: !is_channel || opened.complete,
            peers_half_done: is_effect,
            requesting: opened.follows,
            fragmenting: opened.follows,
            opening: false,
            partial_since: None,
        };
        if !is_effect || opened.follows {
            self.open.insert(id, exchange);
        }
    }

    fn we_continue(&mut self, id: u32, frame: &Frame) {
        let exchange = self.open.get_mut(&id);
        let exchange = exchange.unwrap_or_else(|| panic!("{id} is over: {:?}", frame.frame_type()));
        let is_channel = exchange.interaction == Interaction::RequestChannel;
        match &frame.body {
            Body::Payload { follows, complete, next, .. } => {
                assert!(!(*follows && *complete), "F with C");
                exchange.send_item(*follows, *complete, *next);
                self.close_if_done(id);
            }
            Body::RequestN { n } => {
                assert!(*n > 0, "REQUEST_N of nothing");
                assert!(!exchange.fragmenting, "REQUEST_N between fragments");
                let reads =
                    exchange.ours && exchange.interaction == Interaction::RequestStream;
                assert!(is_channel || reads, "REQUEST_N on {exchange:?}");
                assert!(!exchange.peers_half_done, "REQUEST_N to a half that is over");
            }
            Body::Cancel if exchange.ours => self.close(id),
            Body::Cancel => {
                assert!(is_channel && !exchange.peers_half_done, "CANCEL on {exchange:?}");
                exchange.peers_half_done = true;
                exchange.partial_since = None;
                self.close_if_done(id);
            }
            Body::Error { .. } => {
                assert!(!exchange.ours || is_channel, "ERROR on {exchange:?}");
                self.close(id);
            }
            body => panic!("not on a stream: {body:?}"),
        }
    }

    fn close(&mut self, id: u32) {
        self.open.remove(&id);
    }

    fn close_if_done(&mut self, id: u32) {
        let is_done = |exchange: &Exchange| {
            let is_effect = exchange.interaction == Interaction::FireAndForget;
            let sending = is_effect && exchange.requesting;
            exchange.our_half_done && exchange.peers_half_done && !sending
        };
        if self.open.get(&id).is_some_and(is_done) {
            self.close(id);
        }
    }
}

impl Exchange {
    fn grant(&mut self, n: u32) {
        let sum = self.credit.saturating_add(n.into());
        self.credit = if n == UNBOUNDED { u64::MAX } else { sum };
    }

    fn send_item(&mut self, follows: bool, complete: bool, next: bool) {
        if self.fragmenting {
            self.fragmenting = follows;
            self.requesting &= follows;
        } else {
            assert!(!self.our_half_done, "an item on a half that is over: {self:?}");
            assert!(next || complete, "PAYLOAD without a meaning");
            self.items += u64::from(next);
            assert!(self.items <= self.credit, "more items than credit: {self:?}");
            self.fragmenting = follows;
        }
        self.our_half_done |= complete;
        let responds = !self.ours && self.interaction == Interaction::RequestResponse;
        assert!(!responds || complete || follows, "a response completes its stream");
    }
}

fn opened(body: &Body) -> Option<Opened<'_>> {
    use Interaction::{FireAndForget, RequestChannel, RequestResponse, RequestStream};
    let (interaction, follows, complete, n, payload) = match body {
        Body::RequestResponse { follows, payload } => {
            (RequestResponse, *follows, false, 1, payload)
        }
        Body::RequestFireAndForget { follows, payload } => {
            (FireAndForget, *follows, false, 1, payload)
        }
        Body::RequestStream { follows, initial_n, payload } => {
            (RequestStream, *follows, false, *initial_n, payload)
        }
        Body::RequestChannel { follows, complete, initial_n, payload } => {
            (RequestChannel, *follows, *complete, *initial_n, payload)
        }
        _ => return None,
    };
    Some(Opened { interaction, follows, complete, n, payload })
}
