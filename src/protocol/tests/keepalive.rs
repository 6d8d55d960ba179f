//! Section 2.2.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::{client, server};
use crate::protocol::{
    Cause, ClientSetup, Connection, Deadline, Event, Interaction, LeaseGrant, Limits,
};
use crate::testkit::{Script, error, item, keepalive, request, setup, stream};
use crate::wire::{Body, ErrorCode, Frame, Framing, Keepalive, Masking, Payload, Setup, StreamId};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn r_ka_1_on_another_stream_it_is_ignored() {
    let mut script = server();
    let mut frame = keepalive(true, "x");
    frame.stream_id = StreamId::new(1);
    script.receive(&frame);
    assert!(script.said().is_empty());
}

#[test]
fn r_ka_2_a_client_sends_one_every_interval_whatever_else_flows() {
    let mut script = client();
    for _ in 0..3 {
        script.pass(SECOND * 19);
        script.receive(&keepalive(false, ""));
        assert!(script.said().is_empty());
        script.pass(SECOND);
        assert_eq!(script.said(), ["0 KEEPALIVE R"]);
    }
}

#[test]
fn r_ka_3_r_ka_4_t_58_only_those_that_ask_are_answered_with_their_data() {
    let long: &'static str = Box::leak("x".repeat(16 << 10).into_boxed_str());
    for data in ["", "p", "ping", long] {
        let mut script = server();
        script.receive(&keepalive(true, data));
        match &script.sent()[..] {
            [Frame { body: Body::Keepalive(answer), .. }] => {
                let expected = Keepalive { respond: false, position: 0, data: data.into() };
                assert_eq!(*answer, expected);
            }
            frames => panic!("{frames:?}"),
        }
        script.receive(&keepalive(false, data));
        assert!(script.said().is_empty());
    }
}

#[test]
fn r_ka_5_the_position_is_ours_and_0() {
    let mut script = server();
    let asked = Keepalive { respond: true, position: 77, data: "x".into() };
    script.receive(&Frame::new(StreamId::CONNECTION, Body::Keepalive(asked)));
    match &script.sent()[..] {
        [Frame { body: Body::Keepalive(answer), .. }] => assert_eq!(answer.position, 0),
        frames => panic!("{frames:?}"),
    }
}

#[test]
fn r_ka_6_r_wire_10_t_55_the_answer_waits_for_no_stream() {
    let mut script = server();
    let key = script.open(&stream(1, 0x7FFF_FFFF));
    // The source fills the whole write budget, and the socket takes nothing.
    script.put(key, &Payload::new("x"), u64::MAX);
    let before = script.connection.output().len();
    script.receive(&keepalive(true, "ping"));
    assert!(script.connection.output().len() > before, "no answer in the output");
    assert!(script.connection.wants_frames());
}

#[test]
fn r_ka_7_r_ka_8_t_56_a_client_gives_up_after_the_lifetime_and_fails_its_calls() {
    let mut script = client();
    let key = script.ask(Interaction::RequestResponse, 1);
    script.pass(SECOND * 89);
    assert!(script.heard().is_empty());
    script.pass(SECOND);
    let events = script.events();
    let expected = Cause::Timeout(Deadline::Keepalive);
    assert!(matches!(&events[..], [Event::Input(_), Event::Closed(cause)] if *cause == expected));
    assert_eq!(script.take(key), ["failed CONNECTION_CLOSE"]);
    assert_eq!(script.said().last().unwrap(), "0 ERROR CONNECTION_ERROR");
}

#[test]
fn r_ka_9_any_frame_proves_life_to_a_server() {
    let mut script = server();
    for id in 0..10 {
        script.pass(SECOND * 80);
        script.receive(&request(2 * id + 1, "x"));
        assert_eq!(script.heard(), ["request"]);
    }
    script.pass(SECOND * 90);
    assert_eq!(script.heard().last().unwrap(), &"closed");
}

#[test]
fn r_ka_9_the_lifetime_has_a_floor() {
    let mut frame = setup();
    if let Body::Setup(setup) = &mut frame.body {
        (setup.keepalive_ms, setup.lifetime_ms) = (1_500, 1);
    }
    let mut script = Script::raw_server(Limits::default(), None);
    script.receive(&frame);
    script.events();
    script.connection.accept(script.now);
    script.pass(Duration::from_millis(2_999));
    assert!(script.heard().is_empty());
    script.pass(Duration::from_millis(1));
    assert_eq!(script.heard(), ["closed"]);
}

#[test]
fn r_ka_10_a_server_starts_none_and_a_client_answers() {
    let mut script = server();
    script.pass(SECOND * 80);
    assert!(script.said().is_empty());
    let mut script = client();
    script.receive(&keepalive(true, "from the server"));
    assert_eq!(script.said(), ["0 KEEPALIVE from the server"]);
}

#[test]
fn r_ka_12_the_longest_times_do_not_overflow() {
    let mut frame = setup();
    if let Body::Setup(setup) = &mut frame.body {
        (setup.keepalive_ms, setup.lifetime_ms) = (0x7FFF_FFFF, 0x7FFF_FFFF);
    }
    let mut script = Script::raw_server(Limits::default(), None);
    script.receive(&frame);
    script.events();
    script.connection.accept(script.now);
    script.pass(SECOND * 86_400 * 24);
    assert!(script.heard().is_empty());
}

