//! Section 3.1: the dispatch table, cell by cell, in both roles.

use bytes::{Bytes, BytesMut};

use crate::protocol::{Interaction, LeaseGrant, Limits, StreamKey};
use crate::testkit::{
    Script, cancel, channel, error, fnf, follows, item, keepalive, request, request_n, setup,
    stream,
};
use crate::wire::{
    Body, ErrorCode, Ext, Frame, FrameType, Lease, Payload, Resume, StreamId, decode,
};

use Interaction::{FireAndForget, RequestChannel, RequestResponse, RequestStream};

/// A column of the table: what the id of a frame names.
#[derive(Clone, Copy, Debug, PartialEq)]
enum On {
    Connection,
    /// Not live, of the peer's parity: never used, or finished.
    Peers(&'static str),
    /// Not live, of our parity.
    Ours(&'static str),
    /// live-RQ.
    Asked(Interaction),
    /// live-RS.
    Served(Interaction),
    /// live-RS, and the request is still in fragments.
    Joining(Interaction),
}

const COLUMNS: [On; 15] = [
    On::Connection,
    On::Peers("unused"),
    On::Peers("finished"),
    On::Ours("unused"),
    On::Ours("finished"),
    On::Asked(RequestResponse),
    On::Asked(RequestStream),
    On::Asked(RequestChannel),
    On::Served(RequestResponse),
    On::Served(RequestStream),
    On::Served(RequestChannel),
    On::Joining(RequestResponse),
    On::Joining(FireAndForget),
    On::Joining(RequestStream),
    On::Joining(RequestChannel),
];

/// A row of the table, with what tells its frames apart.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Row {
    Setup,
    Lease,
    Keepalive { respond: bool },
    Request(Interaction),
    RequestN,
    Cancel,
    Item,
    Complete,
    Error,
    MetadataPush,
    Resume,
    ResumeOk,
    Ext { ignorable: bool },
    Unknown { ignorable: bool },
}

const ROWS: [Row; 20] = [
    Row::Setup,
    Row::Lease,
    Row::Keepalive { respond: true },
    Row::Keepalive { respond: false },
    Row::Request(RequestResponse),
    Row::Request(FireAndForget),
    Row::Request(RequestStream),
    Row::Request(RequestChannel),
    Row::RequestN,
    Row::Cancel,
    Row::Item,
    Row::Complete,
    Row::Error,
    Row::MetadataPush,
    Row::Resume,
    Row::ResumeOk,
    Row::Ext { ignorable: true },
    Row::Ext { ignorable: false },
    Row::Unknown { ignorable: true },
    Row::Unknown { ignorable: false },
];

/// What a cell of the table says.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Effect {
    /// "–": counted, and nothing else.
    Ignored,
    /// ERROR[CONNECTION_ERROR], close.
    Violation,
    /// The peer ended the connection: nothing is sent.
    Ended,
    /// These events, this answer on the same id, and so many live streams more or fewer.
    Does(&'static [&'static str], Option<&'static str>, isize),
}

