//! Sections 2.3 to 2.5 and 3.11: errors, closing, METADATA_PUSH.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{client, server};
use crate::protocol::{Cause, Connection, Event, Interaction, Limits, Pause, StreamError};
use crate::testkit::{
    Script, cancel, channel, error, fnf, item, keepalive, request, request_n, setup, stream,
};
use crate::wire::{Body, ErrorCode, Frame, Framing, Masking, Payload, StreamId};

#[test]
fn r_err_1_r_err_4_on_a_stream_it_ends_only_that_stream() {
    let mut script = client();
    let first = script.ask(Interaction::RequestStream, 5);
    let second = script.ask(Interaction::RequestStream, 5);
    script.receive(&error(1, ErrorCode::APPLICATION_ERROR, "no"));
    script.receive(&item(1, "N", "late"));
    script.receive(&item(3, "N", "fine"));
    assert_eq!(script.take(first), ["failed APPLICATION_ERROR"]);
    assert_eq!(script.take(second), ["fine"]);
    assert!(script.said().is_empty());
}

#[test]
fn r_err_2_each_code_goes_where_it_belongs() {
    let mut script = server();
    let key = script.open(&stream(1, 1));
    script.fail(key);
    assert_eq!(script.said(), ["1 ERROR APPLICATION_ERROR"]);
    script.connection.finish("bye");
    assert_eq!(script.said(), ["0 ERROR CONNECTION_CLOSE"]);
}

#[test]
fn r_err_3_on_an_unknown_stream_it_is_ignored() {
    let mut script = server();
    script.receive(&error(9, ErrorCode::CANCELED, "?"));
    assert!(script.heard().is_empty() && script.said().is_empty());
}

#[test]
fn r_err_5_connection_error_fails_everything_at_once() {
    let mut script = client();
    let key = script.ask(Interaction::RequestStream, 5);
    script.receive(&item(1, "N", "before"));
    script.receive(&error(0, ErrorCode::CONNECTION_ERROR, "gone"));
    assert_eq!(script.take(key), ["before", "failed CONNECTION_ERROR"]);
    assert!(script.connection.is_closed());
}

#[test]
fn r_err_5_r_close_2_connection_close_lets_live_streams_end() {
    let mut script = client();
    let key = script.ask(Interaction::RequestStream, 1);
    script.receive(&item(1, "N", "established"));
    script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "leaving"));
    assert!(!script.connection.is_closed());
    assert!(super::try_ask(&mut script).is_err(), "no new requests");
    script.grant(key, 1);
    script.receive(&keepalive(true, "still"));
    assert_eq!(script.said(), ["0 KEEPALIVE still", "1 REQUEST_N 1"]);
    script.receive(&item(1, "NC", "last"));
    assert_eq!(script.take(key), ["established", "last", "complete"]);
    assert!(script.connection.is_closed());
}

#[test]
fn r_err_5_connection_close_has_a_deadline() {
    let mut script = client();
    script.ask(Interaction::RequestStream, 1);
    script.receive(&item(1, "N", "established"));
    script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "leaving"));
    script.pass(Duration::from_secs(30));
    assert!(script.connection.is_closed());
}

#[test]
fn r_err_6_r_err_10_any_other_code_on_stream_0_ends_the_connection() {
    for code in [0, 0x201, 0x202, 0x300, 0x301, 0xFFFF_FFFE, u32::MAX].map(ErrorCode) {
        let mut script = server();
        script.receive(&error(0, code, "odd"));
        match &script.events()[..] {
            [Event::Closed(Cause::PeerError { code: seen, .. })] => assert_eq!(*seen, code),
            events => panic!("{code}: {events:?}"),
        }
    }
}

#[test]
fn r_err_7_a_connection_code_on_a_stream_ends_the_stream() {
    let mut script = client();
    let key = script.ask(Interaction::RequestResponse, 1);
    script.receive(&error(1, ErrorCode::CONNECTION_ERROR, "odd"));
    assert_eq!(script.take(key), ["failed CONNECTION_ERROR"]);
    assert!(!script.connection.is_closed());
}

#[test]
fn r_err_8_t_54_a_message_of_bad_utf_8_is_read_all_the_same() {
    let mut script = client();
    let key = script.ask(Interaction::RequestResponse, 1);
    let message = Bytes::from_static(b"\xff\xfe");
    let body = Body::Error { code: ErrorCode::INVALID, message };
    script.receive(&Frame::new(StreamId::new(1), body));
    assert_eq!(script.take(key), ["failed INVALID"]);
}

