//! Section 3.5: request/response, every row of both tables.

use std::time::Duration;

use crate::protocol::{Cause, Interaction, Limits, StreamError, StreamKey, Terminal};
use crate::testkit::{
    Script, cancel, error, follows, item, payload, request, request_n, stream, tagged,
};
use crate::wire::{ErrorCode, Payload};

const RR: usize = Interaction::RequestResponse.index();

/// A server with one request under way on stream 1.
fn asked() -> (Script, StreamKey) {
    let mut server = Script::server(Limits::default());
    let key = server.open(&request(1, "q"));
    (server, key)
}

/// A client with one call under way on stream 1.
fn calling() -> (Script, StreamKey) {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestResponse, 1);
    (client, key)
}

fn is_gone(script: &Script) -> bool {
    script.connection.live_streams() == 0 && script.connection.held_bytes == 0
}

// ---- responder ---------------------------------------------------------------------------------

#[test]
fn r_rr_1_r_rr_4_the_response_is_one_frame() {
    let failed = StreamError::application("broken");
    let outcomes = [
        (Ok(Some(payload("x"))), "1 CN x", Terminal::Complete),
        (Ok(Some(payload(""))), "1 CN", Terminal::Complete),
        (Ok(None), "1 C", Terminal::Complete),
        (Err(failed), "1 ERROR APPLICATION_ERROR", Terminal::Error),
    ];
    for (outcome, frame, terminal) in outcomes {
        let (mut server, key) = asked();
        server.connection.respond(key, outcome);
        assert_eq!(server.said(), [frame]);
        assert_eq!(server.heard(), ["ended"]);
        assert!(is_gone(&server));
        // There is no second one.
        server.connection.respond(key, Ok(None));
        assert_eq!(server.said(), [""; 0]);
        let ended = server.connection.take_stats().streams[RR];
        assert_eq!((ended[terminal.index()], ended.iter().sum::<u64>()), (1, 1));
    }
}

#[test]
fn r_rr_1_a_request_in_fragments_runs_its_handler_once() {
    let mut server = Script::server(Limits::default());
    server.receive(&tagged(follows(request(1, "a")), "m"));
    server.receive(&request_n(1, 7));
    server.receive(&item(1, "FN", "b"));
    assert_eq!(server.heard(), [""; 0]);
    let key = server.open(&item(1, "N", "c"));
    server.connection.respond(key, Ok(Some(payload("x"))));
    assert_eq!(server.said(), ["1 CN x"]);
    assert!(is_gone(&server));
}

#[test]
fn r_rr_1_a_request_given_up_in_reassembly_never_runs_its_handler() {
    let limits = Limits { item_bytes_max: 4, ..Limits::default() };
    type End = (fn(&mut Script), &'static [&'static str]);
    let ends: [End; 4] = [
        (|server| server.receive(&cancel(1)), &[]),
        (|server| server.receive(&error(1, ErrorCode::CANCELED, "")), &[]),
        (|server| server.receive(&item(1, "N", "0123")), &["1 ERROR CANCELED"]),
        (|server| server.pass(Duration::from_secs(31)), &["1 ERROR CANCELED"]),
    ];
    for (end, said) in ends {
        let mut server = Script::server(limits.clone());
        server.receive(&follows(request(1, "a")));
        end(&mut server);
        assert_eq!(server.said(), said);
        assert!(is_gone(&server));
        server.receive(&item(1, "N", "late"));
        assert_eq!(server.heard(), [""; 0]);
        assert_eq!(server.said(), [""; 0]);
        let stats = server.connection.take_stats();
        assert_eq!((stats.requests[RR], stats.streams[RR]), (0, [0; 4]));
    }
}

#[test]
fn r_rr_2_after_cancel_or_error_nothing_is_sent() {
    for end in [cancel(1), error(1, ErrorCode::CANCELED, "")] {
        let (mut server, key) = asked();
        server.receive(&end);
        assert_eq!(server.heard(), ["ended"]);
        assert!(is_gone(&server));
        server.connection.respond(key, Ok(Some(payload("late"))));
        server.connection.respond(key, Err(StreamError::application("late")));
        assert_eq!(server.said(), [""; 0]);
        let ended = server.connection.take_stats().streams[RR];
        assert_eq!(ended[Terminal::Cancel.index()], 1);
    }
}

