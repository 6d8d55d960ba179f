//! Section 3.3: items go against credit only.

use std::time::Duration;

use crate::protocol::stream::Inbound;
use crate::protocol::{Connection, Event, Interaction, Limits, Pause, StreamKey};
use crate::testkit::{
    Script, cancel, channel, error, follows, item, keepalive, payload, request_n, stream,
};
use crate::wire::{Body, ErrorCode, Frame, Payload};

const N_MAX: u32 = 0x7FFF_FFFF;

/// Fills with one-byte items until something stops it.
fn fill_all(script: &mut Script, key: StreamKey) -> u64 {
    script.put(key, &payload("x"), u64::MAX)
}

#[test]
fn r_reqn_1_r_reqn_2_credits_add_up() {
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 3));
    assert_eq!(fill_all(&mut script, key), 3);
    script.receive(&request_n(1, 2));
    assert!(matches!(script.events()[..], [Event::Credit(credited)] if credited == key));
    assert_eq!(fill_all(&mut script, key), 2);
    let items = script.sent();
    assert_eq!(items.len(), 5);
    assert!(items.iter().all(|frame| matches!(frame.body, Body::Payload { next: true, .. })));
}

#[test]
fn r_reqn_8_completion_needs_no_credit() {
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 1));
    assert_eq!(fill_all(&mut script, key), 1);
    script.connection.fill(key, script.now, usize::MAX, |quota, _| {
        assert_eq!(quota.items, 0);
        Pause::Done
    });
    let last = script.sent().pop().unwrap();
    assert!(matches!(last.body, Body::Payload { next: false, complete: true, .. }));
}

#[test]
fn r_reqn_2_t_20_exactly_what_was_asked_for_is_sent() {
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 3));
    assert_eq!(fill_all(&mut script, key), 3);
    assert_eq!(script.said(), ["1 N x"; 3]);
    script.pass(Duration::from_secs(2));
    assert_eq!(fill_all(&mut script, key), 0);
    assert_eq!(script.said(), [""; 0]);
    script.receive(&request_n(1, 3));
    assert_eq!(fill_all(&mut script, key), 3);
    assert_eq!(script.said(), ["1 N x"; 3]);
}

#[test]
fn r_reqn_3_t_22_an_initial_n_of_zero_is_invalid() {
    for request in [stream(1, 0), channel(1, 0, "x"), follows(stream(1, 0))] {
        let mut script = Script::server(Limits::default());
        script.receive(&request);
        assert_eq!(script.said(), ["1 ERROR INVALID"]);
        assert_eq!(script.heard(), [""; 0], "no handler is invoked");
        assert_eq!(script.connection.live_streams(), 0);
        script.open(&stream(3, 1));
    }
}

#[test]
fn r_reqn_3_t_22_a_later_n_of_zero_ends_its_stream() {
    for request in [stream(1, 5), channel(1, 5, "x"), follows(stream(1, 5))] {
        let mut script = Script::server(Limits::default());
        let other = script.open(&stream(3, 1));
        script.receive(&request);
        script.events();
        script.receive(&request_n(1, 0));
        assert_eq!(script.said(), ["1 ERROR INVALID"]);
        assert_eq!(script.connection.live_streams(), 1);
        assert_eq!(script.put(other, &payload("x"), 1), 1);
    }
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestChannel, 5);
    client.receive(&request_n(1, 0));
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["failed INVALID"]);
    assert_eq!(client.connection.live_streams(), 0);
}

/// The values of every REQUEST_N that is sent.
fn granted(script: &mut Script) -> Vec<u32> {
    let n = |frame: &Frame| {
        let Body::RequestN { n } = frame.body else { panic!("{frame:?}") };
        n
    };
    script.sent().iter().map(n).collect()
}

#[test]
fn r_reqn_4_t_18_fields_stay_within_the_largest_value() {
    for _ in 0..3 {
        let mut client = Script::client(Limits::default());
        let key = client.ask(Interaction::RequestStream, 1);
        for _ in 0..3 {
            client.grant(key, N_MAX);
        }
        client.grant(key, u32::MAX);
        let granted = granted(&mut client);
        assert!(granted.iter().all(|n| (1..=N_MAX).contains(n)), "{granted:?}");
        assert!(granted.contains(&N_MAX));
    }
}

#[test]
fn r_reqn_4_r_reqn_14_small_grants_do_not_add_up_to_everything() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 1);
    client.grant(key, 1 << 30);
    client.grant(key, (1 << 30) - 1);
    let granted = granted(&mut client);
    assert_eq!(granted.iter().map(|n| u64::from(*n)).sum::<u64>(), u64::from(N_MAX));
    assert!(!granted.contains(&N_MAX), "2^31-1 in one field asks for everything: {granted:?}");
}