#[test]
fn r_err_9_what_each_failure_is_called() {
    let limits = Limits { streams_max: 1, ..Limits::default() };
    let mut script = Script::server(limits);
    let key = script.open(&channel(1, 1, "x"));
    script.receive(&request(3, "over the limit"));
    script.receive(&item(1, "N", "over the credit"));
    script.receive(&stream(5, 0));
    assert_eq!(script.said(), ["3 ERROR REJECTED", "1 ERROR CANCELED", "5 ERROR INVALID"]);
    assert_eq!(script.take(key), [""; 0]);
}

#[test]
fn r_err_11_r_lim_20_messages_are_cut_on_a_character() {
    let limits = Limits { error_message_bytes_max: 5, ..Limits::default() };
    let mut script = Script::server(limits);
    let key = script.open(&request(1, "x"));
    script.connection.respond(key, Err(StreamError::application("ääääää")));
    match &script.sent()[..] {
        [Frame { body: Body::Error { message, .. }, .. }] => assert_eq!(message, "ää"),
        frames => panic!("{frames:?}"),
    }
}

#[test]
fn r_err_12_r_fnf_1_no_error_answers_an_error_or_a_fire_and_forget() {
    let mut script = server();
    script.connection.drain_requests("draining".to_owned());
    script.receive(&fnf(1, "refused"));
    script.receive(&error(1, ErrorCode::INVALID, "x"));
    assert!(script.heard().is_empty() && script.said().is_empty());
}

#[test]
fn r_close_2_after_the_end_nothing_is_taken() {
    let mut script = server();
    script.receive(&Frame::new(StreamId::new(1), Body::Cancel));
    script.connection.finish("bye");
    script.events();
    assert!(!script.connection.wants_frames());
    assert_eq!(script.said(), ["0 ERROR CONNECTION_CLOSE"]);
}

#[test]
fn r_close_3_while_draining_new_requests_are_rejected_and_old_streams_go_on() {
    let mut script = server();
    let key = script.open(&stream(1, 2));
    script.connection.drain_requests("draining, retry in 5 ms".to_owned());
    script.receive(&request(3, "new"));
    assert_eq!(script.said(), ["3 ERROR REJECTED"]);
    assert_eq!(script.put(key, &Payload::new("x"), 2), 2);
    script.connection.complete_stream(key);
    assert_eq!(script.said(), ["1 N x", "1 N x", "1 C"]);
}

#[test]
fn r_close_4_t_13_the_end_ends_every_stream_once() {
    let mut script = client();
    let keys: Vec<_> = (0..1_000).map(|_| script.ask(Interaction::RequestStream, 5)).collect();
    script.connection.handle_eof();
    script.connection.handle_eof();
    let closed = script.heard();
    assert_eq!(closed.iter().filter(|event| **event == "closed").count(), 1);
    for key in keys {
        assert_eq!(script.take(key), ["failed CONNECTION_CLOSE"]);
        assert_eq!(script.take(key), [""; 0]);
    }
    assert!(super::try_ask(&mut script).is_err());
}

#[test]
fn r_close_6_who_drops_a_call_cancels_it_once() {
    let mut script = client();
    let key = script.ask(Interaction::RequestResponse, 1);
    script.stop(key);
    script.stop(key);
    assert_eq!(script.said(), ["1 CANCEL"]);
}

fn push(id: u32, metadata: &'static [u8]) -> Frame {
    let metadata = Bytes::from_static(metadata);
    Frame::new(StreamId::new(id), Body::MetadataPush { metadata })
}

#[test]
fn r_mp_1_r_mp_4_r_lim_13_a_push_is_delivered_and_not_answered() {
    let mut script = server();
    script.receive(&push(0, b"m"));
    script.receive(&push(0, b""));
    assert_eq!(script.heard(), ["metadata push", "metadata push"]);
    assert!(script.said().is_empty());
}

#[test]
fn r_mp_2_on_a_stream_it_is_ignored() {
    let mut script = server();
    script.receive(&push(1, b"m"));
    assert!(script.heard().is_empty());
}

#[test]
fn r_mp_3_without_the_flag_it_is_read_all_the_same() {
    let mut script = server();
    script.receive_bytes(&[0, 0, 0, 0, 0x30, 0, b'm', b'd']);
    assert!(matches!(&script.events()[..], [Event::MetadataPush(data)] if data == "md"));
}

#[test]
fn r_mp_6_none_is_sent_unless_asked_for() {
    let mut script = client();
    script.connection.metadata_push(Bytes::from_static(b"m"));
    assert_eq!(script.said(), ["0 METADATA_PUSH"]);
}

