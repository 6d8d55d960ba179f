//! Sections 1.8 and 2.1.

use std::time::Duration;

use bytes::Bytes;

use super::{client, server};
use crate::protocol::{Cause, Event, LeaseGrant, Limits, SetupRejection};
use crate::testkit::{Script, error, item, keepalive, request, setup, stream};
use crate::wire::{Body, ErrorCode, Frame, FramingError, Resume, Setup, StreamId};

fn raw() -> Script {
    Script::raw_server(Limits::default(), None)
}

/// The usual SETUP, changed.
fn changed(change: impl FnOnce(&mut Setup)) -> Frame {
    let mut frame = setup();
    if let Body::Setup(setup) = &mut frame.body {
        change(setup);
    }
    frame
}

fn refusal(frame: &Frame) -> Vec<String> {
    let mut script = raw();
    script.receive(frame);
    assert_eq!(script.heard(), ["closed"]);
    assert!(script.connection.is_closed());
    script.said()
}

#[test]
fn r_setup_1_setup_is_the_first_frame_of_a_client() {
    let mut script = Script::raw_client(Limits::default(), false, None);
    assert_eq!(script.said(), ["0 SETUP"]);
}

#[test]
fn r_setup_2_t_59_anything_else_first_is_invalid_setup() {
    for first in [request(1, "x"), keepalive(true, ""), item(1, "N", "x")] {
        assert_eq!(refusal(&first), ["0 ERROR INVALID_SETUP"]);
    }
    let mut on_stream_1 = setup();
    on_stream_1.stream_id = StreamId::new(1);
    assert_eq!(refusal(&on_stream_1), ["0 ERROR INVALID_SETUP"]);
    let mut script = raw();
    script.receive_bytes(&[0, 0, 0, 0, 4, 0, 0, 1, 0, 0]);
    assert_eq!(script.said(), ["0 ERROR INVALID_SETUP"]);
}

#[test]
fn r_setup_2_r_hdr_5_a_resume_cut_short_is_rejected_resume() {
    let mut script = raw();
    script.receive_bytes(&[0, 0, 0, 0, 0x34, 0, 0, 1]);
    assert_eq!(script.said(), ["0 ERROR REJECTED_RESUME"]);
}

#[test]
fn r_ver_1_r_ver_2_only_version_1_0_is_served() {
    let mut script = raw();
    script.receive(&setup());
    assert_eq!(script.heard(), ["setup"]);
    for version in [(0, 0), (1, 1), (2, 0), (0x8000, 0)] {
        assert_eq!(refusal(&changed(|setup| setup.version = version)), ["0 ERROR INVALID_SETUP"]);
    }
}

#[test]
fn r_ver_3_r_res_11_resume_is_refused_for_good() {
    for (version, text) in
        [((1, 0), "does not resume"), ((0, 1), "does not resume"), ((3, 0), "version")]
    {
        let resume = Resume {
            version,
            token: Bytes::from_static(b"t"),
            server_position: 0,
            client_position: 0,
        };
        let mut script = raw();
        script.receive(&Frame::new(StreamId::CONNECTION, Body::Resume(resume)));
        match &script.sent()[..] {
            [Frame { body: Body::Error { code: ErrorCode::REJECTED_RESUME, message }, .. }] => {
                let message = String::from_utf8_lossy(message);
                assert!(message.contains(text), "{message}");
            }
            frames => panic!("{frames:?}"),
        }
    }
}

#[test]
fn r_setup_4_zero_times_are_invalid_and_a_short_lifetime_is_not() {
    assert_eq!(refusal(&changed(|setup| setup.keepalive_ms = 0)), ["0 ERROR INVALID_SETUP"]);
    assert_eq!(refusal(&changed(|setup| setup.lifetime_ms = 0)), ["0 ERROR INVALID_SETUP"]);
    let mut script = raw();
    script.receive(&changed(|setup| setup.lifetime_ms = 1));
    assert_eq!(script.heard(), ["setup"]);
}

