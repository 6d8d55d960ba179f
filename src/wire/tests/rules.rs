//! The rules of headers, layouts and metadata lengths (conformance 1.2 to 1.5, and what they touch
//! elsewhere), as far as bytes show them.

use bytes::{Bytes, BytesMut};

use super::vectors::{all, named};
use super::{encoded, unhex};
use crate::wire::{
    Body, ErrorCode, Frame, FrameType, Framing, Keepalive, Lease, Malformed, Payload, Resume,
    Setup, StreamId, decode,
};

const TOP_31: u32 = 0x8000_0000;
const TOP_63: u64 = 1 << 63;

fn of(hex: &str) -> Body {
    decode(unhex(hex)).expect("valid").body
}

fn refused(hex: &str) -> (Malformed, bool) {
    let error = decode(unhex(hex)).expect_err("malformed");
    (error.kind, error.ignorable)
}

fn on(stream_id: u32, body: Body) -> Bytes {
    encoded(&Frame::new(StreamId::new(stream_id), body))
}

/// A frame with these bits of its sixth and fifth byte set on top.
fn with_flags(frame: &[u8], bits: u16) -> Bytes {
    let [high, low] = bits.to_be_bytes();
    let mut frame = BytesMut::from(frame);
    frame[4] |= high;
    frame[5] |= low;
    frame.freeze()
}

fn request(data: &'static str) -> Payload {
    Payload::new(data)
}

#[test]
fn r_hdr_1_the_top_bit_of_a_stream_id_is_masked_and_never_sent() {
    let frame = decode(named("header_reserved_stream_bit")).expect("valid");
    assert_eq!(frame.stream_id.get(), 1);
    assert_eq!(StreamId::new(TOP_31 | 5), StreamId::new(5));
    assert!(StreamId::new(TOP_31).is_connection());
    assert_eq!(on(u32::MAX, Body::Cancel)[..4], [0x7F, 0xFF, 0xFF, 0xFF]);
}

#[test]
fn r_sid_1_parity_tells_who_opened_a_stream() {
    let of = |id: u32| (StreamId::new(id).is_connection(), StreamId::new(id).is_odd());
    assert_eq!(of(0), (true, false));
    assert_eq!((of(1), of(2)), ((false, true), (false, false)));
    assert_eq!((of(0x7FFF_FFFF), of(0x7FFF_FFFE)), ((false, true), (false, false)));
    assert_eq!(StreamId::default(), StreamId::CONNECTION);
}

/// The flags that each type defines beside I, from the table of 1.3; M where metadata has a length.
fn defined(frame_type: FrameType) -> u16 {
    match frame_type {
        FrameType::Setup | FrameType::RequestChannel => 0x1C0,
        FrameType::Lease | FrameType::MetadataPush | FrameType::Ext => 0x100,
        FrameType::Keepalive => 0x080,
        FrameType::RequestResponse | FrameType::RequestFireAndForget | FrameType::RequestStream => {
            0x180
        }
        FrameType::Payload => 0x1E0,
        FrameType::RequestN
        | FrameType::Cancel
        | FrameType::Error
        | FrameType::Resume
        | FrameType::ResumeOk
        | FrameType::Unknown(_) => 0,
    }
}

#[test]
fn r_hdr_2_undefined_flags_have_no_effect_and_are_never_sent() {
    let mut types = [false; FrameType::COUNT];
    for vector in all() {
        let Ok(frame) = decode(vector.bytes.clone()) else { continue };
        let frame_type = frame.frame_type();
        types[frame_type.index()] = true;
        let undefined = 0x1FF & !defined(frame_type);
        for bit in (0..9).map(|bit| 1 << bit).filter(|bit| undefined & bit != 0) {
            let flagged = decode(with_flags(&vector.bytes, bit));
            assert_eq!(flagged.as_ref(), Ok(&frame), "{} with {bit:#05x}", vector.name);
        }
        let sent = encoded(&frame);
        let sent = u16::from_be_bytes([sent[4], sent[5]]);
        let ignore = if frame_type == FrameType::Ext { 0x200 } else { 0 };
        assert_eq!(sent & 0x3FF & !(defined(frame_type) | ignore), 0, "{}", vector.name);
    }
    let unseen = types.iter().filter(|seen| !**seen).count();
    assert_eq!(unseen, 1, "every type but the unknown ones");
}

