//! What must hold of a connection between two calls, checked against the streams themselves.

use std::collections::HashSet;

use super::stream::{Outbound, Side, Stream};
use super::{Connection, StreamKey};

impl Connection {
    /// For tests and fuzzing: compares every sum and list that the connection keeps with what its
    /// streams hold. Walks all of them.
    ///
    /// # Panics
    /// When they differ, which is a fault of ours.
    pub fn assert_sound(&self) {
        let found = |key| Some((key, self.table.get(key)?));
        let streams: Vec<(StreamKey, &Stream)> = self.table.keys().filter_map(found).collect();
        self.assert_bytes(&streams);
        self.assert_lists(&streams);
        for (key, stream) in &streams {
            let is_sent = self.outgoing.as_ref().is_some_and(|outgoing| outgoing.key == *key);
            let is_open = !matches!(stream.outbound, Outbound::Done) || stream.inbound.is_live();
            // A fire-and-forget request of ours lives while its fragments are sent.
            let is_live = is_open || is_sent;
            let has_id = self.table.key_of(stream.id) == Some(*key);
            assert_eq!(is_live, has_id, "a stream has its id exactly while it is live: {stream:?}");
            assert!(is_live || stream.inbound.has_news(), "nothing is left of {stream:?}");
        }
    }

    fn assert_bytes(&self, streams: &[(StreamKey, &Stream)]) {
        let held: usize = streams.iter().map(|(_, stream)| stream.inbound.held_bytes()).sum();
        assert_eq!(self.held_bytes, held, "bytes held for the application");
        assert!(held <= self.limits.inbound_bytes_max, "{held} bytes are held");
        let response = |(_, stream): &(StreamKey, &Stream)| match &stream.outbound {
            Outbound::Finished(Ok(Some(payload))) => payload.len(),
            Outbound::Finished(_) | Outbound::Sending | Outbound::Open(_) | Outbound::Done => 0,
        };
        let responses: usize = streams.iter().map(response).sum();
        assert_eq!(self.responses_bytes, responses, "bytes of responses that wait");
    }

    fn assert_lists(&self, streams: &[(StreamKey, &Stream)]) {
        let responders = streams.iter().filter(|(_, stream)| stream.side == Side::Responder);
        assert_eq!(self.table.responders(), responders.count(), "streams that the peer opened");
        assert!(self.table.responders() <= self.limits.streams_max, "more streams than allowed");

        let joining = streams.iter().filter(|(_, stream)| stream.inbound.is_joining());
        let joining: HashSet<StreamKey> = joining.map(|(key, _)| *key).collect();
        let listed: HashSet<StreamKey> = self.reassemblies.iter().map(|(_, key)| *key).collect();
        assert_eq!(listed, joining, "items in reassembly");
        assert_eq!(self.reassemblies.len(), joining.len(), "an item is listed twice");
        assert!(joining.len() <= self.limits.reassemblies_max, "more reassemblies than allowed");

        let granting: HashSet<StreamKey> = self.grants.iter().copied().collect();
        assert_eq!(granting.len(), self.grants.len(), "a stream is listed twice for its grant");
        if let Some(outgoing) = &self.outgoing {
            assert!(self.table.get(outgoing.key).is_some(), "a large item without its stream");
        }
    }
}
