//! Section 3.6: request stream.

use crate::protocol::{Interaction, Limits, NewRequest, RequestRefused, StreamKey, Terminal};
use crate::testkit::{
    Script, cancel, error, follows, item, keepalive, payload, request_n, stream, tagged,
};
use crate::wire::{ErrorCode, Payload};

/// A server with one subscription on stream 1.
fn subscribed(initial_n: u32) -> (Script, StreamKey) {
    let mut server = Script::server(Limits::default());
    let key = server.open(&stream(1, initial_n));
    (server, key)
}

/// A client with one subscription on stream 1.
fn subscribing(initial_n: u32) -> (Script, StreamKey) {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, initial_n);
    (client, key)
}

fn terminal(script: &mut Script) -> Terminal {
    let ended = script.connection.take_stats().streams[Interaction::RequestStream.index()];
    assert_eq!(ended.iter().sum::<u64>(), 1, "it ends exactly once");
    *Terminal::ALL.iter().find(|terminal| ended[terminal.index()] == 1).unwrap()
}

// ---- responder ---------------------------------------------------------------------------------

#[test]
fn r_str_1_a_stream_ends_by_one_terminal_frame() {
    type End = (fn(&mut Script, StreamKey), &'static [&'static str], Terminal);
    let ends: [End; 5] = [
        (|server, key| server.complete(key), &["1 C"], Terminal::Complete),
        (|server, key| server.put_last(key, &payload("l")), &["1 N l", "1 C"], Terminal::Complete),
        (|server, key| server.fail(key), &["1 ERROR APPLICATION_ERROR"], Terminal::Error),
        (|server, _| server.receive(&cancel(1)), &[], Terminal::Cancel),
        (|server, _| server.receive(&error(1, ErrorCode::INVALID, "")), &[], Terminal::Cancel),
    ];
    for (end, said, how) in ends {
        let (mut server, key) = subscribed(3);
        server.put(key, &payload("x"), 1);
        assert_eq!(server.said(), ["1 N x"]);
        end(&mut server, key);
        assert_eq!(server.said(), said);
        assert_eq!(server.heard(), ["ended"]);
        assert_eq!(server.connection.live_streams(), 0);
        // Nothing of it happens again.
        for (end, _, _) in ends {
            end(&mut server, key);
        }
        server.receive(&request_n(1, 5));
        assert_eq!(server.put(key, &payload("late"), 1), 0);
        assert_eq!(server.said(), [""; 0]);
        assert_eq!(server.heard(), [""; 0]);
        assert_eq!(terminal(&mut server), how);
    }
}

#[test]
fn r_str_1_a_request_in_fragments_keeps_its_credit() {
    let mut server = Script::server(Limits::default());
    server.receive(&follows(stream(1, 2)));
    server.receive(&request_n(1, 3));
    server.receive(&item(1, "FN", "a"));
    server.receive(&request_n(1, 1));
    assert_eq!(server.heard(), [""; 0]);
    let key = server.open(&item(1, "N", "b"));
    assert_eq!(server.put(key, &payload("x"), 10), 6);
}

#[test]
fn r_str_1_a_request_given_up_in_reassembly_has_no_handler() {
    for end in [cancel(1), error(1, ErrorCode::CANCELED, "")] {
        let mut server = Script::server(Limits::default());
        server.receive(&follows(stream(1, 2)));
        server.receive(&end);
        server.receive(&item(1, "N", "late"));
        assert_eq!(server.heard(), [""; 0]);
        assert_eq!(server.said(), [""; 0]);
        assert_eq!(server.connection.live_streams(), 0);
        assert_eq!(server.connection.held_bytes, 0);
    }
}

#[test]
fn r_str_2_credit_may_come_at_any_time() {
    let (mut client, key) = subscribing(1);
    client.grant(key, 2);
    assert_eq!(client.said(), ["1 REQUEST_N 2"]);
    client.receive(&item(1, "FN", "a"));
    client.grant(key, 1);
    assert_eq!(client.said(), ["1 REQUEST_N 1"]);
    client.receive(&item(1, "N", "b"));
    for _ in 0..3 {
        client.receive(&item(1, "N", "x"));
    }
    assert_eq!(client.take(key), ["ab", "x", "x", "x"]);
    assert_eq!(client.said(), [""; 0]);
}

#[test]
fn r_str_3_r_str_8_without_credit_or_room_the_quota_is_empty() {
    let mut server = Script::server(Limits { write_budget: 256, ..Limits::default() });
    let key = server.open(&stream(1, 1_000));
    assert_eq!(server.quota(key), Some(1_000));
    let written = server.put(key, &payload("0123456789"), 1_000);
    assert!(written < 20, "no more than the write budget: {written}");
    let large = server.open(&stream(3, 1));
    assert_eq!(server.put(large, &payload("0123456789"), 1), 0, "no room for others either");
    assert!(server.connection.output().len() <= 256);
    assert_eq!(server.said().len() as u64, written);
    // Every interleaving of small grants and fills gives exactly the credit.
    let mut served = written;
    for n in 1..50 {
        server.receive(&request_n(1, n));
        served += server.put(key, &payload("x"), 7);
        server.said();
    }
    while let taken @ 1.. = server.put(key, &payload("x"), 1_000) {
        served += taken;
        server.said();
    }
    assert_eq!(served, 1_000 + (1..50).sum::<u64>());
    assert_eq!(server.quota(key), Some(0));
}

