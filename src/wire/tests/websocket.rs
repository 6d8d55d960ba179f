//! WebSocket framing against an independent implementation, and what RFC 6455 forbids.

use std::io::{self, Cursor, Read, Write};

use bytes::{Bytes, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket, WebSocketConfig};
use tokio_tungstenite::tungstenite::{self, Message};

use crate::wire::{Deframer, Framing, FramingError, Inbound, Masking};

const MAX: usize = 0xFF_FFFF;
/// On both sides of every change of the length field.
const SIZES: [usize; 8] = [6, 125, 126, 127, 65_535, 65_536, 65_537, 1 << 20];

/// A socket in memory: reads what we put in, keeps what the peer writes.
#[derive(Default)]
struct Pipe {
    inbound: Cursor<Vec<u8>>,
    outbound: Vec<u8>,
}

impl Read for Pipe {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.inbound.read(into)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            len => Ok(len),
        }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outbound.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The peer, our framing towards it, our deframer for what it sends.
struct Pair {
    peer: WebSocket<Pipe>,
    framing: Framing,
    deframer: Deframer,
}

fn pairs() -> [Pair; 2] {
    let config = WebSocketConfig::default().max_frame_size(None).max_message_size(None);
    let peer = |role| WebSocket::from_raw_socket(Pipe::default(), role, Some(config));
    [
        Pair {
            peer: peer(Role::Client),
            framing: Framing::WebSocket(Masking::None),
            deframer: Deframer::websocket(true, MAX),
        },
        Pair {
            peer: peer(Role::Server),
            framing: Framing::WebSocket(Masking::Client { seed: 42 }),
            deframer: Deframer::websocket(false, MAX),
        },
    ]
}

impl Pair {
    /// What the peer reads when this is written to it.
    fn read(&mut self, sent: &[u8]) -> tungstenite::Result<Message> {
        self.peer.get_mut().inbound.get_mut().extend_from_slice(sent);
        self.peer.read()
    }

    /// What we read when the peer sends this.
    fn send(&mut self, message: Message) -> Result<Option<Inbound>, FramingError> {
        self.peer.send(message).expect("the peer can write");
        let mut buffer = BytesMut::from(&self.peer.get_mut().outbound[..]);
        self.peer.get_mut().outbound.clear();
        let next = self.deframer.next(&mut buffer);
        assert!(next.is_err() || buffer.is_empty(), "one unit is one unit");
        next
    }
}

fn pattern(len: usize) -> Bytes {
    (0..=250).cycle().take(len).collect()
}

fn part(data: &Bytes, opcode: Data, last: bool) -> Message {
    Message::Frame(Frame::message(data.clone(), OpCode::Data(opcode), last))
}

#[test]
fn r_ws_3_our_frames_are_single_binary_messages_to_the_peer() {
    for mut pair in pairs() {
        for size in SIZES {
            let data = pattern(size);
            let mut out = BytesMut::new();
            pair.framing.encode(&mut out, size, |out| out.extend_from_slice(&data));
            assert_eq!(out[0], 0x82, "final and binary");
            assert!(pair.read(&out).expect("valid") == Message::Binary(data), "{size}");
        }
    }
}

#[test]
fn messages_of_the_peer_arrive() {
    for mut pair in pairs() {
        for size in SIZES {
            let data = pattern(size);
            let next = pair.send(Message::Binary(data.clone()));
            assert!(next == Ok(Some(Inbound::Frame(data))), "{size}");
        }
    }
}

#[test]
fn masks_differ_from_frame_to_frame() {
    let mut framing = Framing::WebSocket(Masking::Client { seed: 1 });
    let mut masks = Vec::new();
    for _ in 0..100 {
        let mut out = BytesMut::new();
        framing.encode(&mut out, 6, |out| out.extend_from_slice(&[0; 6]));
        assert_eq!(out[1], 0x80 | 6);
        masks.push(out[2..6].to_vec());
    }
    masks.sort();
    masks.dedup();
    assert_eq!(masks.len(), 100);
}