#[test]
fn r_setup_5_r_setup_8_a_resume_token_is_refused_and_an_empty_one_invalid() {
    let token = |token: &'static [u8]| {
        changed(|setup| setup.resume_token = Some(Bytes::from_static(token)))
    };
    assert_eq!(refusal(&token(b"t")), ["0 ERROR REJECTED_SETUP"]);
    assert_eq!(refusal(&token(b"")), ["0 ERROR INVALID_SETUP"]);
}

#[test]
fn r_setup_6_r_setup_7_mime_types_are_passed_through() {
    let mut script = raw();
    let odd = Bytes::from(vec![0xFF; 200]);
    script.receive(&changed(|setup| setup.data_mime = odd.clone()));
    match &script.events()[..] {
        [Event::Setup(setup)] => assert_eq!(setup.data_mime, odd),
        events => panic!("{events:?}"),
    }
}

#[test]
fn r_setup_9_leases_that_are_not_granted_are_unsupported() {
    assert_eq!(refusal(&changed(|setup| setup.lease = true)), ["0 ERROR UNSUPPORTED_SETUP"]);
}

#[test]
fn r_setup_10_t_61_the_application_may_reject() {
    let mut script = raw();
    script.receive(&setup());
    script.events();
    script.connection.reject(SetupRejection::rejected("not you"));
    assert_eq!(script.said(), ["0 ERROR REJECTED_SETUP"]);
    assert!(matches!(script.events()[..], [Event::Closed(Cause::Refused { .. })]));
}

#[test]
fn r_setup_12_r_lim_9_no_frame_is_taken_while_the_application_decides() {
    let mut script = raw();
    script.receive(&setup());
    script.events();
    assert!(!script.connection.wants_frames());
    script.connection.accept(script.now);
    assert!(script.connection.wants_frames());
    script.receive(&request(1, "pipelined"));
    assert_eq!(script.heard(), ["request"]);
}

#[test]
fn r_setup_13_nothing_is_sent_before_acceptance() {
    let mut script = raw();
    script.receive(&setup());
    assert!(script.said().is_empty());
    assert!(super::try_ask(&mut script).is_err());
}

#[test]
fn r_setup_14_a_later_setup_is_ignored_even_cut_short() {
    let mut script = server();
    script.receive(&setup());
    script.receive_bytes(&[0, 0, 0, 0, 4, 0, 0, 1]);
    assert!(script.heard().is_empty() && script.said().is_empty());
    let mut script = client();
    script.receive(&setup());
    assert!(script.heard().is_empty() && script.said().is_empty());
}

#[test]
fn r_setup_15_resume_later_ends_the_connection_even_cut_short() {
    let resume = Resume {
        version: (1, 0),
        token: Bytes::from_static(b"t"),
        server_position: 0,
        client_position: 0,
    };
    let mut script = server();
    script.receive(&Frame::new(StreamId::CONNECTION, Body::Resume(resume)));
    assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"]);
    let mut script = server();
    script.receive_bytes(&[0, 0, 0, 0, 0x34, 0, 0, 1]);
    assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"]);
}

#[test]
fn r_setup_16_setup_errors_mean_nothing_to_a_server_or_later() {
    for code in (1..=4).map(ErrorCode) {
        let mut script = server();
        script.receive(&error(0, code, "late"));
        assert!(script.heard().is_empty());
        let mut script = client();
        let key = script.ask(crate::protocol::Interaction::RequestStream, 5);
        script.receive(&item(1, "N", "x"));
        assert_eq!(script.take(key), ["x"]);
        script.events();
        script.receive(&error(0, code, "late"));
        assert!(script.heard().is_empty(), "{code} ended an established connection");
    }
}

#[test]
fn r_setup_11_r_setup_17_before_any_answer_an_error_is_the_rejection() {
    let mut script = client();
    let key = script.ask(crate::protocol::Interaction::RequestResponse, 1);
    script.receive(&error(0, ErrorCode::REJECTED_SETUP, "no"));
    assert_eq!(script.heard(), ["input", "closed"]);
    assert_eq!(script.take(key), ["failed REJECTED_SETUP"]);
    // CONNECTION_CLOSE too: nothing was established that could drain.
    let mut script = client();
    script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "bye"));
    assert_eq!(script.heard(), ["closed"]);
}

