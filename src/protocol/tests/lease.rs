//! Section 4.1.

use std::time::Duration;

use super::{client, new_request, server, try_ask};
use crate::protocol::{Interaction, LeaseGrant, Limits, RequestRefused};
use crate::testkit::{Script, cancel, fnf, item, request, setup, stream};
use crate::wire::{Body, Frame, Lease, StreamId};

const SECOND: Duration = Duration::from_secs(1);
const GRANT: LeaseGrant = LeaseGrant { requests: 2, ttl: Duration::from_secs(8) };

fn lease(ttl_ms: u32, requests: u32) -> Frame {
    let lease = Lease { ttl_ms, requests, metadata: None };
    Frame::new(StreamId::CONNECTION, Body::Lease(lease))
}

/// A server that grants leases, and a client that asked for them.
fn granting() -> Script {
    let mut frame = setup();
    if let Body::Setup(setup) = &mut frame.body {
        setup.lease = true;
    }
    let mut script = Script::raw_server(Limits::default(), Some(GRANT));
    script.receive(&frame);
    script.events();
    script.connection.accept(script.now);
    script
}

/// A client that asked for leases and has none yet.
fn asking() -> Script {
    let mut script = Script::raw_client(Limits::default(), true, None);
    script.sent();
    script
}

#[test]
fn r_lease_1_r_lease_2_t_70_without_l_nothing_waits_and_none_is_sent_or_heeded() {
    let mut script = Script::raw_server(Limits::default(), Some(GRANT));
    script.receive(&setup());
    script.events();
    script.connection.accept(script.now);
    assert!(script.said().is_empty());
    let mut script = client();
    script.receive(&lease(1, 0));
    assert!(script.heard().is_empty());
    try_ask(&mut script).unwrap();
}

#[test]
fn r_lease_12_none_is_sent_to_a_peer_that_did_not_ask() {
    let mut script = server();
    script.pass(SECOND * 60);
    assert!(script.said().is_empty());
}

#[test]
fn r_lease_2_r_lease_13_with_l_a_requester_waits_for_one() {
    let mut script = asking();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
    assert!(script.said().is_empty());
    script.receive(&lease(1_000, 1));
    assert_eq!(script.heard(), ["lease"]);
    try_ask(&mut script).unwrap();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
}

#[test]
fn r_lease_3_a_server_grants_at_acceptance_and_renews_before_the_end() {
    let mut script = granting();
    assert_eq!(script.said(), ["0 LEASE 8000 2"]);
    script.pass(SECOND * 6);
    assert_eq!(script.said(), ["0 LEASE 8000 2"]);
}

#[test]
fn r_lease_4_r_lease_7_time_counts_from_reception_and_the_end_is_none() {
    let mut script = asking();
    script.receive(&lease(1_000, 10));
    script.pass(Duration::from_millis(999));
    try_ask(&mut script).unwrap();
    script.pass(Duration::from_millis(1));
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
}

#[test]
fn r_lease_5_t_72_a_new_one_replaces_the_old() {
    let mut script = asking();
    script.receive(&lease(60_000, 5));
    script.receive(&lease(60_000, 2));
    try_ask(&mut script).unwrap();
    try_ask(&mut script).unwrap();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
}

#[test]
fn r_lease_6_r_fnf_4_t_73_beyond_it_requests_are_rejected_and_fire_and_forget_dropped() {
    let mut script = granting();
    script.sent();
    script.open(&request(1, "one"));
    script.open(&stream(3, 1));
    script.receive(&request(5, "three"));
    script.receive(&fnf(7, "four"));
    assert!(script.heard().is_empty());
    assert_eq!(script.said(), ["5 ERROR REJECTED"]);
    script.pass(SECOND * 6);
    script.open(&request(9, "after the renewal"));
}

#[test]
fn r_lease_8_t_71_zero_stops_everything_until_the_next() {
    for (ttl, number) in [(0, 5), (5_000, 0), (0, 0)] {
        let mut script = asking();
        script.receive(&lease(60_000, 5));
        script.receive(&lease(ttl, number));
        assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
        script.receive(&lease(60_000, 1));
        try_ask(&mut script).unwrap();
    }
}

#[test]
fn r_lease_9_only_requests_cost_a_unit_and_live_streams_outlive_it() {
    let mut script = asking();
    script.receive(&lease(1_000, 2));
    let key = script.ask(Interaction::RequestStream, 1);
    script.grant(key, 3);
    script.pass(SECOND * 2);
    script.receive(&item(1, "N", "after the end"));
    assert_eq!(script.take(key), ["after the end"]);
    let mut script = granting();
    script.sent();
    // A request in two fragments costs one unit.
    let mut first = request(1, "a");
    if let Body::RequestResponse { follows, .. } = &mut first.body {
        *follows = true;
    }
    script.receive(&first);
    script.receive(&item(1, "N", "b"));
    script.receive(&cancel(1));
    script.events();
    script.open(&request(3, "the second unit"));
}