#[test]
fn r_str_4_completion_goes_out_at_once_without_credit_and_without_room() {
    let mut server = Script::server(Limits { write_budget: 256, ..Limits::default() });
    let key = server.open(&stream(1, 1));
    server.put(key, &payload("x"), 1);
    let other = server.open(&stream(3, 100));
    server.put(other, &Payload::new(vec![b'y'; 120]), 100);
    assert_eq!(server.quota(key), Some(0));
    server.complete(key);
    assert!(server.said().contains(&"1 C".to_owned()));
}

#[test]
fn r_str_5_items_before_an_error_are_delivered_before_it() {
    let (mut client, key) = subscribing(5);
    client.receive(&item(1, "N", "a"));
    client.receive(&tagged(item(1, "N", "b"), "m"));
    client.receive(&item(1, "FN", "partial"));
    client.receive(&error(1, ErrorCode::APPLICATION_ERROR, "broken"));
    assert_eq!(client.connection.live_streams(), 0);
    assert_eq!(client.take(key), ["a", "[m]b", "failed APPLICATION_ERROR"]);
    assert_eq!(client.connection.held_bytes, 0);
    assert_eq!(client.said(), [""; 0]);
}

#[test]
fn r_str_6_a_consumer_that_cancels_sends_one_cancel() {
    let (mut client, key) = subscribing(5);
    for _ in 0..3 {
        client.receive(&item(1, "N", "x"));
    }
    client.take(key);
    client.stop(key);
    client.stop(key);
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.heard(), ["input", "ended"]);
    client.receive(&item(1, "N", "late"));
    client.receive(&item(1, "C", ""));
    assert_eq!(client.heard(), [""; 0]);
    assert_eq!(client.said(), [""; 0]);
    assert_eq!(client.connection.held_bytes, 0);
}

#[test]
fn r_str_6_after_the_end_there_is_nothing_to_cancel() {
    for end in [item(1, "C", ""), item(1, "CN", "x"), error(1, ErrorCode::INVALID, "")] {
        let (mut client, key) = subscribing(5);
        client.receive(&item(1, "N", "x"));
        client.receive(&end);
        client.stop(key);
        assert_eq!(client.said(), [""; 0]);
        assert_eq!(client.heard().last(), Some(&"ended"));
        assert_eq!(client.connection.held_bytes, 0);
    }
}

#[test]
fn r_str_7_there_is_no_request_without_demand() {
    let mut client = Script::client(Limits::default());
    for interaction in [Interaction::RequestStream, Interaction::RequestChannel] {
        for initial_n in [0, 1 << 31] {
            let payload = payload("x");
            let request = NewRequest { interaction, payload, initial_n, complete: false };
            let refused = client.connection.request(client.now, &request);
            assert!(matches!(refused, Err(RequestRefused::Unsendable(_))), "{refused:?}");
        }
    }
    assert_eq!(client.said(), [""; 0]);
    client.ask_with(Interaction::RequestStream, 7, payload("x"));
    assert_eq!(client.said(), ["1 REQUEST_STREAM 7 x"]);
}

#[test]
fn r_str_8_t_25_a_reader_that_does_not_read_holds_no_more_than_the_budget() {
    let limits = Limits { write_budget: 1_024, ..Limits::default() };
    let mut server = Script::server(limits);
    let slow = server.open(&stream(1, 0x7FFF_FFFF));
    let large = server.open(&stream(3, 0x7FFF_FFFF));
    for _ in 0..100 {
        server.connection.flush();
        server.put(slow, &payload("0123456789"), 1_000);
        server.put(large, &Payload::new(vec![b'x'; 10_000]), 1_000);
        server.connection.flush_rest();
        assert!(server.connection.output().len() <= 1_024 + 1_024);
    }
    // KEEPALIVE is answered all the same, and both streams go on once the socket takes bytes.
    server.receive(&keepalive(true, ""));
    let said = server.said();
    assert!(said.contains(&"0 KEEPALIVE".to_owned()), "{said:?}");
    server.put(slow, &payload("0123456789"), 1);
    let said = server.said();
    assert!(said.iter().any(|line| line.starts_with("1 N")), "{said:?}");
}

// ---- requester ---------------------------------------------------------------------------------

#[test]
fn r_str_1_a_requester_sees_items_then_one_end() {
    let failed = "failed APPLICATION_ERROR";
    let ends: [(_, &[&str]); 3] = [
        (item(1, "C", ""), &["x", "complete"]),
        (item(1, "CN", "l"), &["x", "l", "complete"]),
        (error(1, ErrorCode::APPLICATION_ERROR, ""), &["x", failed]),
    ];
    for (end, taken) in ends {
        let (mut client, key) = subscribing(5);
        client.receive(&item(1, "N", "x"));
        client.receive(&end);
        client.receive(&item(1, "N", "late"));
        client.receive(&error(1, ErrorCode::INVALID, "late"));
        assert_eq!(client.take(key), taken);
        assert_eq!(client.take(key), [""; 0]);
        assert_eq!(client.heard(), ["input", "input", "ended"]);
        assert_eq!(client.said(), [""; 0]);
    }
}

#[test]
fn r_str_1_a_requester_ignores_cancel_and_credit() {
    let (mut client, key) = subscribing(5);
    client.receive(&cancel(1));
    client.receive(&request_n(1, 5));
    client.receive(&request_n(1, 0));
    assert_eq!(client.heard(), [""; 0]);
    assert_eq!(client.said(), [""; 0]);
    client.receive(&item(1, "N", "x"));
    assert_eq!(client.take(key), ["x"]);
}