/// The table of conformance 3.1.
fn table(row: Row, on: On, leases: bool) -> Effect {
    use Effect::{Does, Ended, Ignored, Violation};
    match (row, on) {
        (Row::Setup | Row::ResumeOk, _) => Ignored,
        (Row::Resume, On::Connection) => Violation,
        (Row::Lease, On::Connection) if leases => Does(&["lease"], None, 0),
        (Row::Keepalive { respond: true }, On::Connection) => Does(&[], Some("KEEPALIVE beat"), 0),
        (Row::Keepalive { respond: false }, On::Connection) => Does(&[], None, 0),
        (Row::MetadataPush, On::Connection) => Does(&["metadata push"], None, 0),
        (Row::Error, On::Connection) => Ended,
        (Row::Lease | Row::Keepalive { .. } | Row::MetadataPush | Row::Resume, _) => Ignored,

        (Row::Request(FireAndForget), On::Peers(_)) => Does(&["fire-and-forget"], None, 0),
        (Row::Request(_), On::Peers(_)) => Does(&["request"], None, 1),
        // R-SID-9; its requester has forgotten the id of a fire-and-forget (R-FNF-1).
        (Row::Request(FireAndForget), On::Ours(_)) => Does(&[], None, 0),
        (Row::Request(_), On::Ours(_)) => Does(&[], Some("ERROR INVALID"), 0),
        (Row::Request(_), _) => Ignored,

        (Row::RequestN, On::Asked(RequestChannel)) => Does(&["credit"], None, 0),
        (Row::RequestN, On::Served(RequestStream | RequestChannel)) => Does(&["credit"], None, 0),
        (Row::RequestN, On::Joining(RequestStream | RequestChannel)) => Does(&[], None, 0),
        (Row::RequestN, _) => Ignored,

        (Row::Cancel, On::Asked(RequestChannel)) => Does(&["outbound cancelled"], None, 0),
        (Row::Cancel | Row::Error, On::Served(_)) => Does(&["ended"], None, -1),
        (Row::Cancel | Row::Error, On::Joining(_)) => Does(&[], None, -1),
        (Row::Error, On::Asked(_)) => Does(&["input"], None, -1),
        (Row::Cancel | Row::Error, _) => Ignored,

        (Row::Item | Row::Complete, On::Asked(RequestResponse)) => Does(&["input"], None, -1),
        (Row::Item, On::Asked(_)) => Does(&["input"], None, 0),
        (Row::Complete, On::Asked(RequestStream)) => Does(&["input"], None, -1),
        (Row::Complete, On::Asked(_)) => Does(&["input"], None, 0),
        (Row::Item | Row::Complete, On::Served(RequestChannel)) => Does(&["input"], None, 0),
        (Row::Item | Row::Complete, On::Joining(FireAndForget)) => {
            Does(&["fire-and-forget"], None, -1)
        }
        (Row::Item | Row::Complete, On::Joining(_)) => Does(&["request"], None, 0),
        (Row::Item | Row::Complete, _) => Ignored,

        (Row::Ext { ignorable } | Row::Unknown { ignorable }, _) if ignorable => Ignored,
        (Row::Ext { .. } | Row::Unknown { .. }, _) => Violation,
    }
}

/// The frame of a row on this stream, as the peer encodes it.
fn frame(row: Row, id: u32) -> Bytes {
    let on = |body: Body| Frame::new(StreamId::new(id), body);
    let data = Bytes::from_static(b"m");
    let frame = match row {
        Row::Setup => on(setup().body),
        Row::Lease => on(Body::Lease(Lease { ttl_ms: 1_000, requests: 9, metadata: None })),
        Row::Keepalive { respond } => on(keepalive(respond, "beat").body),
        Row::Request(RequestResponse) => request(id, "x"),
        Row::Request(FireAndForget) => fnf(id, "x"),
        Row::Request(RequestStream) => stream(id, 1),
        Row::Request(RequestChannel) => channel(id, 1, "x"),
        Row::RequestN => request_n(id, 3),
        Row::Cancel => cancel(id),
        Row::Item => item(id, "N", "x"),
        Row::Complete => item(id, "C", ""),
        Row::Error => error(id, ErrorCode::CANCELED, "no"),
        Row::MetadataPush => on(Body::MetadataPush { metadata: data }),
        Row::Resume => on(Body::Resume(Resume {
            version: (1, 0),
            token: data,
            server_position: 0,
            client_position: 0,
        })),
        Row::ResumeOk => on(Body::ResumeOk { position: 0 }),
        Row::Ext { ignorable } => {
            on(Body::Ext(Ext { ignorable, metadata: false, extended_type: 7, rest: data }))
        }
        Row::Unknown { ignorable } => {
            let id = id.to_be_bytes();
            // Type 0x10, which nobody has assigned.
            let first = if ignorable { 0x42 } else { 0x40 };
            return Bytes::from([&id[..], &[first, 0, b'?']].concat());
        }
    };
    let mut bytes = BytesMut::new();
    frame.encode(&mut bytes);
    bytes.freeze()
}

/// A connection with a live stream for every column.
struct World {
    script: Script,
    keys: Vec<(On, u32, Option<StreamKey>)>,
}

impl World {
    fn new(is_server: bool, leases: bool) -> Self {
        let script = if is_server { serving(leases) } else { asking(leases) };
        let (first_own, first_peers) = if is_server { (2, 1) } else { (1, 2) };
        let mut world = Self { script, keys: Vec::new() };
        let mut own = (first_own..).step_by(2);
        let mut peers = (first_peers..).step_by(2);
        for on in COLUMNS {
            let id = match on {
                On::Connection => 0,
                On::Ours("unused") => first_own + 0x1000,
                On::Peers("unused") => first_peers + 0x1000,
                On::Ours(_) | On::Asked(_) => own.next().unwrap(),
                On::Peers(_) | On::Served(_) | On::Joining(_) => peers.next().unwrap(),
            };
            let key = world.prepare(on, id);
            world.keys.push((on, id, key));
        }
        world.script.heard();
        world.script.said();
        world.script.connection.take_stats();
        world
    }