#[test]
fn r_ka_13_t_57_after_the_end_there_is_no_clock() {
    let mut script = client();
    script.connection.handle_eof();
    assert_eq!(script.connection.poll_timeout(), None);
    script.pass(SECOND * 1_000);
    assert!(script.said().is_empty());
}

#[test]
fn r_lim_12_data_beyond_the_limit_ends_the_connection() {
    let limits = Limits { keepalive_bytes_max: 3, ..Limits::default() };
    let mut script = Script::server(limits);
    script.receive(&keepalive(true, "four"));
    assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"]);
}

/// A client whose application asks for these times; what its SETUP says, and the client.
fn client_with(keepalive: Duration, lifetime: Duration) -> (Setup, Script) {
    let asked = ClientSetup {
        keepalive,
        lifetime,
        lease: false,
        metadata_mime: Bytes::new(),
        data_mime: Bytes::new(),
        payload: Payload::default(),
    };
    let mut script = client();
    let limits = Arc::new(Limits::default());
    script.connection = Connection::client(Framing::LengthPrefix, limits, None, &asked, script.now);
    let said = match script.sent().pop() {
        Some(Frame { body: Body::Setup(setup), .. }) => setup,
        frame => panic!("{frame:?}"),
    };
    (said, script)
}

#[test]
fn r_ka_12_a_client_keeps_the_times_that_its_setup_says() {
    let (said, mut script) = client_with(Duration::MAX, Duration::MAX);
    assert_eq!((said.keepalive_ms, said.lifetime_ms), (0x7FFF_FFFF, 0x7FFF_FFFF));
    script.pass(Duration::from_millis(0x7FFF_FFFF));
    assert_eq!(script.said(), ["0 KEEPALIVE R"]);

    let (said, mut script) = client_with(Duration::ZERO, SECOND);
    assert_eq!(said.keepalive_ms, 1);
    script.pass(Duration::from_millis(5));
    assert_eq!(script.sent().len(), 5);
}

#[test]
fn r_ka_2_r_close_2_it_goes_on_while_the_connection_drains() {
    let mut script = client();
    script.ask(Interaction::RequestStream, 1);
    script.receive(&item(1, "N", "established"));
    script.receive(&error(0, ErrorCode::CONNECTION_CLOSE, "leaving"));
    script.pass(SECOND * 20);
    assert_eq!(script.said(), ["0 KEEPALIVE R"]);
}

#[test]
fn r_ka_9_silence_while_nothing_is_read_is_our_own() {
    let limits = Limits { responses_bytes_max: 1, ..Limits::default() };
    let mut script = Script::server(limits);
    let key = script.open(&request(1, "x"));
    // Larger than the write budget: it waits, and meanwhile no frame is taken.
    let large = Payload::new(vec![0; 100 << 10]);
    for id in [3, 5] {
        script.open(&request(id, "x"));
    }
    script.connection.respond(key, Ok(Some(large.clone())));
    let second = script.open(&request(7, "x"));
    script.connection.respond(second, Ok(Some(large)));
    assert!(!script.connection.wants_frames());
    script.pass(SECOND * 100);
    assert!(!script.connection.is_closed(), "the client could not be heard");
    script.sent();
    assert!(script.connection.wants_frames());
    script.pass(SECOND * 180);
    assert!(script.connection.is_closed(), "now it could");
}

#[test]
fn r_ka_11_answers_to_pings_before_any_setup_stop_the_reading() {
    let limits = Arc::new(Limits { write_budget: 1_000, ..Limits::default() });
    let framing = Framing::WebSocket(Masking::None);
    let mut server = Connection::server(framing, limits, None, client().now);
    for _ in 0..1_000 {
        if server.wants_frames() {
            server.handle_ping(&[7; 100]);
        }
    }
    assert!(server.output().len() <= 2_000 + 102, "{} bytes", server.output().len());
    server.advance(1_000);
    assert!(server.wants_frames());
}

#[test]
fn r_ka_11_r_lim_10_what_the_clocks_send_does_not_pile_up() {
    let limits = Limits { write_budget: 1_000, ..Limits::default() };
    let grant = LeaseGrant { requests: 1, ttl: SECOND };
    let mut client = Script::raw_client(limits, true, Some(grant));
    let data: &'static str = Box::leak("x".repeat(500).into_boxed_str());
    while client.connection.wants_frames() {
        client.receive(&keepalive(true, data));
    }
    let full = client.connection.output().len();
    client.pass(SECOND * 3_600);
    assert_eq!(client.connection.output().len(), full);
    assert!(!client.connection.is_closed());
    // Read again, both go on.
    client.sent();
    client.pass(SECOND * 20);
    let said = client.said();
    assert!(said.iter().any(|frame| frame.contains("KEEPALIVE")), "{said:?}");
    assert!(said.iter().any(|frame| frame.contains("LEASE")), "{said:?}");
}