#[test]
fn r_dsp_1_r_dsp_2_frames_of_streams_that_are_not_live_change_nothing() {
    for id in [0, 1, 2, 99] {
        let mut script = server();
        for frame in
            [request_n(id, 5), Frame::new(StreamId::new(id), Body::Cancel), item(id, "NC", "x")]
        {
            script.receive(&frame);
        }
        assert!(script.heard().is_empty() && script.said().is_empty());
        assert_eq!(script.connection.take_stats().ignored, 3);
    }
}

#[test]
fn r_err_2_r_err_9_a_handler_cannot_send_a_code_of_the_connection() {
    let failure = |code: u32| {
        let mut script = server();
        let key = script.open(&request(1, "x"));
        script.connection.respond(key, Err(StreamError::new(ErrorCode(code), "x")));
        script.said()
    };
    // A proxy that hands on how its own call failed; codes that are reserved, or too large for some
    // clients.
    for code in [0, 0x1, 0x4, 0x101, 0x102, 0x200, 0x205, 0x300, 0x8000_0000, u32::MAX] {
        assert_eq!(failure(code), ["1 ERROR APPLICATION_ERROR"], "{code:#x}");
    }
    assert_eq!(failure(0x202), ["1 ERROR REJECTED"]);
    assert_eq!(failure(0x301), ["1 ERROR 0x00000301"]);
    assert_eq!(failure(0x7FFF_FFFF), ["1 ERROR 0x7fffffff"]);
    // Nor does the requester of a channel that fails its own half.
    let mut script = client();
    let key = script.ask(Interaction::RequestChannel, 1);
    let error = StreamError::new(ErrorCode::CONNECTION_ERROR, "x");
    script.connection.fill(key, script.now, 1, |_, _| Pause::Failed(error));
    assert_eq!(script.said(), ["1 ERROR APPLICATION_ERROR"]);
}

#[test]
fn r_err_5_connection_close_said_again_does_not_move_the_deadline() {
    let mut script = client();
    script.ask(Interaction::RequestStream, 1);
    script.receive(&item(1, "N", "established"));
    for _ in 0..3 {
        script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "leaving"));
        script.pass(Duration::from_secs(10));
    }
    assert!(script.connection.is_closed());
}

#[test]
fn r_err_5_a_client_that_says_connection_close_gets_the_rest_of_its_streams() {
    let mut script = server();
    let key = script.open(&stream(1, 2));
    script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "leaving"));
    assert_eq!(script.put(key, &Payload::new("x"), 1), 1);
    script.receive(&cancel(1));
    assert_eq!(script.heard(), ["ended", "closed"]);
    // With nothing live it is over at once.
    let mut script = server();
    script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "leaving"));
    assert!(script.connection.is_closed());
}

#[test]
fn r_close_2_after_a_violation_nothing_more_is_taken_or_said() {
    let mut script = server();
    let key = script.open(&stream(1, 5));
    script.receive_bytes(&[0, 0, 0, 0, 0, 0]);
    assert!(!script.connection.wants_frames());
    script.connection.handle_eof();
    script.connection.finish("bye");
    assert_eq!(script.put(key, &Payload::new("x"), 1), 0);
    script.connection.respond(key, Ok(None));
    assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"]);
    assert_eq!(script.heard(), ["ended", "closed"]);
}

/// What a connection over WebSocket sends after this.
fn over_websocket(end: impl FnOnce(&mut Script)) -> Vec<u8> {
    let framing = Framing::WebSocket(Masking::None);
    let mut script = Script::raw_server(Limits::default(), None);
    let limits = Arc::new(Limits::default());
    script.connection = Connection::server(framing, limits, None, script.now);
    script.receive(&setup());
    script.events();
    script.connection.accept(script.now);
    end(&mut script);
    assert!(script.connection.is_closed());
    script.connection.output().to_vec()
}

#[test]
fn r_ws_5_however_it_ends_the_websocket_is_closed() {
    let normal = [0x88, 2, 0x03, 0xE8];
    let violation = [0x88, 2, 0x03, 0xEA];
    let close = |script: &mut Script, code| script.receive(&error(0, code, "bye"));
    let closing = |script: &mut Script| close(script, ErrorCode::CONNECTION_CLOSE);
    assert_eq!(over_websocket(closing), normal);
    assert_eq!(over_websocket(|script| close(script, ErrorCode::CONNECTION_ERROR)), normal);
    let late = over_websocket(|script| {
        script.open(&stream(1, 1));
        closing(script);
        script.pass(Duration::from_secs(30));
    });
    assert_eq!(late, normal);
    assert!(over_websocket(|script| script.connection.finish("bye")).ends_with(&normal));
    let bad = over_websocket(|script| script.receive_bytes(&[0, 0, 0, 0, 0, 0]));
    assert!(bad.ends_with(&violation));
}