#[test]
fn r_rr_2_cancel_drops_a_response_that_waits_for_room() {
    let limits = Limits { write_budget: 256, ..Limits::default() };
    for len in [200, 1_000] {
        let mut server = Script::server(limits.clone());
        let filler = server.open(&stream(9, 9));
        server.put(filler, &Payload::new(vec![b'f'; 1_000]), 1);
        let key = server.open(&request(1, "q"));
        server.connection.flush();
        server.connection.respond(key, Ok(Some(Payload::new(vec![b'x'; len]))));
        assert_eq!(server.connection.responses_bytes, len);
        server.receive(&cancel(1));
        assert_eq!(server.connection.responses_bytes, 0);
        let said = server.said();
        assert!(said.iter().all(|line| line.starts_with("9 ")), "{said:?}");
        assert_eq!(server.connection.live_streams(), 1);
    }
}

#[test]
fn r_rr_6_there_is_no_credit_in_either_direction() {
    let (mut server, key) = asked();
    server.receive(&request_n(1, 5));
    server.receive(&request_n(1, 0));
    server.receive(&item(1, "N", "stray"));
    assert_eq!(server.heard(), [""; 0]);
    assert_eq!(server.connection.take_stats().ignored, 3);
    server.connection.respond(key, Ok(Some(payload("x"))));
    assert_eq!(server.said(), ["1 CN x"]);

    let (mut client, key) = calling();
    client.receive(&request_n(1, 5));
    client.receive(&cancel(1));
    assert_eq!(client.heard(), [""; 0]);
    client.receive(&item(1, "CN", "x"));
    assert_eq!(client.take(key), ["x", "complete"]);
    assert_eq!(client.said(), [""; 0]);
}

#[test]
fn r_rr_8_its_id_is_free_as_soon_as_the_response_is_queued() {
    let (mut server, key) = asked();
    server.connection.respond(key, Ok(Some(payload("x"))));
    server.events();
    let again = server.open(&request(1, "again"));
    assert_ne!(key, again);
    server.connection.respond(again, Ok(Some(payload("y"))));
    assert_eq!(server.said(), ["1 CN x", "1 CN y"]);
}

#[test]
fn r_rr_8_a_connection_that_ends_cancels_the_handler() {
    let (mut server, key) = asked();
    server.connection.handle_eof();
    assert_eq!(server.heard(), ["ended", "closed"]);
    server.connection.respond(key, Ok(Some(payload("late"))));
    assert_eq!(server.said(), [""; 0]);
    let ended = server.connection.take_stats().streams[RR];
    assert_eq!(ended[Terminal::ConnectionLost.index()], 1);
}

// ---- requester ---------------------------------------------------------------------------------

#[test]
fn r_rr_1_a_call_ends_by_its_response() {
    let outcomes: [(crate::wire::Frame, &[&str]); 4] = [
        (item(1, "CN", "x"), &["x", "complete"]),
        (item(1, "CN", ""), &["", "complete"]),
        (item(1, "C", ""), &["complete"]),
        (error(1, ErrorCode::REJECTED, "retry"), &["failed REJECTED"]),
    ];
    for (response, taken) in outcomes {
        let (mut client, key) = calling();
        client.receive(&response);
        assert_eq!(client.take(key), taken);
        assert_eq!(client.heard(), ["input", "ended"]);
        assert!(is_gone(&client));
        // Late frames, and giving up now, say nothing (R-STR-6).
        client.receive(&response);
        client.connection.cancel_inbound(key);
        assert_eq!(client.said(), [""; 0]);
        assert_eq!(client.heard(), [""; 0]);
    }
}

#[test]
fn r_rr_3_an_item_without_c_ends_the_call() {
    let (mut client, key) = calling();
    client.receive(&item(1, "N", "d"));
    assert!(client.connection.live_streams() == 0);
    client.receive(&item(1, "N", "late"));
    client.receive(&item(1, "C", ""));
    assert_eq!(client.take(key), ["d", "complete"]);
    assert_eq!(client.said(), [""; 0]);
    assert_eq!(client.connection.take_stats().ignored, 2);
}

#[test]
fn r_rr_5_n_0_with_content_is_an_item_and_without_is_empty() {
    let data: &[&str] = &["x", "complete"];
    let cases = [
        (item(1, "C", "x"), data),
        (item(1, "", "x"), data),
        (tagged(item(1, "C", ""), "m"), &["[m]", "complete"]),
        (tagged(item(1, "C", ""), ""), &["[]", "complete"]),
        (item(1, "", ""), &["complete"]),
        (item(1, "C", ""), &["complete"]),
    ];
    for (frame, taken) in cases {
        let (mut client, key) = calling();
        client.receive(&frame);
        assert_eq!(client.take(key), taken, "{frame:?}");
        assert!(is_gone(&client));
    }
    // One that ends a reassembly is an item too, even when it has nothing to add.
    for last in [item(1, "C", ""), item(1, "", ""), item(1, "CN", "")] {
        let (mut client, key) = calling();
        client.receive(&item(1, "FN", "a"));
        client.receive(&item(1, "F", "b"));
        client.receive(&last);
        assert_eq!(client.take(key), ["ab", "complete"]);
        assert!(is_gone(&client));
    }
}

