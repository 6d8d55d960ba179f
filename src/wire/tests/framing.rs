//! The length prefix, and what holds for both framings (conformance 1.1).

use bytes::{Bytes, BytesMut};

use super::vectors::named;
use super::{Random, encoded};
use crate::wire::{Deframer, Framing, FramingError, Inbound, Malformed, Masking, decode};

const MAX: usize = 0xFF_FFFF;

/// One framing in both directions: how it sends, and what cuts that apart.
struct Way {
    framing: Framing,
    deframer: fn() -> Deframer,
}

fn ways() -> [Way; 3] {
    let client = Framing::WebSocket(Masking::Client { seed: 7 });
    [
        Way { framing: Framing::LengthPrefix, deframer: || Deframer::length_prefix(MAX) },
        Way { framing: client, deframer: || Deframer::websocket(true, MAX) },
        Way {
            framing: Framing::WebSocket(Masking::None),
            deframer: || Deframer::websocket(false, MAX),
        },
    ]
}

/// Everything that the chunks bring, in order.
fn units(mut deframer: Deframer, chunks: &[&[u8]]) -> Vec<Inbound> {
    let mut buffer = BytesMut::new();
    let mut units = Vec::new();
    for chunk in chunks {
        buffer.extend_from_slice(chunk);
        while let Some(unit) = deframer.next(&mut buffer).expect("well-formed") {
            units.push(unit);
        }
    }
    assert!(buffer.is_empty(), "bytes left over");
    units
}

fn frames() -> Vec<Bytes> {
    let mut frames = Vec::new();
    for name in ["cancel", "keepalive_respond", "setup_metadata_data", "payload_next_empty"] {
        frames.push(named(name));
    }
    frames
}

fn framed(framing: &mut Framing, frames: &[Bytes]) -> Vec<u8> {
    let mut out = BytesMut::new();
    for frame in frames {
        framing.encode(&mut out, frame.len(), |out| out.extend_from_slice(frame));
    }
    out.to_vec()
}

#[test]
fn r_wire_1_the_prefix_is_the_length_without_itself() {
    let sent = framed(&mut Framing::LengthPrefix, &[named("cancel")]);
    assert_eq!(sent, named("tcp_cancel"));
}

#[test]
fn r_wire_2_a_websocket_message_is_the_frame_alone() {
    let cancel = named("cancel");
    let sent = framed(&mut Framing::WebSocket(Masking::None), std::slice::from_ref(&cancel));
    assert_eq!(sent, [&[0x82, 6][..], &cancel].concat());
}

#[test]
fn r_wire_4_chunks_do_not_show() {
    for mut way in ways() {
        let frames = frames();
        let wanted: Vec<_> = frames.iter().cloned().map(Inbound::Frame).collect();
        let sent = framed(&mut way.framing, &frames);
        assert_eq!(units((way.deframer)(), &[&sent]), wanted, "all at once");
        for at in 0..=sent.len() {
            let (first, second) = sent.split_at(at);
            assert_eq!(units((way.deframer)(), &[first, second]), wanted, "split at {at}");
        }
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(units((way.deframer)(), &bytes), wanted, "one byte at a time");
    }
}

#[test]
fn r_wire_4_r_wire_9_many_frames_in_one_read_keep_their_order() {
    let mut random = Random(1);
    for mut way in ways() {
        let frames: Vec<Bytes> = (0..2000)
            .map(|_| (0..6 + random.below(200)).map(|_| random.byte()).collect())
            .collect();
        let wanted: Vec<_> = frames.iter().cloned().map(Inbound::Frame).collect();
        let sent = framed(&mut way.framing, &frames);
        assert_eq!(units((way.deframer)(), &[&sent]), wanted);
        let mut chunks = Vec::new();
        let mut rest = &sent[..];
        while !rest.is_empty() {
            let (chunk, tail) = rest.split_at(random.below(rest.len().min(997)) + 1);
            chunks.push(chunk);
            rest = tail;
        }
        assert_eq!(units((way.deframer)(), &chunks), wanted);
    }
}

#[test]
fn r_wire_5_a_length_below_the_header_is_malformed() {
    for len in 0..6u8 {
        // Said by the prefix alone: the body may never come.
        let mut buffer = BytesMut::from(&[0, 0, len][..]);
        let next = Deframer::length_prefix(MAX).next(&mut buffer);
        let error = next.expect_err("too short");
        assert_eq!(error, FramingError::TooShort(len.into()));
        assert_eq!(error.close_code(), 1002);
    }
    let error = decode(named("bad_truncated_header")).expect_err("five bytes");
    assert_eq!((error.kind, error.stream_id), (Malformed::Truncated, None));
}

