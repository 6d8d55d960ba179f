//! Sections 1.5 to 1.7.

use bytes::Bytes;

use super::{client, new_request, server};
use crate::protocol::{Interaction, Limits, RequestRefused};
use crate::testkit::{Script, cancel, channel, fnf, item, request, stream};
use crate::wire::{Body, Ext, Frame, Payload, StreamId};

fn ids(script: &mut Script) -> Vec<u32> {
    script.sent().iter().map(|frame| frame.stream_id.get()).collect()
}

/// One byte of metadata more than a length field can say.
fn beyond() -> Payload {
    Payload { metadata: Some(vec![0; 1 << 24].into()), data: Bytes::new() }
}

#[test]
fn r_meta_5_metadata_that_no_peer_can_represent_is_not_sent() {
    let mut script = client();
    let mut asked = new_request(Interaction::RequestResponse, 1);
    asked.payload = beyond();
    let refused = script.connection.request(script.now, &asked);
    assert!(matches!(refused, Err(RequestRefused::Unsendable(_))));

    let mut script = server();
    let response = script.open(&request(1, "x"));
    script.connection.respond(response, Ok(Some(beyond())));
    script.events();
    let items = script.open(&stream(3, 5));
    for _ in 0..2 {
        script
            .connection
            .fill(items, script.now, usize::MAX, |_, items| items.push(&beyond()).pause().unwrap());
    }
    let expected = ["1 ERROR APPLICATION_ERROR", "3 ERROR APPLICATION_ERROR"];
    assert_eq!(script.said(), expected);
    script.connection.assert_sound();
}

#[test]
fn r_meta_5_the_longest_metadata_goes_in_fragments() {
    let mut script = server();
    let response = script.open(&request(1, "x"));
    let longest = Payload { metadata: Some(vec![0; (1 << 24) - 1].into()), data: Bytes::new() };
    script.connection.respond(response, Ok(Some(longest)));
    assert!(ids(&mut script).len() > 1);
}

#[test]
fn r_sid_1_r_sid_2_r_sid_8_t_27_ids_go_up_by_two_from_1_or_2() {
    let request = new_request(Interaction::RequestResponse, 1);
    let fire = new_request(Interaction::FireAndForget, 1);
    for (mut script, expected) in [(client(), [1, 3, 5]), (server(), [2, 4, 6])] {
        for request in [&request, &fire, &request] {
            script.connection.request(script.now, request).unwrap();
        }
        assert_eq!(ids(&mut script), expected);
    }
}

#[test]
fn r_sid_3_r_sid_4_t_28_ids_wrap_and_skip_those_in_use() {
    let mut script = client();
    let first = script.ask(Interaction::RequestStream, 1);
    script.connection.next_id = StreamId::new(0x7FFF_FFFD);
    let request = new_request(Interaction::RequestResponse, 1);
    for _ in 0..4 {
        script.connection.request(script.now, &request).unwrap();
    }
    // 1 is live: it is skipped.
    assert_eq!(ids(&mut script), [0x7FFF_FFFD, 0x7FFF_FFFF, 3, 5]);
    assert_eq!(script.take(first), [""; 0]);
    let mut script = server();
    script.connection.next_id = StreamId::new(0x7FFF_FFFE);
    script.connection.request(script.now, &request).unwrap();
    script.connection.request(script.now, &request).unwrap();
    assert_eq!(ids(&mut script), [0x7FFF_FFFE, 2]);
}

#[test]
fn r_sid_5_t_30_an_id_that_is_not_live_is_free() {
    let mut script = server();
    for _ in 0..3 {
        let key = script.open(&request(1, "x"));
        script.connection.respond(key, Ok(None));
        script.receive(&request(1, "again"));
        assert_eq!(script.heard(), ["ended", "request"]);
        script.receive(&cancel(1));
        script.events();
    }
}

#[test]
fn r_sid_6_t_29_a_request_on_a_live_id_changes_nothing() {
    let mut script = server();
    let key = script.open(&stream(1, 1));
    for frame in [request(1, "x"), fnf(1, "x"), stream(1, 0), channel(1, 5, "x")] {
        script.receive(&frame);
    }
    assert!(script.heard().is_empty());
    assert_eq!(script.put(key, &Payload::new("x"), 10), 1);
    assert_eq!(script.said(), ["1 N x"]);
}

#[test]
fn r_sid_7_t_31_ids_may_come_in_any_order() {
    let mut script = server();
    for id in [5, 3, 1, 2_001] {
        script.open(&request(id, "x"));
    }
}

#[test]
fn r_sid_9_a_request_under_our_own_parity_is_invalid() {
    let mut script = server();
    script.receive(&request(2, "x"));
    script.receive(&request(0, "x"));
    assert!(script.heard().is_empty());
    assert_eq!(script.said(), ["2 ERROR INVALID"]);
    let mut script = client();
    script.receive(&stream(1, 1));
    assert_eq!(script.said(), ["1 ERROR INVALID"]);
    script.open(&stream(2, 1));
}