#[test]
fn r_lease_10_t_69_a_unit_is_spent_when_the_request_goes() {
    let mut script = asking();
    script.receive(&lease(60_000, 1));
    let mut unsendable = new_request(Interaction::RequestStream, 0);
    assert!(script.connection.request(script.now, &unsendable).is_err());
    unsendable.initial_n = 1;
    script.connection.request(script.now, &unsendable).unwrap();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
}

#[test]
fn r_lease_11_a_requester_that_is_late_is_not_rejected() {
    let mut script = granting();
    script.sent();
    // Its TTL began when the LEASE arrived, after ours: only the count is enforced.
    script.now += SECOND * 9;
    script.receive(&request(1, "in time for the requester"));
    assert_eq!(script.heard(), ["request"]);
}

#[test]
fn r_lease_14_after_the_end_nothing_waits() {
    let mut script = asking();
    script.connection.handle_eof();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::Closed));
}

#[test]
fn r_lease_16_without_one_there_is_no_timer() {
    let mut script = asking();
    for _ in 0..10 {
        script.pass(SECOND * 60);
        script.receive(&crate::testkit::keepalive(false, ""));
    }
    assert!(!script.connection.is_closed());
}

#[test]
fn both_sides_may_grant() {
    let mut script = Script::raw_client(Limits::default(), true, Some(GRANT));
    assert_eq!(script.said(), ["0 SETUP", "0 LEASE 8000 2"]);
    script.open(&stream(2, 1));
}

/// A client that grants; how many LEASE frames it sent within `time`, and the first.
fn granted(requests: u32, ttl: Duration, time: Duration) -> (usize, Lease) {
    let grant = LeaseGrant { requests, ttl };
    let mut script = Script::raw_client(Limits::default(), true, Some(grant));
    script.pass(time);
    let sent = script.sent();
    let mut leases = sent.iter().filter_map(|frame| {
        let Body::Lease(lease) = &frame.body else { return None };
        Some(lease.clone())
    });
    let first = leases.next().unwrap();
    (1 + leases.count(), first)
}

#[test]
fn r_lease_8_a_grant_is_never_empty_and_fits_its_fields() {
    let max = 0x7FFF_FFFF;
    let day = SECOND * 86_400;
    for (requests, ttl, said_requests, said_ttl) in [
        (0, SECOND, 1, 1_000),
        (u32::MAX, SECOND, max, 1_000),
        (0x8000_0000, day * 25, max, max),
        (1, Duration::MAX, 1, max),
    ] {
        let (count, lease) = granted(requests, ttl, Duration::ZERO);
        assert_eq!((lease.requests, lease.ttl_ms, count), (said_requests, said_ttl, 1));
    }
    // A TTL below what the wire can say does not become a flood.
    let (count, lease) = granted(1, Duration::ZERO, Duration::from_millis(9));
    assert_eq!(lease.ttl_ms, 1);
    assert!((9..=14).contains(&count), "{count} leases in 9 ms");
}

#[test]
fn r_lease_3_a_server_waits_for_the_lease_of_its_client() {
    let mut script = granting();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
    script.receive(&lease(60_000, 1));
    assert_eq!(script.heard(), ["lease"]);
    try_ask(&mut script).unwrap();
    assert_eq!(try_ask(&mut script), Err(RequestRefused::NoLease));
}

#[test]
fn r_lease_6_what_is_no_request_of_the_peer_costs_nothing() {
    let mut script = granting();
    script.sent();
    script.open(&stream(1, 1));
    // Duplicates of a live id, our own parity, stream 0: none of them is a request.
    for frame in [request(1, "x"), request(2, "x"), request(0, "x")] {
        script.receive(&frame);
    }
    script.open(&request(3, "the second unit"));
}

#[test]
fn r_lease_6_r_lease_11_what_was_on_its_way_is_honoured_once() {
    let mut script = granting();
    // Three renewals that the client used nothing of.
    script.pass(SECOND * 18);
    assert_eq!(script.said().len(), 4);
    // What was left of the last grant may have been spent before the new one arrived.
    for id in [1, 3, 5, 7] {
        script.open(&request(id, "x"));
    }
    script.receive(&request(9, "beyond both"));
    assert_eq!(script.said(), ["9 ERROR REJECTED"]);
    // Nothing of it was left, so there is nothing on its way at the next.
    script.pass(SECOND * 6);
    script.open(&request(11, "x"));
    script.open(&request(13, "x"));
    script.receive(&request(15, "beyond"));
    assert_eq!(script.said(), ["0 LEASE 8000 2", "15 ERROR REJECTED"]);
}
