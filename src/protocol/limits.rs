//! Every bound of one connection in one place (conformance section 3.10).

use std::time::Duration;

/// Bounds of one connection. The defaults are those of DESIGN section 4.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams that the peer may have live at once (R-LIM-7).
    pub streams_max: usize,
    /// Metadata and data of one item after reassembly, bytes (R-LIM-2).
    pub item_bytes_max: usize,
    /// Bytes of unfinished items, and of finished ones that the application has not taken yet, over
    /// the whole connection (R-LIM-3, R-LIM-14).
    pub inbound_bytes_max: usize,
    /// Items in reassembly at once (R-LIM-5).
    pub reassemblies_max: usize,
    /// Fragments of one item (R-LIM-6).
    pub fragments_max: u32,
    /// Fragments of one item that carry nothing (R-LIM-6, R-FRAG-16).
    pub empty_fragments_max: u32,
    /// Time between two fragments of one item (R-LIM-4).
    pub fragment_interval: Duration,
    /// Time until the first frame is there (R-LIM-8).
    pub setup_timeout: Duration,
    /// Time that the application may take to accept a SETUP (R-LIM-8).
    pub acceptor_timeout: Duration,
    /// Length of the SETUP frame, bytes (R-LIM-15).
    pub setup_bytes_max: usize,
    /// Data of one KEEPALIVE, bytes (R-LIM-12).
    pub keepalive_bytes_max: usize,
    /// Least keepalive interval that a SETUP may announce.
    pub keepalive_min: Duration,
    /// Least time of silence after which a peer is taken for dead, whatever it announced (R-KA-9).
    pub lifetime_min: Duration,
    /// Bytes encoded and not yet taken by the socket, beyond which sources are not pulled
    /// (R-LIM-10). Answers to the peer's own frames may add as much again before reading stops.
    pub write_budget: usize,
    /// Bytes of finished responses that wait for room; above it reading stops.
    pub responses_bytes_max: usize,
    /// Length of an outbound fragment, bytes; never above half the write budget.
    pub fragment_bytes: usize,
    /// Message of an ERROR that we send, bytes (R-LIM-20).
    pub error_message_bytes_max: usize,
    /// What is kept of the message of an ERROR that the peer sends, bytes (R-LIM-20).
    pub error_kept_bytes_max: usize,
    /// Items beyond its credit that a peer may send before it is cut off (R-REQN-9). Zero is
    /// strict.
    pub surplus_items_max: u32,
    /// After the peer sent CONNECTION_CLOSE: how long live streams may go on (R-ERR-5).
    pub close_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            streams_max: 16_384,
            item_bytes_max: 16 << 20,
            inbound_bytes_max: 64 << 20,
            reassemblies_max: 1_024,
            fragments_max: 65_536,
            empty_fragments_max: 8,
            fragment_interval: Duration::from_secs(30),
            setup_timeout: Duration::from_secs(10),
            acceptor_timeout: Duration::from_secs(30),
            setup_bytes_max: 64 << 10,
            keepalive_bytes_max: 16 << 10,
            keepalive_min: Duration::from_millis(1),
            lifetime_min: Duration::from_secs(1),
            write_budget: 32 << 10,
            responses_bytes_max: 4 << 20,
            fragment_bytes: 1 << 20,
            error_message_bytes_max: 4 << 10,
            error_kept_bytes_max: 64 << 10,
            surplus_items_max: 0,
            close_timeout: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// Length of an outbound fragment in force: it must fit the write budget with room to spare for
    /// others, and is at least 64 bytes (R-FRAG-15).
    #[must_use]
    pub fn fragment_len(&self) -> usize {
        self.fragment_bytes.min(self.write_budget / 2).max(64)
    }
}