#[test]
fn r_setup_18_r_lim_15_setup_is_one_frame_of_limited_length() {
    let limits = Limits { setup_bytes_max: 100, ..Limits::default() };
    let mut script = Script::raw_server(limits, None);
    script.receive(&changed(|setup| setup.payload.data = Bytes::from(vec![b'x'; 200])));
    assert_eq!(script.said(), ["0 ERROR INVALID_SETUP"]);
}

#[test]
fn r_setup_3_r_lim_8_both_deadlines_of_the_start() {
    let mut script = raw();
    script.pass(Duration::from_secs(9));
    assert!(script.heard().is_empty());
    script.pass(Duration::from_secs(1));
    assert_eq!(script.heard(), ["closed"]);
    let mut script = raw();
    script.receive(&setup());
    script.events();
    script.pass(Duration::from_secs(30));
    assert_eq!(script.heard(), ["closed"]);
    assert_eq!(script.said(), ["0 ERROR REJECTED_SETUP"]);
}

#[test]
fn keepalive_intervals_below_the_limit_are_unsupported() {
    let limits = Limits { keepalive_min: Duration::from_millis(100), ..Limits::default() };
    let grant = LeaseGrant { requests: 1, ttl: Duration::from_secs(1) };
    let mut script = Script::raw_server(limits, Some(grant));
    script.receive(&changed(|setup| setup.keepalive_ms = 99));
    assert_eq!(script.said(), ["0 ERROR UNSUPPORTED_SETUP"]);
}

#[test]
fn r_setup_2_r_ign_1_no_first_frame_is_ignorable() {
    // An unknown type and EXT, both with I; a SETUP with I that is cut short.
    let frames: [&[u8]; 3] =
        [&[0, 0, 0, 0, 0x42, 0], &[0, 0, 0, 0, 0xFE, 0, 0, 0, 0, 7], &[0, 0, 0, 0, 6, 0, 0]];
    for frame in frames {
        let mut script = raw();
        script.receive_bytes(frame);
        assert_eq!(script.said(), ["0 ERROR INVALID_SETUP"], "{frame:?}");
    }
    // What cannot even be framed is a malformed first frame as well (R-WIRE-5).
    let mut script = raw();
    script.connection.handle_framing_error(&FramingError::TooShort(0));
    assert_eq!(script.said(), ["0 ERROR INVALID_SETUP"]);
}

#[test]
fn r_setup_12_after_a_rejection_no_frame_is_taken() {
    let mut script = raw();
    script.receive(&setup());
    script.events();
    script.connection.reject(SetupRejection::rejected("not you"));
    assert!(!script.connection.wants_frames());
    // Too late to change one's mind.
    script.connection.accept(script.now);
    script.connection.reject(SetupRejection::rejected("again"));
    assert_eq!(script.said(), ["0 ERROR REJECTED_SETUP"]);
    assert_eq!(script.heard(), ["closed"]);
}

#[test]
fn r_setup_11_what_establishes_a_client() {
    for (first, establishes) in
        [(item(1, "N", "x"), true), (stream(2, 1), true), (keepalive(false, ""), false)]
    {
        let mut script = client();
        script.ask(crate::protocol::Interaction::RequestStream, 5);
        script.receive(&first);
        script.receive(&error(0, ErrorCode::REJECTED_SETUP, "no"));
        assert_eq!(script.connection.is_closed(), !establishes, "{first:?}");
    }
}

#[test]
fn r_setup_10_no_other_code_answers_setup() {
    let mut script = Script::raw_server(Limits::default(), None);
    script.receive(&setup());
    script.events();
    let odd = SetupRejection { code: ErrorCode::APPLICATION_ERROR, message: "odd".into() };
    script.connection.reject(odd);
    assert_eq!(script.said(), ["0 ERROR REJECTED_SETUP"]);
}
