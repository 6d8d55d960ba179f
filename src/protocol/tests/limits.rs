//! Section 3.10: every limit of a connection, reached, and counted.

use std::time::Duration;

use crate::protocol::{Cause, Deadline, Event, Interaction, Limits, Next, StreamError, StreamKey};
use crate::testkit::{
    Script, channel, error, fnf, follows, item, keepalive, payload, request, setup, stream,
};
use crate::wire::{Body, Deframer, ErrorCode, Frame, Payload, StreamId};

fn is_clean(script: &Script) -> bool {
    script.connection.held_bytes == 0 && script.connection.reassemblies.is_empty()
}

/// A client with a subscription on stream 1 for many items.
fn subscribing(limits: Limits) -> (Script, StreamKey) {
    let mut client = Script::client(limits);
    let key = client.ask(Interaction::RequestStream, 1_000);
    (client, key)
}

#[test]
fn r_lim_1_a_frame_longer_than_the_limit_closes_before_it_is_buffered() {
    let mut server = Script::server(Limits::default());
    let mut deframer = Deframer::length_prefix(1_000);
    let mut bytes = bytes::BytesMut::from(&[0, 0x03, 0xE9][..]);
    let error = deframer.next(&mut bytes).unwrap_err();
    server.connection.handle_framing_error(&error);
    assert_eq!(server.said(), ["0 ERROR CONNECTION_ERROR"]);
    assert_eq!(server.heard(), ["closed"]);
}

#[test]
fn r_lim_2_t_35_an_item_over_the_limit_ends_its_stream_once() {
    let limits = Limits { item_bytes_max: 10, ..Limits::default() };
    for k in 0..5 {
        let mut server = Script::server(limits.clone());
        server.receive(&follows(request(1, "0123")));
        for _ in 0..k {
            server.receive(&item(1, "FN", "0123"));
        }
        server.receive(&item(1, "FN", "01234567"));
        server.receive(&item(1, "N", "late"));
        assert_eq!(server.said(), ["1 ERROR CANCELED"]);
        assert_eq!(server.heard(), [""; 0]);
        assert!(is_clean(&server));
        assert_eq!(server.connection.take_stats().reassembly_limits, 1);

        let (mut client, key) = subscribing(limits.clone());
        client.receive(&item(1, "N", "0123456789"));
        for _ in 0..k {
            client.receive(&item(1, "FN", "0123"));
        }
        client.receive(&item(1, "N", "0123456789+"));
        client.receive(&item(1, "N", "late"));
        assert_eq!(client.said(), ["1 CANCEL"]);
        assert_eq!(client.take(key), ["0123456789", "failed CANCELED"]);
        assert!(is_clean(&client));
        assert_eq!(client.connection.take_stats().reassembly_limits, 1);
    }
}

#[test]
fn r_lim_2_a_request_in_one_frame_has_the_same_limit() {
    let limits = Limits { item_bytes_max: 10, ..Limits::default() };
    let large = "0123456789+";
    for asked in [request(1, large), channel(1, 1, large), follows(request(1, large))] {
        let mut server = Script::server(limits.clone());
        server.receive(&asked);
        assert_eq!(server.said(), ["1 ERROR CANCELED"]);
        assert_eq!(server.heard(), [""; 0]);
        assert_eq!(server.connection.take_stats().reassembly_limits, 1);
    }
    let mut server = Script::server(limits);
    server.receive(&fnf(1, large));
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.heard(), [""; 0]);
    server.open(&request(1, "0123456789"));
}

#[test]
fn r_lim_3_the_bytes_of_a_connection_are_bounded_and_the_newest_stream_pays() {
    let limits = Limits { inbound_bytes_max: 25, ..Limits::default() };
    let mut server = Script::server(limits);
    for id in [1, 3] {
        server.receive(&follows(request(id, "0123456789")));
    }
    server.receive(&follows(request(5, "0123456789")));
    assert_eq!(server.said(), ["5 ERROR CANCELED"]);
    assert_eq!(server.connection.held_bytes, 20);
    assert_eq!(server.connection.take_stats().reassembly_limits, 1);
    // The others go on, and what they held is given back.
    server.open(&item(1, "N", "x"));
    server.open(&item(3, "N", "x"));
    assert!(is_clean(&server));
}

#[test]
fn r_lim_3_untaken_items_count_too() {
    let (mut client, key) = subscribing(Limits { inbound_bytes_max: 25, ..Limits::default() });
    client.receive(&item(1, "N", "0123456789"));
    client.receive(&item(1, "N", "0123456789"));
    client.receive(&item(1, "N", "0123456789"));
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["0123456789", "0123456789", "failed CANCELED"]);
    assert!(is_clean(&client));
}

