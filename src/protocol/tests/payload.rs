//! Section 3.2: what the flags of PAYLOAD say.

use crate::protocol::{Connection, Interaction, Limits};
use crate::testkit::{Script, cancel, channel, item, payload, request, request_n, stream, tagged};
use crate::wire::{Body, Payload};

/// A client whose channel is open, with credit both ways, and the same seen from a server.
fn open_channels() -> [(Script, crate::protocol::StreamKey); 2] {
    let mut client = Script::client(Limits::default());
    let asked = client.ask(Interaction::RequestChannel, 9);
    let mut server = Script::server(Limits::default());
    let served = server.open(&channel(1, 9, "first"));
    server.grant(served, 9);
    server.sent();
    [(client, asked), (server, served)]
}

#[test]
fn r_pay_1_every_payload_that_is_sent_has_n_or_c() {
    let mut script = Script::server(Limits { write_budget: 256, ..Limits::default() });
    let mut frames = Vec::new();
    let key = script.open(&stream(1, 10));
    script.put(key, &payload("x"), 2);
    script.put(key, &Payload::new(vec![b'y'; 1_000]), 1);
    frames.extend(script.sent());
    script.put(key, &Payload::new(vec![b'z'; 1_000]), 1);
    script.complete(key);
    frames.extend(script.sent());
    for (id, response) in [(3, None), (5, Some(payload("r"))), (7, Some(payload("")))] {
        script.events();
        let key = script.open(&request(id, "q"));
        script.connection.respond(key, Ok(response));
        frames.extend(script.sent());
    }
    assert!(frames.len() > 20, "{} frames", frames.len());
    for frame in frames {
        let Body::Payload { complete, next, .. } = frame.body else { panic!("{frame:?}") };
        assert!(next || complete);
    }
}

#[test]
fn r_pay_1_none_of_n_c_and_f_fails_only_its_stream() {
    let mut server = Script::server(Limits::default());
    let other = server.open(&stream(3, 1));
    let key = server.open(&channel(1, 1, "first"));
    server.grant(key, 3);
    server.sent();
    server.receive(&item(1, "", "x"));
    assert_eq!(server.said(), ["1 ERROR INVALID"]);
    assert_eq!(server.heard(), ["ended"]);
    assert_eq!(server.put(other, &payload("x"), 1), 1);

    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestStream, 3);
    client.receive(&item(1, "", "x"));
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["failed INVALID"]);
    assert!(!client.connection.is_closed());
}

#[test]
fn r_pay_1_every_combination_of_flags_has_its_reading() {
    // The flags, what is taken, and what is taken when `F` was sent before.
    let readings: [(&str, &[&str], &[&str]); 7] = [
        ("N", &["x"], &["ax"]),
        ("C", &["complete"], &["ax", "complete"]),
        ("CN", &["x", "complete"], &["ax", "complete"]),
        ("FN", &[], &[]),
        ("F", &[], &[]),
        ("FC", &["complete"], &["ax", "complete"]),
        ("FCN", &["x", "complete"], &["ax", "complete"]),
    ];
    for (flags, alone, joined) in readings {
        for (mut script, key) in open_channels() {
            script.receive(&item(1, flags, "x"));
            assert_eq!(script.take(key), alone, "{flags}");
        }
        for (mut script, key) in open_channels() {
            script.receive(&item(1, "FN", "a"));
            script.receive(&item(1, flags, "x"));
            assert_eq!(script.take(key), joined, "FN, {flags}");
        }
    }
    for (mut script, key) in open_channels() {
        script.receive(&item(1, "FN", "a"));
        script.receive(&item(1, "", "x"));
        assert_eq!(script.take(key), ["ax"], "the last fragment needs neither N nor C");
    }
}

#[test]
fn r_pay_2_an_item_of_no_bytes_is_an_item_and_takes_one_credit() {
    for (mut script, key) in open_channels() {
        for _ in 0..9 {
            script.receive(&item(1, "N", ""));
        }
        assert_eq!(script.take(key), [""; 9]);
        script.receive(&item(1, "N", ""));
        assert_eq!(script.connection.take_stats().credit_violations, 1);
    }
    let mut script = Script::server(Limits::default());
    let key = script.open(&stream(1, 2));
    assert_eq!(script.put(key, &payload(""), 5), 2);
    assert_eq!(script.said(), ["1 N", "1 N"]);
}

#[test]
fn r_pay_3_nothing_is_sent_after_c() {
    for (mut script, key) in open_channels() {
        script.receive(&request_n(1, 9));
        script.complete(key);
        assert_eq!(script.said(), ["1 C"]);
        script.heard();
        script.receive(&request_n(1, 9));
        assert_eq!(script.quota(key), None);
        assert_eq!(script.put(key, &payload("x"), 1), 0);
        script.complete(key);
        script.fail(key);
        assert_eq!(script.said(), [""; 0]);
        assert_eq!(script.heard(), [""; 0]);
    }
}

#[test]
fn r_pay_3_a_source_that_is_done_is_not_filled_while_its_item_is_sent() {
    let mut script = Script::server(Limits { write_budget: 256, ..Limits::default() });
    let key = script.open(&stream(1, 9));
    script.put_last(key, &Payload::new(vec![b'y'; 1_000]));
    script.receive(&request_n(1, 9));
    assert_eq!(script.quota(key), None);
    assert_eq!(script.heard(), [""; 0]);
    script.fail(key);
    let said = script.said();
    assert!(said.last().is_some_and(|last| last.starts_with("1 CN ")), "{said:?}");
    assert_eq!(script.heard(), ["ended"]);
}

#[test]
fn r_pay_4_payload_after_c_is_ignored() {
    for (mut script, key) in open_channels() {
        script.receive(&item(1, "CN", "last"));
        for flags in ["N", "C", "CN", "FN", "F", ""] {
            script.receive(&item(1, flags, "late"));
        }
        assert_eq!(script.take(key), ["last", "complete"]);
        assert_eq!(script.said(), [""; 0]);
        assert_eq!(ignored(&mut script.connection), 6);
        // The other half goes on.
        script.receive(&request_n(1, 1));
        assert_eq!(script.put(key, &payload("x"), 1), 1);
    }
}

#[test]
fn r_pay_4_payload_on_a_served_stream_or_request_is_ignored() {
    let mut script = Script::server(Limits::default());
    let subscribed = script.open(&stream(1, 1));
    let asked = script.open(&request(3, "q"));
    for id in [1, 3] {
        for flags in ["N", "C", "CN", "FN", ""] {
            script.receive(&tagged(item(id, flags, "x"), "m"));
        }
    }
    assert_eq!(ignored(&mut script.connection), 10);
    assert_eq!(script.heard(), [""; 0]);
    script.put(subscribed, &payload("x"), 1);
    script.connection.respond(asked, Ok(None));
    assert_eq!(script.said(), ["1 N x", "3 C"]);
    script.receive(&cancel(1));
    assert_eq!(script.connection.live_streams(), 0);
}

fn ignored(connection: &mut Connection) -> u64 {
    connection.take_stats().ignored
}