#[test]
fn r_ws_5_pings_are_answered_and_pongs_are_ignored() {
    for mut pair in pairs() {
        for size in [0, 1, 125] {
            let data = pattern(size);
            let next = pair.send(Message::Ping(data.clone()));
            assert_eq!(next, Ok(Some(Inbound::Ping(data.clone()))));
            let mut out = BytesMut::new();
            pair.framing.pong(&mut out, &data);
            assert_eq!(pair.read(&out).expect("valid"), Message::Pong(data.clone()));
            assert_eq!(pair.send(Message::Pong(data)), Ok(Some(Inbound::Pong)));
        }
    }
}

#[test]
fn r_ws_5_close_carries_its_code_both_ways() {
    for code in [1000u16, 1002, 1003, 1009] {
        for mut pair in pairs() {
            let mut out = BytesMut::new();
            pair.framing.close(&mut out, code);
            let Message::Close(Some(close)) = pair.read(&out).expect("valid") else {
                panic!("not a close with a code");
            };
            assert_eq!(u16::from(close.code), code);
            // The peer answers with the same code.
            let _ = pair.peer.flush();
            let mut buffer = BytesMut::from(&pair.peer.get_mut().outbound[..]);
            let next = pair.deframer.next(&mut buffer);
            assert_eq!(next, Ok(Some(Inbound::Close(Some(code)))));
        }
    }
    for mut pair in pairs() {
        pair.peer.close(None).expect("the peer can write");
        let mut buffer = BytesMut::from(&pair.peer.get_mut().outbound[..]);
        assert_eq!(pair.deframer.next(&mut buffer), Ok(Some(Inbound::Close(None))));
    }
}

#[test]
fn r_ws_2_continuations_are_joined_around_a_ping() {
    for mut pair in pairs() {
        let data = pattern(200_000);
        let (a, b, c) =
            (data.slice(..131_072), data.slice(131_072..131_075), data.slice(131_075..));
        let empty = Bytes::new();
        assert_eq!(pair.send(part(&a, Data::Binary, false)), Ok(None));
        let ping = pair.send(Message::Ping(Bytes::from_static(b"between")));
        assert_eq!(ping, Ok(Some(Inbound::Ping(Bytes::from_static(b"between")))));
        assert_eq!(pair.send(part(&b, Data::Continue, false)), Ok(None));
        assert_eq!(pair.send(part(&empty, Data::Continue, false)), Ok(None));
        assert_eq!(pair.send(Message::Pong(empty.clone())), Ok(Some(Inbound::Pong)));
        let whole = pair.send(part(&c, Data::Continue, true));
        assert!(whole == Ok(Some(Inbound::Frame(data))));
        // Nothing of it is left for the next message.
        let next = pair.send(Message::Binary(pattern(6)));
        assert_eq!(next, Ok(Some(Inbound::Frame(pattern(6)))));
    }
}

#[test]
fn r_ws_2_parts_may_be_shorter_than_a_frame_header() {
    for mut pair in pairs() {
        assert_eq!(pair.send(part(&Bytes::new(), Data::Binary, false)), Ok(None));
        for _ in 0..5 {
            assert_eq!(pair.send(part(&pattern(1), Data::Continue, false)), Ok(None));
        }
        let whole = pair.send(part(&pattern(1), Data::Continue, true));
        assert_eq!(whole, Ok(Some(Inbound::Frame(Bytes::from_static(&[0; 6])))));
    }
}

#[test]
fn r_ws_2_many_small_parts_cost_no_more_than_their_bytes() {
    // A copy of everything for each part would take minutes here.
    const PARTS: usize = 2_000_000;
    let mut deframer = Deframer::websocket(false, MAX);
    let mut buffer = BytesMut::from(&[0x02, 1, 0][..]);
    for _ in 0..PARTS {
        buffer.extend_from_slice(&[0x00, 1, 0]);
    }
    buffer.extend_from_slice(&[0x80, 1, 0]);
    let Ok(Some(Inbound::Frame(whole))) = deframer.next(&mut buffer) else {
        panic!("not a frame");
    };
    assert_eq!(whole.len(), PARTS + 2);
}