#[test]
fn r_lim_4_a_missing_fragment_ends_its_item() {
    let limits = Limits { fragment_interval: Duration::from_secs(5), ..Limits::default() };
    let mut server = Script::server(limits);
    server.receive(&follows(request(1, "a")));
    server.receive(&follows(fnf(3, "a")));
    for _ in 0..3 {
        server.pass(Duration::from_secs(4));
        server.receive(&item(1, "FN", "b"));
        server.receive(&item(3, "FN", "b"));
    }
    assert_eq!(server.said(), [""; 0], "each fragment starts the time again");
    server.pass(Duration::from_secs(5));
    assert_eq!(server.said(), ["1 ERROR CANCELED"], "and fire-and-forget is dropped");
    assert!(is_clean(&server));
    assert_eq!(server.connection.live_streams(), 0);
    assert_eq!(server.connection.take_stats().reassembly_limits, 2);
}

#[test]
fn r_lim_4_each_fragment_of_an_item_starts_the_time_again() {
    let limits = Limits { fragment_interval: Duration::from_secs(5), ..Limits::default() };
    let (mut client, key) = subscribing(limits);
    for _ in 0..3 {
        client.receive(&item(1, "FN", "a"));
        client.pass(Duration::from_secs(4));
    }
    assert_eq!(client.said(), [""; 0]);
    client.receive(&item(1, "N", "b"));
    client.pass(Duration::from_secs(6));
    assert_eq!(client.take(key), ["aaab"]);
    client.receive(&item(1, "FN", "a"));
    client.pass(Duration::from_secs(5));
    assert!(client.said().contains(&"1 CANCEL".to_owned()));
    assert_eq!(client.take(key), ["failed CANCELED"]);
}

#[test]
fn r_lim_4_one_that_goes_on_does_not_cover_for_one_that_stalls() {
    let limits = Limits { fragment_interval: Duration::from_secs(5), ..Limits::default() };
    let mut server = Script::server(limits);
    server.receive(&follows(request(1, "a")));
    server.pass(Duration::from_secs(1));
    server.receive(&follows(request(3, "stalls")));
    server.pass(Duration::from_secs(1));
    server.receive(&follows(request(5, "a")));
    server.pass(Duration::from_secs(2));
    server.receive(&item(1, "FN", "b"));
    server.receive(&item(5, "FN", "b"));
    server.pass(Duration::from_millis(1_999));
    assert_eq!(server.said(), [""; 0]);
    server.pass(Duration::from_millis(1));
    assert_eq!(server.said(), ["3 ERROR CANCELED"], "5 s after its only fragment");
    server.pass(Duration::from_secs(3));
    assert_eq!(server.said(), ["1 ERROR CANCELED", "5 ERROR CANCELED"]);
}

#[test]
fn r_lim_5_reassemblies_at_once_are_bounded() {
    let limits = Limits { reassemblies_max: 2, ..Limits::default() };
    let mut server = Script::server(limits);
    let key = server.open(&channel(7, 1, "x"));
    server.grant(key, 5);
    server.said();
    server.receive(&follows(request(1, "a")));
    server.receive(&follows(request(3, "a")));
    server.receive(&follows(request(5, "a")));
    server.receive(&item(7, "FN", "a"));
    let said = server.said();
    assert_eq!(said[0], "5 ERROR REJECTED");
    assert!(said[1].starts_with("7 ERROR"), "{said:?}");
    assert_eq!(said.len(), 2);
    assert_eq!(server.connection.take_stats().reassembly_limits, 2);
    // Room again when one is done.
    server.receive(&item(1, "N", "b"));
    server.receive(&follows(request(5, "a")));
    assert_eq!(server.said(), [""; 0]);
}

#[test]
fn r_lim_6_r_frag_16_fragments_of_one_item_are_bounded() {
    let limits = Limits { fragments_max: 4, empty_fragments_max: 2, ..Limits::default() };
    let mut server = Script::server(limits);
    server.receive(&follows(request(1, "a")));
    for flags in ["FN", "FN", "FN", "FN", "N"] {
        server.receive(&item(1, flags, "b"));
    }
    assert_eq!(server.said(), ["1 ERROR INVALID"]);
    server.receive(&follows(request(3, "")));
    for _ in 0..2 {
        server.receive(&item(3, "FN", ""));
    }
    assert_eq!(server.said(), ["3 ERROR INVALID"]);
    assert_eq!(server.connection.take_stats().reassembly_limits, 2);
    assert_eq!(server.heard(), [""; 0]);
    // At the limit is within it.
    server.receive(&follows(request(5, "")));
    server.receive(&item(5, "FN", ""));
    server.receive(&item(5, "FN", "x"));
    server.open(&item(5, "N", ""));
    assert!(is_clean(&server));
}

