//! Section 3.4.

use std::time::Duration;

use crate::protocol::{Event, Interaction, LeaseGrant, Limits, NewRequest, Terminal};
use crate::testkit::{
    Script, cancel, error, fnf, follows, item, payload, request, request_n, setup, stream,
};
use crate::wire::{Body, ErrorCode, Payload};

/// The data of the one fire-and-forget request that was reported.
fn delivered(script: &mut Script) -> Vec<u8> {
    match &script.events()[..] {
        [Event::FireAndForget(request)] => request.payload.data.to_vec(),
        events => panic!("one fire-and-forget was expected, not {events:?}"),
    }
}

fn new_fnf(payload: Payload) -> NewRequest {
    let interaction = Interaction::FireAndForget;
    NewRequest { interaction, payload, initial_n: 1, complete: false }
}

#[test]
fn r_fnf_1_nothing_is_sent_back() {
    let mut script = Script::server(Limits::default());
    script.receive(&fnf(1, "x"));
    assert_eq!(delivered(&mut script), b"x");
    assert_eq!(script.said(), [""; 0]);
}

#[test]
fn r_fnf_1_refusals_are_silent_and_counted() {
    let mut script = Script::server(Limits { streams_max: 1, ..Limits::default() });
    script.open(&stream(1, 1));
    script.receive(&fnf(3, "beyond the limit"));
    script.receive(&follows(fnf(5, "beyond the limit")));
    script.connection.drain_requests("draining".to_owned());
    script.receive(&fnf(7, "draining"));
    script.receive(&fnf(2, "an id of ours"));
    assert_eq!(script.said(), [""; 0]);
    assert_eq!(script.heard(), [""; 0]);
    let stats = script.connection.take_stats();
    assert_eq!((stats.refused, stats.stream_limits), (4, 2));
}

#[test]
fn r_fnf_2_the_stream_is_over_when_received() {
    let mut script = Script::server(Limits::default());
    script.receive(&fnf(1, "x"));
    assert_eq!(script.connection.live_streams(), 0);
    script.receive(&fnf(1, "y"));
    assert_eq!(script.heard(), ["fire-and-forget", "fire-and-forget"]);
    let complete = Terminal::Complete.index();
    let ended = script.connection.take_stats().streams[Interaction::FireAndForget.index()];
    assert_eq!(ended[complete], 2);
}

#[test]
fn r_fnf_2_its_id_is_live_while_it_is_reassembled() {
    let mut script = Script::server(Limits::default());
    script.receive(&follows(fnf(1, "a")));
    assert_eq!(script.connection.live_streams(), 1);
    script.receive(&request(1, "a duplicate"));
    script.receive(&request_n(1, 1));
    script.receive(&item(1, "N", "b"));
    assert_eq!(delivered(&mut script), b"ab");
    assert_eq!(script.connection.live_streams(), 0);
    assert_eq!(script.connection.held_bytes, 0);
    let stats = script.connection.take_stats();
    assert_eq!(stats.streams[Interaction::FireAndForget.index()], [1, 0, 0, 0]);
    assert_eq!(stats.requests[Interaction::FireAndForget.index()], 1);
    assert_eq!(script.said(), [""; 0]);
}

#[test]
fn r_fnf_2_the_stream_is_over_when_sent() {
    let mut script = Script::client(Limits::default());
    let sent = script.connection.request(script.now, &new_fnf(payload("x")));
    assert_eq!(sent, Ok(None));
    assert_eq!(script.connection.live_streams(), 0);
    assert_eq!(script.said(), ["1 REQUEST_FNF x"]);
    script.receive(&error(1, ErrorCode::APPLICATION_ERROR, "late"));
    script.receive(&item(1, "CN", "late"));
    assert_eq!(script.heard(), [""; 0]);
}

#[test]
fn r_fnf_3_cancel_or_error_during_reassembly_drops_it() {
    for end in [cancel(1), error(1, ErrorCode::CANCELED, "given up")] {
        let mut script = Script::server(Limits::default());
        script.receive(&follows(fnf(1, "a")));
        script.receive(&end);
        script.receive(&item(1, "N", "b"));
        assert_eq!(script.heard(), [""; 0], "its handler never heard of it");
        assert_eq!(script.connection.live_streams(), 0);
        assert_eq!(script.connection.held_bytes, 0);
        // Afterwards it has no effect.
        script.receive(&end);
        assert_eq!(script.said(), [""; 0]);
        let stats = script.connection.take_stats();
        assert_eq!(stats.streams, [[0; 4]; 4], "no handler was asked");
    }
}

#[test]
fn r_fnf_3_a_requester_may_abandon_it_between_its_fragments() {
    let mut script = Script::client(Limits { write_budget: 256, ..Limits::default() });
    let large = Payload::new(vec![b'x'; 10_000]);
    let key = script.connection.request(script.now, &new_fnf(large)).unwrap().unwrap();
    script.connection.cancel_inbound(key);
    let said = script.said();
    assert!(said[0].starts_with("1 REQUEST_FNF F "), "{said:?}");
    assert_eq!(said[1..], ["1 CANCEL"]);
    assert_eq!(script.heard(), ["ended"]);
    assert_eq!(script.connection.live_streams(), 0);
}

#[test]
fn r_fnf_4_beyond_the_lease_it_is_dropped() {
    let grant = LeaseGrant { ttl: Duration::from_secs(60), requests: 1 };
    let mut script = Script::raw_server(Limits::default(), Some(grant));
    let mut first = setup();
    if let Body::Setup(setup) = &mut first.body {
        setup.lease = true;
    }
    script.receive(&first);
    script.connection.accept(script.now);
    script.events();
    script.said();
    script.receive(&fnf(1, "within"));
    script.receive(&fnf(3, "beyond"));
    assert_eq!(script.heard(), ["fire-and-forget"]);
    assert_eq!(script.said(), [""; 0]);
    assert_eq!(script.connection.take_stats().refused, 1);
}
