//! Section 3.8, and the races of CANCEL with every other end.

use std::time::Duration;

use crate::protocol::{Event, Interaction, LeaseGrant, Limits, NewRequest, RequestRefused};
use crate::testkit::{
    Script, cancel, channel, error, fnf, follows, item, payload, request, request_n, stream,
};
use crate::wire::{Body, ErrorCode, Frame, Lease, Payload, StreamId};

const CALLS: [Interaction; 3] =
    [Interaction::RequestResponse, Interaction::RequestStream, Interaction::RequestChannel];

fn is_gone(script: &Script) -> bool {
    script.connection.live_streams() == 0
        && script.connection.held_bytes == 0
        && script.connection.reassemblies.is_empty()
}

#[test]
fn r_can_1_an_unknown_id_and_stream_0_are_ignored() {
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 1));
    for id in [0, 2, 3, 0x7FFF_FFFF] {
        script.receive(&cancel(id));
    }
    assert_eq!(script.said(), [""; 0]);
    assert_eq!(script.heard(), [""; 0]);
    assert_eq!(script.connection.take_stats().ignored, 4);
    assert_eq!(script.put(key, &payload("x"), 1), 1);
}

#[test]
fn r_can_2_after_cancel_late_frames_and_their_fragments_are_dropped() {
    for interaction in CALLS {
        let mut client = Script::client(Limits::default());
        let key = client.ask(interaction, 5);
        client.receive(&item(1, "FN", "partial"));
        client.stop(key);
        assert_eq!(client.said(), ["1 CANCEL"]);
        assert_eq!(client.heard(), ["ended"]);
        assert!(is_gone(&client));
        for flags in ["FN", "N", "CN", "C"] {
            client.receive(&item(1, flags, "late"));
        }
        client.receive(&error(1, ErrorCode::APPLICATION_ERROR, "late"));
        assert_eq!(client.heard(), [""; 0]);
        assert_eq!(client.take(key), [""; 0]);
        assert!(is_gone(&client));
        assert_eq!(client.connection.take_stats().ignored, 5);
    }
}

#[test]
fn r_can_3_t_9_a_second_end_has_no_effect() {
    let ends = [
        cancel(1),
        item(1, "C", ""),
        item(1, "CN", "x"),
        error(1, ErrorCode::APPLICATION_ERROR, ""),
    ];
    for first in &ends {
        for second in &ends {
            let mut server = Script::server(Limits::default());
            let key = server.open(&channel(1, 5, "first"));
            server.grant(key, 5);
            server.complete(key);
            server.said();
            server.receive(first);
            server.receive(second);
            server.take(key);
            assert_eq!(server.heard().iter().filter(|kind| **kind == "ended").count(), 1);
            assert_eq!(server.said(), [""; 0]);
            assert!(is_gone(&server));
            let ended = server.connection.take_stats().streams;
            assert_eq!(ended.iter().flatten().sum::<u64>(), 1);

            let mut client = Script::client(Limits::default());
            let key = client.ask(Interaction::RequestStream, 5);
            client.stop(key);
            client.receive(first);
            client.receive(second);
            assert_eq!(client.said(), ["1 CANCEL"]);
            assert_eq!(client.heard(), ["ended"]);
            assert!(is_gone(&client));
        }
    }
}

#[test]
fn r_can_3_cancel_and_the_terminal_frame_may_cross() {
    let mut server = Script::server(Limits::default());
    let key = server.open(&stream(1, 1));
    let mut client = Script::client(Limits::default());
    let called = client.ask(Interaction::RequestStream, 1);
    server.complete(key);
    client.stop(called);
    let (theirs, ours) = (server.sent(), client.sent());
    theirs.iter().for_each(|frame| client.receive(frame));
    ours.iter().for_each(|frame| server.receive(frame));
    for script in [&mut server, &mut client] {
        assert_eq!(script.heard(), ["ended"]);
        assert_eq!(script.said(), [""; 0]);
        assert!(is_gone(script));
    }
}

#[test]
fn r_can_4_t_5_cancel_in_the_same_read_as_the_request() {
    for asked in [request(1, "q"), stream(1, 5), channel(1, 5, "x")] {
        let mut server = Script::server(Limits::default());
        server.receive(&asked);
        server.receive(&cancel(1));
        assert!(is_gone(&server));
        let events = server.events();
        let [Event::Request(key, _), Event::Ended(ended)] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(key, ended);
        // The handler, if it is asked all the same, finds that nobody listens.
        assert_eq!(server.put(*key, &payload("x"), 1), 0);
        server.connection.respond(*key, Ok(Some(payload("x"))));
        assert_eq!(server.take(*key), [""; 0]);
        assert_eq!(server.said(), [""; 0]);
        assert!(is_gone(&server));
    }
}