#[test]
fn r_ws_4_r_wire_5_a_message_below_the_header_is_malformed() {
    for len in 0..6u8 {
        let mut buffer = BytesMut::from(&[0x82, len][..]);
        buffer.resize(2 + usize::from(len), 0);
        let next = Deframer::websocket(false, MAX).next(&mut buffer);
        assert_eq!(next, Err(FramingError::TooShort(len.into())));
    }
}

#[test]
fn r_wire_6_too_long_is_said_before_the_body() {
    let max = 1000;
    let too_long = Err(FramingError::TooLong { len: 1001, max });
    let mut buffer = BytesMut::from(&[0, 0x03, 0xE8][..]);
    assert_eq!(Deframer::length_prefix(max).next(&mut buffer), Ok(None), "just fits");
    let mut buffer = BytesMut::from(&[0, 0x03, 0xE9][..]);
    assert_eq!(Deframer::length_prefix(max).next(&mut buffer), too_long);
    let mut buffer = BytesMut::from(&[0x82, 126, 0x03, 0xE8][..]);
    assert_eq!(Deframer::websocket(false, max).next(&mut buffer), Ok(None), "just fits");
    let mut buffer = BytesMut::from(&[0x82, 126, 0x03, 0xE9][..]);
    let next = Deframer::websocket(false, max).next(&mut buffer);
    assert_eq!(next, too_long);
    assert_eq!(next.expect_err("too long").close_code(), 1009);
}

#[test]
fn r_wire_7_the_end_inside_a_frame_yields_nothing() {
    let sent = named("tcp_two_frames_coalesced");
    let first = named("tcp_two_frames_coalesced").slice(3..17);
    for len in 17..sent.len() {
        let mut buffer = BytesMut::from(&sent[..len]);
        let mut deframer = Deframer::length_prefix(MAX);
        assert_eq!(deframer.next(&mut buffer), Ok(Some(Inbound::Frame(first.clone()))));
        assert_eq!(deframer.next(&mut buffer), Ok(None), "cut after {len}");
        assert_eq!(buffer.len(), len - 17, "the part stays, to be discarded");
    }
}

#[test]
fn r_wire_3_r_wire_8_longest_frames() {
    assert_eq!(Framing::LengthPrefix.frame_len_max(), 16_777_212);
    assert_eq!(Framing::WebSocket(Masking::None).frame_len_max(), 16_777_215);
    for mut way in ways() {
        let frame = Bytes::from(vec![0x55; way.framing.frame_len_max()]);
        let sent = framed(&mut way.framing, std::slice::from_ref(&frame));
        // Not assert_eq: it would print 16 MiB.
        assert!(units((way.deframer)(), &[&sent]) == [Inbound::Frame(frame)]);
    }
}

#[test]
fn r_ws_6_the_inbound_limit_reaches_the_frame_limit() {
    let header = |len: u64| [&[0x82, 127][..], &len.to_be_bytes()].concat();
    let mut deframer = Deframer::websocket(false, MAX);
    assert_eq!(deframer.next(&mut BytesMut::from(&header(16_777_215)[..])), Ok(None));
    for len in [16_777_216, 1 << 32, 1 << 63, u64::MAX] {
        let next = deframer.next(&mut BytesMut::from(&header(len)[..]));
        assert_eq!(next, Err(FramingError::TooLong { len, max: MAX }));
    }
}

#[test]
fn r_ws_7_a_prefix_inside_a_message_is_malformed() {
    let setup = named("setup_java_default");
    let prefixed = framed(&mut Framing::LengthPrefix, &[setup]);
    let error = decode(prefixed.into()).expect_err("not a frame");
    assert_eq!(error.kind, Malformed::UnknownType);
    assert!(!error.ignorable);
}

#[test]
fn overhead_is_what_framing_adds() {
    for mut way in ways() {
        for len in [6, 7, 125, 126, 127, 65_535, 65_536, 1 << 20] {
            let frame = Bytes::from(vec![1; len]);
            let sent = framed(&mut way.framing, &[frame]);
            assert_eq!(sent.len(), len + way.framing.overhead(len), "{len}");
        }
    }
}

#[test]
fn a_byte_stream_has_neither_pong_nor_close() {
    let mut out = BytesMut::new();
    Framing::LengthPrefix.pong(&mut out, b"data");
    Framing::LengthPrefix.close(&mut out, 1000);
    assert!(out.is_empty());
}

#[test]
fn frames_written_behind_others_are_framed_where_they_stand() {
    for mut way in ways() {
        let mut out = BytesMut::from(&b"before"[..]);
        let frame = decode(named("payload_next_metadata")).expect("valid");
        way.framing.encode(&mut out, frame.encoded_len(), |out| frame.encode(out));
        let units = units((way.deframer)(), &[&out[6..]]);
        assert_eq!(out[..6], *b"before");
        assert_eq!(units, [Inbound::Frame(encoded(&frame))]);
    }
}
