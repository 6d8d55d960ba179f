//! The table of keys.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::domain::{
    KIB, MIB, address, bytes, count, millis, no_address, origins, path, per_second, secret, switch,
};
use super::schema::{Key, Section, declare};
use super::value::{Field, Millis, Secret, Value};

/// The greatest value of a 31-bit field (R-HDR-3).
const FIELD_MAX: u64 = (1 << 31) - 1;
/// The longest frame of the protocol, bytes (R-WIRE-3), and the longest that is sent over TCP
/// (R-WIRE-8).
const FRAME_BYTES_MAX: u64 = 16_777_215;
const FRAME_BYTES_TCP_MAX: u64 = 16_777_212;
const HOUR_MS: u64 = 3_600_000;

declare! {
    /// Where the server listens. Port 0 takes any free port.
    listen: Listen {
        /// RSocket over TCP.
        tcp: SocketAddr = address("127.0.0.1:7000"), flag "--tcp";
        /// HTTP: RSocket over WebSocket at `/rsocket`, `/healthz`, `/readyz` and, without an admin
        /// address, `/metrics`.
        http: SocketAddr = address("127.0.0.1:8080"), flag "--http";
        /// HTTP for operators: `/metrics` and `/debug/*` move here.
        admin: Option<SocketAddr> = no_address(), flag "--admin";
    }

    /// The HTTP side.
    http: Http {
        /// Origins whose pages may open a WebSocket. When empty: the host name that the request
        /// itself names, whatever the port, and any loopback name on a loopback listener. A client
        /// that sends no Origin is let in.
        allowed_origins: Vec<String> = origins();
    }

    /// Where topics are kept.
    store: Store {
        /// The directory of the store.
        data_dir: PathBuf = path("tidegate-data"), flag "--data-dir";
        /// Keep everything in memory and leave `store.data_dir` alone.
        ephemeral: bool = switch(false), flag "--ephemeral";
    }

    /// Who may do what.
    auth: Auth {
        /// The bearer token that routes of the class `manage` ask for. Without it they are refused.
        manage_key: Option<Secret> = secret(), flag "--manage-key";
    }

    /// Routes for tests and first steps.
    debug: Debug {
        /// Serve the `debug.*` routes.
        routes: bool = switch(false), flag "--debug-routes";
    }

    /// Bounds. What a peer meets when it reaches one stands in parentheses.
    limits: Limits {
        /// Connections at once, over both transports (refused at accept, R-LIM-18).
        connections_max: usize = count(10_000, 1, 1_000_000);
        /// Connections at once from one address (refused at accept, R-LIM-18). The default narrows
        /// nothing, since a proxy makes all its users one address.
        connections_per_address_max: usize = count(10_000, 1, 1_000_000);
        /// Live streams that a peer may have on one connection (REJECTED, R-LIM-7).
        streams_per_connection_max: usize = count(16_384, 1, 65_536);
        /// Length of an inbound frame (the connection is closed, R-LIM-1).
        frame_bytes_max: usize = bytes(FRAME_BYTES_MAX, KIB, FRAME_BYTES_MAX);
        /// Metadata and data of one item after reassembly (CANCELED, R-LIM-2).
        item_bytes_max: usize = bytes(16 * MIB, KIB, 1_024 * MIB);
        /// Bytes of unfinished items, and of items that no handler has taken yet, on one connection
        /// (CANCELED, R-LIM-3).
        reassembly_bytes_max: usize = bytes(64 * MIB, KIB, 4_096 * MIB);
        /// Time between two fragments of one item (CANCELED, R-LIM-4).
        fragment_interval_ms: Millis = millis(30_000, 10, HOUR_MS);
        /// Items in reassembly at once on one connection (REJECTED, R-LIM-5).
        reassemblies_max: usize = count(1_024, 1, 65_536);
        /// Fragments of one item (INVALID, R-LIM-6).
        fragments_max: u32 = count(65_536, 2, 16_777_216);
        /// Fragments of one item that carry nothing (INVALID, R-LIM-6).
        empty_fragments_max: u32 = count(8, 0, 65_536);
        /// Time until the first frame is there, and until an HTTP request is whole (closed,
        /// R-LIM-8).
        setup_ms: Millis = millis(10_000, 10, HOUR_MS);
        /// Time to decide about a SETUP (REJECTED_SETUP, R-LIM-8).
        acceptor_ms: Millis = millis(30_000, 10, HOUR_MS);
        /// Length of the SETUP frame (INVALID_SETUP, R-LIM-15).
        setup_bytes_max: usize = bytes(64 * KIB, 256, FRAME_BYTES_MAX);
        /// Least keepalive interval that a SETUP may announce (UNSUPPORTED_SETUP).
        keepalive_ms_min: Millis = millis(100, 1, 60_000);
        /// Least silence after which a peer is taken for dead, whatever it announced (R-KA-9).
        lifetime_ms_min: Millis = millis(1_000, 1, HOUR_MS);
        /// Data of one KEEPALIVE (CONNECTION_ERROR, R-LIM-12). Pending answers count in
        /// `limits.write_budget_bytes`.
        keepalive_bytes_max: usize = bytes(16 * KIB, 0, MIB);
        /// Credit that a channel's sender holds at most; nothing else is buffered for a handler
        /// (R-LIM-14).
        channel_window: u32 = count(64, 1, 65_536);
        /// Items beyond its credit that a peer may send (CANCELED, R-REQN-9).
        surplus_items_max: u32 = count(0, 0, 65_536);
        /// Fire-and-forget requests of one connection in work at once (shed and counted, R-FNF-5).
        fnf_in_flight_max: usize = count(1_024, 1, 1_000_000);
        /// Fire-and-forget requests of one connection without a lease (shed and counted, R-FNF-5).
        /// One second's worth may come at once.
        fnf_per_second: u32 = per_second(20_000, 1, 10_000_000);
        /// Bytes encoded for one connection and not yet taken by the kernel; at this point sources
        /// wait and reading stops (R-LIM-10, R-KA-11).
        write_budget_bytes: usize = bytes(32 * KIB, 4 * KIB, 16 * MIB);
        /// Bytes of finished responses that wait for room on one connection; at this point reading
        /// stops (R-LIM-10).
        responses_bytes_max: usize = bytes(4 * MIB, 4 * KIB, 1_024 * MIB);
        /// Time without write progress (closed, R-LIM-11).
        write_stall_ms: Millis = millis(120_000, 100, 24 * HOUR_MS);
        /// Unsent bytes that the kernel takes ahead of a slow reader (`TCP_NOTSENT_LOWAT`).
        notsent_lowat_bytes: u32 = bytes(16 * KIB, KIB, 16 * MIB);
        /// Length of a fragment sent over TCP; half the write budget where that is less
        /// (R-FRAG-15).
        fragment_bytes_tcp: usize = bytes(MIB, 64, FRAME_BYTES_TCP_MAX);
        /// Length of a fragment sent over WebSocket; half the write budget where that is less
        /// (R-WS-6).
        fragment_bytes_ws: usize = bytes(MIB, 64, FRAME_BYTES_MAX);
        /// Entries of a composite metadata, and tags of a route (INVALID, R-LIM-19).
        metadata_entries_max: usize = count(256, 1, 4_096);
        /// Message of an ERROR that is sent (cut, R-LIM-20).
        error_message_bytes_max: usize = bytes(4 * KIB, 64, 64 * KIB);
        /// Time that live streams may go on after the peer's CONNECTION_CLOSE (closed, R-ERR-5).
        close_ms: Millis = millis(30_000, 10, HOUR_MS);
    }

    /// The grant to clients that ask for a lease; it is renewed before it ends (R-LEASE-3).
    lease: Lease {
        /// Requests in one grant.
        requests: u32 = count(1_000, 1, FIELD_MAX);
        /// How long a grant holds.
        ttl_ms: Millis = millis(10_000, 100, FIELD_MAX);
    }

    /// What SIGTERM and SIGINT begin.
    drain: Drain {
        /// Time until whatever is left is cut off.
        deadline_ms: Millis = millis(10_000, 0, HOUR_MS);
        /// Streams that are completed, over all connections, so that their readers do not come back
        /// all at once.
        streams_per_second: u32 = per_second(1_000, 1, 10_000_000);
        /// The wait that a refused request is advised of.
        retry_ms: Millis = millis(1_000, 1, HOUR_MS);
    }

    /// Bounds of live topics.
    topics: Topics {
        /// Topics at once (REJECTED).
        topics_max: usize = count(10_000, 1, 10_000_000);
        /// How long a topic without readers and news stays.
        idle_ms: Millis = millis(600_000, 1_000, 24 * HOUR_MS);
    }

    /// Emoji reactions: their windows and how much of them is kept for slow readers.
    reactions: Reactions {
        /// Length of a window.
        window_ms: Millis = millis(500, 100, 10_000);
        /// Different emoji in one topic; further ones count as `other`.
        keys_per_topic_max: usize = count(1_000, 1, 65_536);
        /// Closed windows kept in one topic: its history by count and, times the window's length,
        /// by age.
        windows_max: usize = count(1_024, 1, 65_536);
        /// Counts kept in all closed windows of one topic, 16 bytes each: its history by size.
        entries_max: usize = count(16_384, 1, 16_777_216);
    }
}

/// Every key, in the order of the declaration.
pub(super) fn keys() -> impl Iterator<Item = &'static Key> {
    SECTIONS.iter().flat_map(|section| section.keys)
}