#[test]
fn r_hdr_2_metadata_flag_on_frames_without_metadata_reads_no_length() {
    assert_eq!(of("00000001210000000005"), Body::RequestN { n: 5 });
    assert_eq!(of("000000012500"), Body::Cancel);
    let message = Bytes::from_static(b"ab");
    assert_eq!(of("000000012d00000002016162"), Body::Error { code: ErrorCode(0x201), message });
    let keepalive = Keepalive { respond: true, position: 1, data: Bytes::from_static(b"a") };
    assert_eq!(of("000000000d80000000000000000161"), Body::Keepalive(keepalive));
    assert_eq!(of("000000003900000000000000002a"), Body::ResumeOk { position: 42 });
}

#[test]
fn r_hdr_3_reserved_top_bits_are_masked_on_receipt() {
    assert_eq!(of("00000001200080000005"), Body::RequestN { n: 5 });
    assert_eq!(of("00000001200080000000"), Body::RequestN { n: 0 });
    let stream = Body::RequestStream { follows: false, initial_n: 7, payload: request("d") };
    assert_eq!(of("0000000118008000000764"), stream);
    let channel = Body::RequestChannel {
        follows: false,
        complete: false,
        initial_n: 7,
        payload: request("d"),
    };
    assert_eq!(of("000000011c008000000764"), channel);
    let lease = Lease { ttl_ms: 1, requests: 2, metadata: None };
    assert_eq!(of("0000000008008000000180000002"), Body::Lease(lease));
    let keepalive = Keepalive { respond: false, position: 3, data: Bytes::new() };
    assert_eq!(of("000000000c008000000000000003"), Body::Keepalive(keepalive));
    assert_eq!(of("0000000038008000000000000003"), Body::ResumeOk { position: 3 });
    let Body::Resume(resume) = of("00000000340000010000000080000000000000018000000000000002")
    else {
        panic!("not a RESUME");
    };
    assert_eq!((resume.server_position, resume.client_position), (1, 2));
    let Body::Setup(setup) = of("000000000400000100008000000180000002016101620000") else {
        panic!("not a SETUP");
    };
    assert_eq!((setup.keepalive_ms, setup.lifetime_ms), (1, 2));
    let Body::Ext(ext) = of("00000001fe0080000005") else { panic!("not an EXT") };
    assert_eq!(ext.extended_type, 5);
    assert_eq!(refused("00000001fc0080000000").0, Malformed::ReservedExtension, "0 when masked");
}

#[test]
fn r_hdr_3_reserved_top_bits_are_never_sent() {
    let (n, position) = (TOP_31 | 5, TOP_63 | 5);
    assert_eq!(on(1, Body::RequestN { n }), unhex("00000001200000000005"));
    assert_eq!(on(0, Body::ResumeOk { position }), unhex("0000000038000000000000000005"));
    let lease = Lease { ttl_ms: n, requests: n, metadata: None };
    assert_eq!(on(0, Body::Lease(lease)), unhex("0000000008000000000500000005"));
    let keepalive = Keepalive { respond: false, position, data: Bytes::new() };
    assert_eq!(on(0, Body::Keepalive(keepalive)), unhex("000000000c000000000000000005"));
    let token = Bytes::new();
    let (server_position, client_position) = (position, position);
    let resume = Resume { version: (1, 0), token, server_position, client_position };
    let sent = on(0, Body::Resume(resume));
    assert_eq!(sent, unhex("00000000340000010000000000000000000000050000000000000005"));
}

#[test]
fn r_hdr_4_surplus_bytes_are_ignored() {
    let resume = named("resume");
    for frame in [named("cancel"), named("request_n_5"), named("resume_ok"), resume] {
        let longer = [&frame[..], &[0xFF; 9]].concat();
        assert_eq!(decode(longer.into()), decode(frame));
    }
}