#[test]
fn r_ws_2_r_ws_5_parts_together_keep_to_the_limit() {
    let mut deframer = Deframer::websocket(false, 100);
    let mut send = |bytes: &[u8]| deframer.next(&mut BytesMut::from(bytes));
    assert_eq!(send(&[&[0x02, 60][..], &[0; 60]].concat()), Ok(None));
    // Said with the header of the part that is too much, before its body.
    let next = send(&[0x00, 41]);
    assert_eq!(next, Err(FramingError::TooLong { len: 101, max: 100 }));
    assert_eq!(next.expect_err("too long").close_code(), 1009);
}

#[test]
fn r_ws_5_text_is_refused_with_1003() {
    for mut pair in pairs() {
        let next = pair.send(Message::text("{\"hello\":1}"));
        assert_eq!(next, Err(FramingError::Text));
        assert_eq!(FramingError::Text.close_code(), 1003);
        let begin = pair.send(part(&pattern(1), Data::Text, false));
        assert_eq!(begin, Err(FramingError::Text));
    }
}

/// What a server says to these bytes of a client, and a client to these of a server.
fn refusal(masked: bool, bytes: &[u8]) -> FramingError {
    let next = Deframer::websocket(masked, MAX).next(&mut BytesMut::from(bytes));
    let error = next.expect_err("refused");
    assert!(!error.to_string().is_empty());
    error
}

#[test]
fn masking_must_fit_the_sender() {
    let plain = [0x82, 6, 0, 0, 0, 0, 0, 0];
    let masked = [0x82, 0x86, 1, 2, 3, 4, 0, 0, 0, 0, 0, 0];
    assert_eq!(refusal(true, &plain), FramingError::Masking);
    assert_eq!(refusal(false, &masked), FramingError::Masking);
    assert_eq!(refusal(true, &[0x89, 0]), FramingError::Masking, "control frames as well");
    assert_eq!(FramingError::Masking.close_code(), 1002);
}

#[test]
fn reserved_bits_and_opcodes_are_refused() {
    for bit in [0x40, 0x20, 0x10] {
        assert_eq!(refusal(false, &[0x82 | bit, 6]), FramingError::Reserved);
    }
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        assert_eq!(refusal(false, &[0x80 | opcode, 6]), FramingError::Reserved, "{opcode}");
    }
    assert_eq!(FramingError::Reserved.close_code(), 1002);
}

#[test]
fn control_frames_are_short_and_whole() {
    for opcode in [0x8, 0x9, 0xA] {
        assert_eq!(refusal(false, &[opcode, 0]), FramingError::Control, "fragmented");
        assert_eq!(refusal(false, &[0x80 | opcode, 126, 0, 126]), FramingError::Control);
        let huge = [0x80 | opcode, 127, 0, 0, 0, 0, 0, 1, 0, 0];
        assert_eq!(refusal(false, &huge), FramingError::Control);
    }
    assert_eq!(FramingError::Control.close_code(), 1002);
}

#[test]
fn continuations_have_their_place() {
    assert_eq!(refusal(false, &[0x80, 6]), FramingError::Continuation, "of nothing");
    let two_beginnings = [0x02, 1, 0, 0x82, 6];
    assert_eq!(refusal(false, &two_beginnings), FramingError::Continuation);
    assert_eq!(FramingError::Continuation.close_code(), 1002);
}

#[test]
fn the_peer_refuses_what_we_refuse() {
    // Shows that the bytes of the tests above are wrong for others, too.
    let wrong: [&[u8]; 6] = [
        &[0xC2, 0x86, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x83, 0x86, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x82, 6, 0, 0, 0, 0, 0, 0],
        &[0x09, 0x80, 0, 0, 0, 0],
        &[0x80, 0x86, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0x02, 0x81, 0, 0, 0, 0, 0, 0x82, 0x81, 0, 0, 0, 0, 0],
    ];
    for bytes in wrong {
        let [_, mut server] = pairs();
        let theirs = server.read(bytes);
        assert!(matches!(theirs, Err(tungstenite::Error::Protocol(_))), "{bytes:02x?}: {theirs:?}");
        refusal(true, bytes);
    }
}