#[test]
fn r_sid_10_t_32_nothing_is_sent_on_an_id_that_nobody_opened() {
    let mut script = server();
    for id in [7, 8] {
        script.receive(&item(id, "N", "x"));
        script.receive(&item(id, "", "x"));
        script.receive(&cancel(id));
    }
    assert!(script.said().is_empty());
}

#[test]
fn r_ign_1_r_ign_3_ignorable_frames_are_dropped_and_streams_go_on() {
    let mut script = server();
    let key = script.open(&stream(1, 1));
    // An unknown type with I; a REQUEST_RESPONSE whose metadata overruns, with I.
    script.receive_bytes(&[0, 0, 0, 1, 0x42, 0, b'z']);
    script.receive_bytes(&[0, 0, 0, 5, 0x13, 0, 0, 0, 10, b'a']);
    let ext = Ext { ignorable: true, metadata: false, extended_type: 1, rest: Bytes::new() };
    script.receive(&Frame::new(StreamId::new(1), Body::Ext(ext)));
    assert!(script.heard().is_empty());
    assert_eq!(script.put(key, &Payload::new("x"), 1), 1);
    assert_eq!(script.said(), ["1 N x"]);
}

#[test]
fn r_ign_2_r_ign_5_frames_that_are_not_understood_end_the_connection() {
    let frames: [&[u8]; 4] = [
        &[0, 0, 0, 1, 0x40, 0, b'z'],
        &[0, 0, 0, 0, 0, 0],
        &[0, 0, 0, 1, 0xFC, 0, 0, 0, 0, 5],
        &[0, 0, 0, 1, 0xFC, 0, 0, 0, 0, 0],
    ];
    for frame in frames {
        let mut script = server();
        script.receive_bytes(frame);
        assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"], "{frame:?}");
        assert!(script.connection.is_closed());
    }
}

#[test]
fn r_ign_4_on_a_known_frame_the_flag_changes_nothing() {
    let mut script = server();
    // REQUEST_RESPONSE with I.
    script.receive_bytes(&[0, 0, 0, 1, 0x12, 0, b'x']);
    assert_eq!(script.heard(), ["request"]);
}

#[test]
fn r_hdr_5_r_wire_5_t_53_frames_too_short_for_their_fields_end_the_connection() {
    let frames: [&[u8]; 3] =
        [&[0, 0, 0, 1, 0x20, 0, 0, 0], &[0, 0, 0, 0, 0x0C, 0x80], &[0, 0, 0, 1, 0x24]];
    for frame in frames {
        let mut script = server();
        script.receive_bytes(frame);
        assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"], "{frame:?}");
    }
}

#[test]
fn r_dsp_3_cancel_and_request_n_mean_nothing_to_a_requester() {
    for interaction in [Interaction::RequestResponse, Interaction::RequestStream] {
        let mut script = client();
        let key = script.ask(interaction, 1);
        script.receive(&cancel(1));
        script.receive(&crate::testkit::request_n(1, 5));
        script.receive(&item(1, "NC", "fine"));
        assert_eq!(script.take(key), ["fine", "complete"]);
        assert!(script.said().is_empty());
    }
}

#[test]
fn r_dsp_5_a_stream_that_takes_nothing_holds_up_no_other() {
    let mut script = Script::server(Limits::default());
    script.open(&channel(1, 1, "never drained"));
    let key = script.open(&request(3, "x"));
    script.connection.respond(key, Ok(None));
    script.receive(&cancel(1));
    assert_eq!(script.said(), ["3 C"]);
    assert_eq!(script.connection.live_streams(), 0);
}

#[test]
fn r_sid_1_a_request_that_was_not_sent_takes_no_id() {
    let mut script = client();
    let request = new_request(Interaction::RequestResponse, 1);
    let mut large = request.clone();
    large.payload.data = Bytes::from(vec![0; 30 << 10]);
    script.connection.request(script.now, &large).unwrap();
    for _ in 0..3 {
        assert_eq!(script.connection.request(script.now, &large), Err(RequestRefused::Full));
    }
    assert_eq!(ids(&mut script), [1]);
    script.connection.request(script.now, &request).unwrap();
    assert_eq!(ids(&mut script), [3]);
}

#[test]
fn r_ign_1_r_ign_2_no_reserved_or_unassigned_type_is_taken_for_another() {
    // Types 0x00 and 0x0F to 0x3E, with I and without; none of them is taken for another.
    for code in std::iter::once(0).chain(0x0F..=0x3E_u8) {
        for ignorable in [false, true] {
            let mut script = server();
            let first = (code << 2) | (u8::from(ignorable) << 1);
            script.receive_bytes(&[0, 0, 0, 0, first, 0, 0, 0, 0, 9]);
            assert_eq!(script.connection.is_closed(), !ignorable, "type {code:#x}");
        }
    }
}