#[test]
fn r_hdr_5_frames_short_of_their_fixed_fields_are_malformed() {
    // The shortest whole frame of each type with fixed fields.
    let shortest = [
        (FrameType::Setup, 20),
        (FrameType::Lease, 14),
        (FrameType::Keepalive, 14),
        (FrameType::RequestStream, 10),
        (FrameType::RequestChannel, 10),
        (FrameType::RequestN, 10),
        (FrameType::Error, 10),
        (FrameType::Resume, 28),
        (FrameType::ResumeOk, 14),
        (FrameType::Ext, 10),
    ];
    for (frame_type, len) in shortest {
        let mut bytes = vec![0; len];
        bytes[4] = frame_type.code() << 2;
        // An extended type above 0; elsewhere the last byte is a low one that may be anything.
        bytes[len - 1] = u8::from(frame_type == FrameType::Ext);
        assert!(decode(bytes.clone().into()).is_ok(), "{frame_type:?}");
        for short in 6..len {
            for ignorable in [false, true] {
                let ignore = if ignorable { 0x0200 } else { 0 };
                let error = decode(with_flags(&bytes[..short], ignore)).expect_err("short");
                assert_eq!(error.kind, Malformed::Truncated, "{frame_type:?} of {short}");
                assert_eq!(error.frame_type, Some(frame_type));
                assert_eq!(error.ignorable, ignorable);
            }
        }
    }
}

#[test]
fn r_meta_1_metadata_has_a_length_even_without_data() {
    let payload = Payload::with_metadata("md", "");
    assert_eq!(of("0000000311000000026d64"), Body::RequestResponse { follows: false, payload });
    // M=0: no length at all.
    let payload = Payload::new(Bytes::from_static(&[0, 0, 0]));
    assert_eq!(of("000000031000000000"), Body::RequestResponse { follows: false, payload });
    let setup = Setup {
        version: (1, 0),
        keepalive_ms: 1,
        lifetime_ms: 2,
        lease: false,
        resume_token: None,
        metadata_mime: Bytes::from_static(b"a"),
        data_mime: Bytes::from_static(b"b"),
        payload: Payload::with_metadata("md", ""),
    };
    let sent = on(0, Body::Setup(setup));
    assert_eq!(sent, unhex("000000000500000100000000000100000002016101620000026d64"));
}

#[test]
fn r_meta_1_the_length_has_24_bits() {
    let metadata = Bytes::from(vec![7; 0x01_0203]);
    let payload = Payload::with_metadata(metadata, "d");
    let body = Body::Payload { follows: false, complete: false, next: true, payload };
    let sent = on(1, body.clone());
    assert_eq!(sent[6..9], [1, 2, 3]);
    assert!(decode(sent).expect("valid").body == body);
}

#[test]
fn r_meta_2_lease_and_metadata_push_have_no_length() {
    let metadata = Bytes::from_static(&[0, 0, 2, b'm']);
    let push = on(0, Body::MetadataPush { metadata: metadata.clone() });
    assert_eq!(push, unhex("0000000031000000026d"));
    assert_eq!(of("0000000031000000026d"), Body::MetadataPush { metadata: metadata.clone() });
    let lease = Body::Lease(Lease { ttl_ms: 1, requests: 2, metadata: Some(metadata) });
    assert_eq!(of("00000000090000000001000000020000026d"), lease);
    assert_eq!(on(0, lease), unhex("00000000090000000001000000020000026d"));
}

#[test]
fn r_meta_3_r_ign_3_metadata_past_the_end_is_malformed_and_ignorable_with_i() {
    for types in [0x10, 0x14, 0x28] {
        for rest in ["", "00", "0000", "000001", "00000461626364", "ffffff61"] {
            let overrun = rest != "00000461626364";
            for ignore in [0, 2] {
                let hex = format!("00000001{:02x}20{rest}", types | 1 | ignore);
                match decode(unhex(&hex)) {
                    Ok(_) => assert!(!overrun, "{hex}"),
                    Err(error) => {
                        assert!(overrun, "{hex}");
                        assert_eq!(error.kind, Malformed::MetadataOverrun, "{hex}");
                        assert_eq!(error.ignorable, ignore == 2, "{hex}");
                    }
                }
            }
        }
    }
    // With fields before it: SETUP, REQUEST_STREAM, REQUEST_CHANNEL.
    let overrun = (Malformed::MetadataOverrun, false);
    assert_eq!(refused("0000000005000001000000000001000000020161016200000361"), overrun);
    assert_eq!(refused("000000011900000000010000026d"), overrun);
    assert_eq!(refused("000000011d00000000010000"), overrun);
}