#[test]
fn r_reqn_5_sums_beyond_31_bits_stay_exact() {
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 1));
    for _ in 0..5 {
        script.receive(&request_n(1, N_MAX - 1));
    }
    assert_eq!(script.quota(key), Some(u64::from(N_MAX - 1) * 5 + 1));
}

#[test]
fn r_reqn_6_t_24_one_value_of_the_maximum_asks_for_everything() {
    let mut script = Script::server(Limits { write_budget: 1 << 20, ..Limits::default() });
    let initial = script.open(&stream(1, N_MAX));
    let later = script.open(&stream(3, 1));
    script.receive(&request_n(3, N_MAX));
    for key in [initial, later] {
        assert_eq!(script.quota(key), Some(u64::MAX));
        assert_eq!(script.put(key, &payload("x"), 10_000), 10_000);
        script.sent();
        assert_eq!(script.quota(key), Some(u64::MAX), "no literal counter runs down");
    }
    script.receive(&request_n(1, N_MAX));
    assert_eq!(script.quota(initial), Some(u64::MAX));
}

/// Counts as if so many items had been taken.
fn pretend_taken(connection: &mut Connection, key: StreamKey, items: u32) {
    let inbound = &mut connection.table.get_mut(key).unwrap().inbound;
    let Inbound::Open(flow) = inbound else { panic!("{inbound:?}") };
    flow.unbounded = Some(items);
}

#[test]
fn r_reqn_7_everything_is_asked_for_again_after_2_to_the_30_items() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, N_MAX);
    for _ in 0..3 {
        pretend_taken(&mut client.connection, key, (1 << 30) - 2);
        client.receive(&item(1, "N", "x"));
        client.take(key);
        assert_eq!(client.said(), [""; 0]);
        client.receive(&item(1, "N", "y"));
        client.take(key);
        assert_eq!(granted(&mut client), [1 << 30]);
    }
}

#[test]
fn r_reqn_7_a_finite_demand_is_never_topped_up() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 3);
    for _ in 0..3 {
        client.receive(&item(1, "N", "x"));
    }
    assert_eq!(client.take(key), ["x", "x", "x"]);
    assert_eq!(client.said(), [""; 0]);
}

#[test]
fn r_reqn_8_t_23_an_error_needs_no_credit_but_a_last_item_does() {
    let mut script = Script::server(Limits::default());
    let failing = script.open(&stream(1, 1));
    let ending = script.open(&stream(3, 1));
    script.put(failing, &payload("x"), 1);
    script.put(ending, &payload("x"), 1);
    script.said();
    script.fail(failing);
    script.put_last(ending, &payload("y"));
    assert_eq!(script.said(), ["1 ERROR APPLICATION_ERROR"], "the last item waits");
    script.receive(&request_n(3, 1));
    script.put_last(ending, &payload("y"));
    assert_eq!(script.said(), ["3 N y", "3 C"]);
}

#[test]
fn r_reqn_9_t_21_a_requester_cancels_what_sends_too_much() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 3);
    for _ in 0..5 {
        client.receive(&item(1, "N", "x"));
    }
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["x", "x", "x", "failed CANCELED"]);
    assert_eq!(client.connection.take_stats().credit_violations, 1);
    assert_eq!(client.connection.held_bytes, 0);
}

#[test]
fn r_reqn_9_t_21_a_responder_fails_a_channel_that_sends_too_much() {
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 9, "first"));
    server.grant(key, 3);
    server.said();
    for _ in 0..5 {
        server.receive(&item(1, "N", "x"));
    }
    assert_eq!(server.said(), ["1 ERROR CANCELED"]);
    assert_eq!(server.take(key), [""; 0]);
    assert_eq!(server.heard(), ["input", "ended"]);
    assert_eq!(server.connection.take_stats().credit_violations, 1);
    assert_eq!(server.connection.held_bytes, 0);
}

#[test]
fn r_reqn_9_tolerance_is_bounded() {
    let limits = Limits { surplus_items_max: 2, ..Limits::default() };
    let mut client = Script::client(limits);
    let key = client.ask(Interaction::RequestStream, 1);
    for _ in 0..3 {
        client.receive(&item(1, "N", "x"));
    }
    assert_eq!(client.said(), [""; 0]);
    client.receive(&item(1, "N", "x"));
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["x", "x", "x", "failed CANCELED"]);
}