#[test]
fn r_lim_6_t_34_a_million_empty_fragments_hold_nothing() {
    let mut server = Script::server(Limits::default());
    server.receive(&follows(request(1, "")));
    for _ in 0..1_000_000 {
        server.receive(&item(1, "FN", ""));
    }
    assert_eq!(server.said(), ["1 ERROR INVALID"]);
    assert!(is_clean(&server));
    let stats = server.connection.take_stats();
    assert_eq!(stats.reassembly_limits, 1);
    assert_eq!(stats.ignored, 1_000_000 - 8);
}

#[test]
fn r_lim_7_live_streams_are_bounded() {
    let mut server = Script::server(Limits { streams_max: 2, ..Limits::default() });
    let first = server.open(&request(1, "q"));
    server.receive(&follows(stream(3, 1)));
    for asked in [request(5, "q"), stream(7, 1), channel(9, 1, "x"), fnf(11, "x")] {
        server.receive(&asked);
    }
    let rejected = [5, 7, 9].map(|id| format!("{id} ERROR REJECTED"));
    assert_eq!(server.said(), rejected);
    assert_eq!(server.heard(), [""; 0], "fire-and-forget is dropped");
    let stats = server.connection.take_stats();
    assert_eq!((stats.refused, stats.stream_limits), (4, 4));
    server.connection.respond(first, Ok(None));
    server.events();
    server.open(&request(5, "q"));
}

#[test]
fn r_lim_8_the_first_frame_and_the_acceptor_have_a_deadline() {
    let limits = Limits {
        setup_timeout: Duration::from_secs(2),
        acceptor_timeout: Duration::from_secs(3),
        ..Limits::default()
    };
    let mut server = Script::raw_server(limits.clone(), None);
    server.pass(Duration::from_secs(2));
    assert!(matches!(server.events()[..], [Event::Closed(Cause::Timeout(Deadline::Setup))]));

    let mut server = Script::raw_server(limits, None);
    server.receive(&setup());
    server.events();
    server.pass(Duration::from_millis(2_999));
    assert!(!server.connection.is_closed());
    server.pass(Duration::from_millis(1));
    assert_eq!(server.said(), ["0 ERROR REJECTED_SETUP"]);
    assert!(matches!(server.events()[..], [Event::Closed(Cause::Timeout(Deadline::Acceptor))]));
}

#[test]
fn r_lim_9_no_frame_is_taken_while_the_acceptor_decides() {
    let mut server = Script::raw_server(Limits::default(), None);
    assert!(server.connection.wants_frames());
    server.receive(&setup());
    assert!(!server.connection.wants_frames());
    server.connection.accept(server.now);
    assert!(server.connection.wants_frames());
}

#[test]
fn r_lim_10_finished_responses_are_bounded_and_stop_reading() {
    let limits = Limits { write_budget: 256, responses_bytes_max: 1_000, ..Limits::default() };
    let mut server = Script::server(limits);
    let keys: Vec<_> = (0..10).map(|i| server.open(&request(i * 2 + 1, "q"))).collect();
    let mut answered = 0;
    for key in keys {
        assert!(server.connection.output().len() <= 256);
        if !server.connection.wants_frames() {
            break;
        }
        let response = Payload::new(vec![b'x'; 200]);
        server.connection.respond(key, Ok(Some(response)));
        answered += 1;
    }
    assert_eq!(answered, 6, "one is written, five wait");
    assert_eq!(server.said(), (0..6).map(|i| format!("{} CN 200B", i * 2 + 1)).collect::<Vec<_>>());
    assert!(server.connection.wants_frames());
    assert_eq!(server.connection.responses_bytes, 0);
}