#[test]
fn r_meta_4_absent_and_empty_metadata_are_different() {
    for (metadata, hex) in [(Some(Bytes::new()), "00000007110000000064"), (None, "00000007100064")]
    {
        let payload = Payload { metadata, data: Bytes::from_static(b"d") };
        let body = Body::RequestResponse { follows: false, payload };
        assert_eq!(on(7, body.clone()), unhex(hex));
        assert_eq!(of(hex), body);
    }
    let lease = |metadata| Body::Lease(Lease { ttl_ms: 1, requests: 2, metadata });
    for (metadata, flags) in [(Some(Bytes::new()), 0x09), (None, 0x08)] {
        let sent = on(0, lease(metadata.clone()));
        assert_eq!(sent[4], flags);
        assert_eq!(decode(sent).expect("valid").body, lease(metadata));
    }
}

#[test]
fn r_ign_4_i_on_a_frame_that_is_understood_changes_nothing() {
    for vector in all() {
        let Ok(frame) = decode(vector.bytes.clone()) else { continue };
        if frame.frame_type() != FrameType::Ext {
            let flagged = decode(with_flags(&vector.bytes, 0x0200));
            assert_eq!(flagged, Ok(frame), "{}", vector.name);
        }
    }
}

#[test]
fn r_ign_5_ext_without_an_extended_type_is_malformed() {
    assert_eq!(refused("00000001fc0000000000"), (Malformed::ReservedExtension, false));
    assert_eq!(refused("00000001fe0000000000"), (Malformed::ReservedExtension, true));
    assert_eq!(refused("00000001fc00000000"), (Malformed::Truncated, false));
}

#[test]
fn unassigned_types_are_unknown_with_their_code() {
    for code in (0..=0x3Fu8).filter(|code| !matches!(code, 1..=0x0E | 0x3F)) {
        for (ignore, ignorable) in [(0, false), (2, true)] {
            let bytes = vec![0, 0, 0, 9, code << 2 | ignore, 0, 1, 2, 3];
            let error = decode(bytes.into()).expect_err("unknown");
            assert_eq!(error.kind, Malformed::UnknownType);
            assert_eq!(error.frame_type, Some(FrameType::Unknown(code)));
            assert_eq!(error.stream_id, Some(StreamId::new(9)));
            assert_eq!(error.ignorable, ignorable);
            assert_eq!(error.to_string(), format!("unknown frame type 0x{code:02x}"));
        }
    }
}

#[test]
fn types_have_their_own_place_in_a_table() {
    let mut places: Vec<usize> =
        (0..=0x3F).map(|code| FrameType::from_code(code).index()).collect();
    assert!(places.iter().all(|place| *place < FrameType::COUNT));
    places.sort_unstable();
    places.dedup();
    assert_eq!(places.len(), FrameType::COUNT);
}

#[test]
fn r_setup_6_mime_lengths_are_unsigned_and_the_text_is_opaque() {
    let mime = |byte, len| Bytes::from(vec![byte; len]);
    for len in [0, 1, 127, 128, 255] {
        let setup = Setup {
            version: (1, 0),
            keepalive_ms: 1,
            lifetime_ms: 2,
            lease: true,
            resume_token: None,
            metadata_mime: mime(0xFF, len),
            data_mime: mime(0x00, 255 - len),
            payload: Payload::new("d"),
        };
        let sent = on(0, Body::Setup(setup.clone()));
        assert_eq!(sent[18], u8::try_from(len).expect("fits"));
        assert_eq!(decode(sent).expect("valid").body, Body::Setup(setup));
    }
}