    /// Makes the id what the column says.
    fn prepare(&mut self, on: On, id: u32) -> Option<StreamKey> {
        let script = &mut self.script;
        script.events();
        match on {
            On::Connection | On::Peers("unused") | On::Ours("unused") => None,
            On::Peers(_) => {
                script.open(&stream(id, 1));
                script.receive(&cancel(id));
                None
            }
            On::Ours(_) => {
                script.ask(RequestStream, 1);
                script.receive(&item(id, "C", ""));
                None
            }
            On::Asked(interaction) => Some(script.ask(interaction, 5)),
            On::Served(interaction) => {
                let key = script.open(&opening(interaction, id));
                if interaction == RequestChannel {
                    script.grant(key, 5);
                }
                if interaction != RequestResponse {
                    assert_eq!(script.put(key, &Payload::new("x"), 5), 1, "the credit is used up");
                }
                Some(key)
            }
            On::Joining(interaction) => {
                script.receive(&follows(opening(interaction, id)));
                None
            }
        }
    }
}

fn opening(interaction: Interaction, id: u32) -> Frame {
    let bytes = frame(Row::Request(interaction), id);
    decode(bytes).unwrap()
}

const GRANT: LeaseGrant = LeaseGrant { requests: 1_000, ttl: std::time::Duration::from_secs(60) };

fn serving(leases: bool) -> Script {
    let mut script = Script::raw_server(Limits::default(), Some(GRANT));
    let mut first = setup();
    if let Body::Setup(setup) = &mut first.body {
        setup.lease = leases;
    }
    script.receive(&first);
    script.events();
    script.connection.accept(script.now);
    lend(&mut script, leases);
    script
}

fn asking(leases: bool) -> Script {
    let mut script = Script::raw_client(Limits::default(), leases, Some(GRANT));
    lend(&mut script, leases);
    script
}

/// The peer grants requests to the connection under test.
fn lend(script: &mut Script, leases: bool) {
    if leases {
        let lease = Lease { ttl_ms: 60_000, requests: 100, metadata: None };
        script.receive(&Frame::new(StreamId::CONNECTION, Body::Lease(lease)));
    }
}

/// Holds one cell against what happens.
fn check(is_server: bool, leases: bool, row: Row, on: On) {
    let World { mut script, keys } = World::new(is_server, leases);
    let (_, id, _) = *keys.iter().find(|(column, ..)| *column == on).unwrap();
    let before = format!("{:?}", script.connection);
    let live = script.connection.live_streams();
    script.connection.handle_frame(script.now, frame(row, id));

    let cell = format!("{row:?} on {on:?}, server: {is_server}, leases: {leases}");
    script.connection.assert_sound();
    let ignored = script.connection.take_stats().ignored;
    let unchanged = before == format!("{:?}", script.connection);
    let happened = script.heard();
    let answers = script.said();
    let gone = script.connection.live_streams().cast_signed() - live.cast_signed();
    match table(row, on, leases) {
        Effect::Ignored => {
            assert!(unchanged, "{cell}: the connection changed");
            assert_eq!((ignored, happened, answers), (1, vec![], vec![]), "{cell}");
        }
        Effect::Violation => {
            assert_eq!(answers, ["0 ERROR CONNECTION_ERROR"], "{cell}");
            assert!(script.connection.is_closed(), "{cell}");
        }
        Effect::Ended => {
            assert!(answers.is_empty() && script.connection.is_closed(), "{cell}: {answers:?}");
        }
        Effect::Does(expected, answer, change) => {
            let answer: Vec<String> = answer.iter().map(|said| format!("{id} {said}")).collect();
            assert_eq!((happened, answers), (expected.to_vec(), answer), "{cell}");
            assert_eq!((ignored, gone), (0, change), "{cell}");
            assert!(!script.connection.is_closed(), "{cell}");
        }
    }
}

#[test]
fn r_dsp_1_r_dsp_2_every_frame_on_every_stream_does_what_the_table_says() {
    for row in ROWS {
        for on in COLUMNS {
            for (is_server, leases) in [(true, false), (true, true), (false, false), (false, true)]
            {
                check(is_server, leases, row, on);
            }
        }
    }
}

#[test]
fn the_rows_are_all_the_frames_there_are() {
    let mut seen = [false; FrameType::COUNT];
    for row in ROWS {
        let index = match decode(frame(row, 1)) {
            Ok(frame) => frame.frame_type().index(),
            Err(error) => error.frame_type.unwrap().index(),
        };
        seen[index] = true;
    }
    assert!(seen.iter().all(|seen| *seen), "{seen:?}");
}