#[test]
fn r_lim_10_failures_wait_for_room_as_responses_do() {
    let limits = Limits { write_budget: 256, ..Limits::default() };
    let mut server = Script::server(limits);
    let asked: Vec<_> = (0..500).map(|i| server.open(&request(i * 4 + 1, "q"))).collect();
    let subscribed: Vec<_> = (0..500).map(|i| server.open(&stream(i * 4 + 3, 1))).collect();
    let message = "a message of some length that says at leisure what was wrong";
    for (key, subscribed) in asked.into_iter().zip(subscribed) {
        server.connection.respond(key, Err(StreamError::application(message)));
        server.fail(subscribed);
        assert!(server.connection.output().len() <= 2 * 256 + 100);
    }
    let mut said = 0;
    loop {
        let now = server.said();
        assert!(now.iter().all(|line| line.ends_with("ERROR APPLICATION_ERROR")));
        said += now.len();
        if now.is_empty() {
            break;
        }
    }
    assert!(said >= 500, "every response failed in the end: {said}");
}

#[test]
fn r_lim_12_pending_answers_stop_reading() {
    let mut server = Script::server(Limits { write_budget: 256, ..Limits::default() });
    let mut answers = 0;
    while server.connection.wants_frames() {
        server.receive(&keepalive(true, "0123456789"));
        answers += 1;
        assert!(answers < 100, "reading never stops");
    }
    assert!(server.connection.output().len() < 2 * 256 + 40);
    assert_eq!(server.said().len(), answers);
    assert!(server.connection.wants_frames());
    server.receive(&keepalive(true, ""));
    assert_eq!(server.said(), ["0 KEEPALIVE"]);
}

#[test]
fn r_lim_13_nothing_is_held_of_metadata_push() {
    let mut server = Script::server(Limits::default());
    let push = Body::MetadataPush { metadata: "m".into() };
    let frame = Frame::new(StreamId::CONNECTION, push);
    for _ in 0..100 {
        server.receive(&frame);
        assert_eq!(server.heard(), ["metadata push"]);
    }
    assert_eq!(server.connection.held_bytes, 0);
    assert_eq!(server.said(), [""; 0]);
}

#[test]
fn r_lim_14_a_channel_buffers_no_more_than_was_granted() {
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 1, "first"));
    server.grant(key, 2);
    server.said();
    for _ in 0..2 {
        server.receive(&item(1, "N", "x"));
    }
    assert_eq!(server.said(), [""; 0]);
    server.receive(&item(1, "N", "x"));
    assert_eq!(server.said(), ["1 ERROR CANCELED"]);
    assert_eq!(server.connection.take_stats().credit_violations, 1);
    assert!(is_clean(&server));
}

#[test]
fn r_lim_15_a_long_setup_is_invalid() {
    let limits = Limits { setup_bytes_max: 100, ..Limits::default() };
    let mut long = setup();
    if let Body::Setup(setup) = &mut long.body {
        setup.payload.data = vec![b'x'; 100].into();
    }
    let mut server = Script::raw_server(limits, None);
    server.receive(&long);
    assert_eq!(server.said(), ["0 ERROR INVALID_SETUP"]);
    assert_eq!(server.heard(), ["closed"]);
}

#[test]
fn r_lim_20_messages_are_cut_both_ways() {
    let limits = Limits { error_message_bytes_max: 11, ..Limits::default() };
    let mut server = Script::server(limits);
    let key = server.open(&request(1, "q"));
    let error_long = StreamError::application("0123456789\u{e9}+");
    server.connection.respond(key, Err(error_long));
    let sent = server.sent();
    let Body::Error { message, .. } = &sent[0].body else { panic!("{sent:?}") };
    assert_eq!(&message[..], b"0123456789", "on a character boundary");

    let limits = Limits { error_kept_bytes_max: 5, ..Limits::default() };
    let (mut client, key) = subscribing(limits.clone());
    client.receive(&error(1, ErrorCode::INVALID, "0123456789"));
    client.connection.drain(key, |input| {
        let next = input.next();
        let Next::Failed(error) = next else { panic!("{next:?}") };
        assert_eq!(error.message, "01234");
    });
    let (mut client, _) = subscribing(limits);
    client.receive(&error(0, ErrorCode::CONNECTION_ERROR, "0123456789"));
    let events = client.events();
    let Some(Event::Closed(Cause::PeerError { message, .. })) = events.last() else {
        panic!("{events:?}")
    };
    assert_eq!(message, "01234");
}

#[test]
fn r_lim_20_what_is_within_the_limit_is_kept() {
    let (mut client, key) = subscribing(Limits::default());
    client.receive(&error(1, ErrorCode::INVALID, "0123456789"));
    assert_eq!(client.take(key), ["failed INVALID"]);
    assert_eq!(client.put(key, &payload("x"), 1), 0);
}