#[test]
fn r_setup_5_the_token_is_there_iff_r_is_set() {
    let of_name = |name| match decode(named(name)).expect("valid").body {
        Body::Setup(setup) => setup.resume_token,
        other => panic!("{other:?}"),
    };
    assert_eq!(of_name("setup_lease"), None);
    assert_eq!(of_name("setup_resume_lease_metadata_data").as_deref(), Some(&b"tok"[..]));
    // Present and empty: the layer above refuses it.
    let empty = "00000000048000010000000000010000000200000161016264";
    let Body::Setup(setup) = of(empty) else { panic!("not a SETUP") };
    assert_eq!(setup.resume_token, Some(Bytes::new()));
    assert_eq!(on(0, Body::Setup(setup)), unhex(empty));
}

#[test]
fn r_mp_1_r_mp_3_metadata_push_is_sent_with_m_and_accepted_without() {
    let push = Body::MetadataPush { metadata: Bytes::from_static(b"md") };
    assert_eq!(on(0, push.clone()), named("metadata_push"));
    assert_eq!(decode(named("metadata_push_no_m_flag")).expect("valid").body, push);
}

#[test]
fn r_err_8_r_err_10_any_code_and_any_message_are_kept() {
    for code in [0, 1, 0x201, 0x301, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFE, u32::MAX] {
        for message in [&b""[..], b"text", b"\xFF\xFEnot UTF-8\x00"] {
            let message = Bytes::copy_from_slice(message);
            let body = Body::Error { code: ErrorCode(code), message };
            let sent = on(1, body.clone());
            assert_eq!(sent[6..10], code.to_be_bytes());
            assert_eq!(decode(sent).expect("valid").body, body);
        }
    }
}

#[test]
fn error_codes_have_the_names_of_the_protocol() {
    let mut names = 0;
    for vector in all() {
        let Ok(Frame { body: Body::Error { code, message }, .. }) = decode(vector.bytes) else {
            continue;
        };
        if let Some(name) = code.name().filter(|name| message == name.to_lowercase()) {
            assert_eq!(code.to_string(), name);
            assert_eq!(code.is_setup(), name.ends_with("_SETUP") || name == "REJECTED_RESUME");
            names += 1;
        }
    }
    assert_eq!(names, 10, "the messages of the vectors are the names");
    assert_eq!(ErrorCode(0x301).name(), None);
    assert_eq!(ErrorCode(0x301).to_string(), "0x00000301");
}

#[test]
fn strings_too_long_for_their_length_field_do_not_break_the_frame() {
    // No caller lets it happen; if one did, the connection would still be in step.
    let long = Bytes::from(vec![b'x'; 70_000]);
    let (server_position, client_position) = (1, 2);
    let token = long.clone();
    let resume = Resume { version: (1, 0), token, server_position, client_position };
    let setup = Setup {
        version: (1, 0),
        keepalive_ms: 1,
        lifetime_ms: 2,
        lease: false,
        resume_token: Some(long.clone()),
        metadata_mime: long.slice(..256),
        data_mime: long.slice(..300),
        payload: request("d"),
    };
    for body in [Body::Resume(resume), Body::Setup(setup)] {
        let frame = Frame::new(StreamId::CONNECTION, body);
        let sent = encoded(&frame);
        assert_eq!(sent.len(), frame.encoded_len());
        match decode(sent).expect("valid").body {
            Body::Resume(resume) => {
                assert_eq!((resume.token.len(), resume.client_position), (65_535, 2));
            }
            Body::Setup(setup) => {
                assert_eq!((setup.metadata_mime.len(), setup.data_mime.len()), (255, 255));
                assert_eq!(setup.payload, request("d"));
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_frame_is_framed_behind_its_length() {
    let frame = decode(named("request_response_composite_route")).expect("valid");
    let mut out = BytesMut::new();
    Framing::LengthPrefix.encode(&mut out, frame.encoded_len(), |out| frame.encode(out));
    assert_eq!(out[..3], [0, 0, 25]);
    assert_eq!(out[3..], named("request_response_composite_route"));
}