#[test]
fn r_can_5_t_10_a_responder_cancels_channels_only() {
    let mut server = Script::server(Limits::default());
    let asked = server.open(&request(1, "q"));
    let subscribed = server.open(&stream(3, 5));
    let completed = server.open(&channel(5, 5, "x"));
    server.receive(&item(5, "C", ""));
    for key in [asked, subscribed, completed] {
        server.stop(key);
        server.stop(key);
        server.connection.cancel_inbound(key);
    }
    assert_eq!(server.said(), [""; 0]);
    server.events();
    let open = server.open(&channel(7, 5, "x"));
    server.stop(open);
    assert_eq!(server.said(), ["7 CANCEL"]);
    assert_eq!(server.connection.live_streams(), 4);
}

#[test]
fn r_can_6_what_has_not_left_yet_is_not_sent() {
    let limits = Limits { write_budget: 256, ..Limits::default() };
    let mut client = Script::raw_client(limits, true, None);
    client.sent();
    let lease = Lease { ttl_ms: 60_000, requests: 2, metadata: None };
    client.receive(&Frame::new(StreamId::CONNECTION, Body::Lease(lease)));
    let filler = Payload::new(vec![b'x'; 200]);
    client.ask_with(Interaction::RequestResponse, 1, filler);
    for len in [100, 1_000] {
        let request = NewRequest {
            interaction: Interaction::RequestResponse,
            payload: Payload::new(vec![b'y'; len]),
            initial_n: 1,
            complete: false,
        };
        let refused = client.connection.request(client.now, &request);
        assert_eq!(refused, Err(RequestRefused::Full));
    }
    assert_eq!(client.said().len(), 1);
    assert_eq!(client.connection.live_streams(), 1);
    // The unit of the lease was not spent.
    client.ask(Interaction::RequestResponse, 1);
}

#[test]
fn r_can_6_a_request_whose_stream_exists_has_begun_to_leave() {
    for used in 0..300 {
        let mut client = Script::client(Limits { write_budget: 256, ..Limits::default() });
        let filler = Payload::new(vec![b'x'; used]);
        client.ask_with(Interaction::RequestResponse, 1, filler);
        let request = NewRequest {
            interaction: Interaction::RequestResponse,
            payload: Payload::new(vec![b'y'; 1_000]),
            initial_n: 1,
            complete: false,
        };
        if let Ok(Some(key)) = client.connection.request(client.now, &request) {
            client.stop(key);
            let said = client.said();
            let at = said.iter().position(|line| line == "3 CANCEL").unwrap();
            assert!(said[..at].iter().any(|line| line.starts_with("3 REQUEST")), "{said:?}");
        }
    }
}

#[test]
fn r_can_7_a_stream_counts_until_all_of_it_has_stopped() {
    let mut server = Script::server(Limits { streams_max: 1, ..Limits::default() });
    let key = server.open(&channel(1, 5, "first"));
    server.grant(key, 5);
    server.said();
    server.receive(&item(1, "CN", "untaken"));
    server.complete(key);
    assert_eq!(server.said(), ["1 C"]);
    assert_eq!(server.connection.live_streams(), 0, "its id is free");
    server.receive(&request(3, "q"));
    assert_eq!(server.said(), ["3 ERROR REJECTED"], "but its handler is still at work");
    server.take(key);
    server.events();
    server.open(&request(3, "q"));
}

#[test]
fn r_can_7_floods_of_request_and_cancel_leave_nothing_behind() {
    let mut server = Script::server(Limits { streams_max: 2, ..Limits::default() });
    for round in 0..1_000_u32 {
        let id = round % 50 * 2 + 1;
        let asked = match round % 4 {
            0 => request(id, "q"),
            1 => stream(id, 5),
            2 => channel(id, 5, "x"),
            _ => follows(fnf(id, "x")),
        };
        server.receive(&asked);
        server.receive(&request_n(id, 5));
        server.receive(&cancel(id));
        assert!(is_gone(&server));
        server.events();
    }
    assert_eq!(server.said(), [""; 0]);
    let stats = server.connection.take_stats();
    assert_eq!(stats.refused, 0);
    assert_eq!(stats.streams.iter().flatten().sum::<u64>(), 750);
}

#[test]
fn r_can_6_a_request_that_was_sent_has_spent_its_unit() {
    let mut client = Script::raw_client(Limits::default(), true, None);
    client.sent();
    let lease = Lease { ttl_ms: 60_000, requests: 1, metadata: None };
    client.receive(&Frame::new(StreamId::CONNECTION, Body::Lease(lease)));
    let key = client.ask(Interaction::RequestResponse, 1);
    client.stop(key);
    let request = NewRequest {
        interaction: Interaction::RequestResponse,
        payload: payload("x"),
        initial_n: 1,
        complete: false,
    };
    let refused = client.connection.request(client.now, &request);
    assert_eq!(refused, Err(RequestRefused::NoLease));
}

#[test]
fn r_can_4_cancel_races_a_deadline_of_its_reassembly() {
    let grant = LeaseGrant { ttl: Duration::from_secs(60), requests: 10 };
    let mut server = Script::raw_server(Limits::default(), Some(grant));
    server.receive(&crate::testkit::setup());
    server.connection.accept(server.now);
    server.events();
    server.receive(&follows(request(1, "a")));
    server.receive(&cancel(1));
    server.pass(Duration::from_secs(40));
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.heard(), [""; 0]);
}