#[test]
fn r_rr_2_a_caller_that_gives_up_sends_one_cancel() {
    let (mut client, key) = calling();
    client.receive(&item(1, "FN", "partial"));
    client.connection.cancel_inbound(key);
    client.connection.cancel_inbound(key);
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.heard(), ["ended"]);
    assert!(is_gone(&client));
    client.receive(&item(1, "CN", "late"));
    assert_eq!(client.heard(), [""; 0]);
}

#[test]
fn r_rr_7_a_response_that_came_first_wins() {
    let (mut client, key) = calling();
    client.receive(&item(1, "CN", "x"));
    client.stop(key);
    assert_eq!(client.said(), [""; 0]);
    assert_eq!(client.heard(), ["input", "ended"]);
    assert!(is_gone(&client));
}

#[test]
fn r_rr_1_an_error_drops_what_was_gathered() {
    let (mut client, key) = calling();
    client.receive(&item(1, "FN", "partial"));
    client.receive(&error(1, ErrorCode::APPLICATION_ERROR, ""));
    assert_eq!(client.take(key), ["failed APPLICATION_ERROR"]);
    assert!(is_gone(&client));
}

#[test]
fn r_rr_1_a_response_over_the_limit_is_cancelled() {
    let limits = Limits { item_bytes_max: 4, ..Limits::default() };
    for parts in [&["01234"][..], &["012", "345"]] {
        let mut client = Script::client(limits.clone());
        let key = client.ask(Interaction::RequestResponse, 1);
        for part in &parts[1..] {
            client.receive(&item(1, "FN", part));
        }
        client.receive(&item(1, "CN", parts[0]));
        assert_eq!(client.said(), ["1 CANCEL"]);
        assert_eq!(client.take(key), ["failed CANCELED"]);
        assert!(is_gone(&client));
        assert_eq!(client.connection.take_stats().reassembly_limits, 1);
    }
}

#[test]
fn r_rr_1_a_request_in_fragments_that_is_given_up_stops_with_one_cancel() {
    let mut client = Script::client(Limits { write_budget: 256, ..Limits::default() });
    let large = Payload::new(vec![b'x'; 2_000]);
    let key = client.ask_with(Interaction::RequestResponse, 1, large);
    client.connection.cancel_inbound(key);
    let said = client.said();
    assert!(said[0].starts_with("1 REQUEST_RESPONSE F"), "{said:?}");
    assert_eq!(said[1..], ["1 CANCEL"]);
    assert!(is_gone(&client));
}

#[test]
fn r_rr_1_a_response_during_the_request_ends_its_fragments() {
    let mut client = Script::client(Limits { write_budget: 256, ..Limits::default() });
    let large = Payload::new(vec![b'x'; 2_000]);
    let key = client.ask_with(Interaction::RequestResponse, 1, large);
    client.receive(&item(1, "CN", "enough"));
    assert_eq!(client.take(key), ["enough", "complete"]);
    let said = client.said();
    assert_eq!(said.len(), 1, "no fragment follows on an id that is free: {said:?}");
    assert!(is_gone(&client));
    assert!(!client.connection.is_congested());
}

#[test]
fn r_rr_1_a_call_fails_when_its_connection_ends() {
    let (mut client, key) = calling();
    client.connection.abort(Cause::PeerClosed);
    assert_eq!(client.take(key), ["failed CONNECTION_CLOSE"]);
    assert_eq!(client.heard(), ["input", "closed", "ended"]);
    assert!(is_gone(&client));
}

#[test]
fn t_13_a_thousand_live_streams_end_with_their_connection() {
    let mut client = Script::client(Limits { write_budget: 1 << 20, ..Limits::default() });
    let mut server = Script::server(Limits::default());
    let kinds =
        [Interaction::RequestResponse, Interaction::RequestStream, Interaction::RequestChannel];
    let calls: Vec<_> = (0..1_000).map(|i| client.ask(kinds[i % 3], 5)).collect();
    for i in 0..1_000 {
        server.open(&stream(i * 2 + 1, 5));
    }
    for script in [&mut client, &mut server] {
        script.connection.abort(Cause::PeerClosed);
    }
    for key in calls {
        assert_eq!(client.take(key), ["failed CONNECTION_CLOSE"]);
    }
    for script in [&mut client, &mut server] {
        assert_eq!(script.heard().iter().filter(|kind| **kind == "ended").count(), 1_000);
        assert!(is_gone(script));
    }
}