#[test]
fn r_reqn_10_credit_is_checked_at_the_first_fragment() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 1);
    client.receive(&item(1, "FN", "a"));
    client.receive(&item(1, "N", "b"));
    client.receive(&item(1, "FN", "c"));
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["ab", "failed CANCELED"]);
}

#[test]
fn r_reqn_10_an_item_in_fragments_takes_one_credit() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 2);
    for _ in 0..2 {
        for flags in ["FN", "FN", "F", "N"] {
            client.receive(&item(1, flags, "a"));
        }
    }
    assert_eq!(client.take(key), ["aaaa", "aaaa"]);
    assert_eq!(client.said(), [""; 0]);
}

#[test]
fn r_reqn_11_without_credit_a_stream_waits_for_ever() {
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 1));
    fill_all(&mut script, key);
    script.said();
    for _ in 0..1_000 {
        script.pass(Duration::from_secs(60));
        script.receive(&keepalive(false, ""));
    }
    assert_eq!(script.said(), [""; 0]);
    assert_eq!(script.connection.live_streams(), 1);
    script.receive(&request_n(1, 1));
    assert_eq!(fill_all(&mut script, key), 1);
}

#[test]
fn r_reqn_12_t_19_credit_that_comes_before_the_handler_adds_up() {
    let mut script = Script::server(Limits::default());
    script.receive(&stream(1, 2));
    script.receive(&request_n(1, 3));
    let Event::Request(key, _) = script.connection.poll_event().unwrap() else { panic!() };
    assert_eq!(fill_all(&mut script, key), 5);
}

#[test]
fn r_reqn_13_nothing_is_granted_after_the_end() {
    let ends = [item(1, "C", ""), error(1, ErrorCode::APPLICATION_ERROR, "")];
    for end in ends {
        let mut client = Script::client(Limits::default());
        let key = client.ask(Interaction::RequestChannel, 1);
        client.grant(key, 3);
        client.receive(&end);
        client.grant(key, 3);
        assert_eq!(client.said(), [""; 0], "{end:?}");
    }
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 1);
    client.connection.drain(key, |input| {
        input.request(5);
        input.cancel();
    });
    client.grant(key, 5);
    assert_eq!(client.said(), ["1 CANCEL"]);
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 1, "x"));
    server.grant(key, 3);
    server.fail(key);
    server.grant(key, 3);
    assert_eq!(server.said(), ["1 ERROR APPLICATION_ERROR"]);
}

#[test]
fn r_reqn_13_t_26_credit_for_a_finished_half_is_ignored() {
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 1, "x"));
    server.complete(key);
    server.said();
    server.receive(&request_n(1, 5));
    server.receive(&request_n(1, 0));
    server.receive(&request_n(99, 5));
    server.receive(&request_n(0, 5));
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.heard(), [""; 0]);
    assert_eq!(server.connection.live_streams(), 1, "its inbound half goes on");
    assert_eq!(server.connection.take_stats().ignored, 4);
}

#[test]
fn r_reqn_14_grants_are_sent_together() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 1);
    for _ in 0..5 {
        client.grant(key, 1);
    }
    client.grant(key, 0);
    assert_eq!(client.said(), ["1 REQUEST_N 5"]);
    assert_eq!(client.said(), [""; 0]);
}

#[test]
fn r_reqn_15_what_waits_is_bounded_by_what_was_granted() {
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 1, "first"));
    server.grant(key, 3);
    server.said();
    for _ in 0..3 {
        server.receive(&item(1, "N", "0123456789"));
    }
    assert_eq!(server.connection.held_bytes, 30);
    // Buffering grants nothing; only the application does.
    assert_eq!(server.said(), [""; 0]);
    assert_eq!(server.take(key).len(), 3);
    assert_eq!(server.connection.held_bytes, 0);
    assert_eq!(server.said(), [""; 0]);
}

#[test]
fn r_reqn_16_no_credit_is_sent_between_the_fragments_of_a_request() {
    let mut client = Script::client(Limits { write_budget: 256, ..Limits::default() });
    let first = Payload::new(vec![b'x'; 1_000]);
    let key = client.ask_with(Interaction::RequestChannel, 1, first);
    client.grant(key, 5);
    let said = client.said();
    assert!(said[0].starts_with("1 REQUEST_CHANNEL 1 F"), "{said:?}");
    assert!(said.len() > 5);
    assert_eq!(said.last().unwrap(), "1 REQUEST_N 5");
    assert_eq!(said.iter().filter(|line| line.contains("REQUEST_N")).count(), 1);
    client.receive(&cancel(1));
}
