//! Section 3.7: the effects of every frame and verb on a channel, in every state and both roles.

use crate::protocol::{Event, Interaction, Limits, NewRequest, StreamError, StreamKey, Terminal};
use crate::testkit::{
    Script, cancel, channel, completes, error, follows, item, payload, request_n,
};
use crate::wire::{ErrorCode, Payload};

/// Which halves of the channel go on. `Peer` is what the peer sends, `Own` what this side sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    BothOpen,
    /// The peer completed its half.
    PeerCompleted,
    /// This side cancelled the peer's half. A responder only: to a requester it is the end.
    PeerCancelled,
    /// This side completed its own half.
    OwnCompleted,
    /// The peer cancelled this side's half. A requester only.
    OwnCancelled,
}

use State::{BothOpen, OwnCancelled, OwnCompleted, PeerCancelled, PeerCompleted};

#[derive(Clone, Copy, Debug)]
enum Role {
    Requester,
    Responder,
}

/// A channel on stream 1, with credit 5 each way, in this state.
fn in_state(role: Role, state: State) -> (Script, StreamKey) {
    let (mut script, key) = match role {
        Role::Responder => {
            let mut server = Script::server(Limits::default());
            let key = server.open(&channel(1, 5, "first"));
            server.grant(key, 5);
            (server, key)
        }
        Role::Requester => {
            let mut client = Script::client(Limits::default());
            let key = client.ask(Interaction::RequestChannel, 5);
            client.receive(&request_n(1, 5));
            (client, key)
        }
    };
    script.said();
    match state {
        BothOpen => {}
        PeerCompleted => script.receive(&item(1, "C", "")),
        PeerCancelled => script.stop(key),
        OwnCompleted => script.complete(key),
        OwnCancelled => script.receive(&cancel(1)),
    }
    script.take(key);
    script.said();
    script.events();
    assert_eq!(script.connection.live_streams(), 1);
    (script, key)
}

type Act = fn(&mut Script, StreamKey);

fn peer_item(script: &mut Script, _: StreamKey) {
    script.receive(&item(1, "N", "x"));
}

fn peer_last_item(script: &mut Script, _: StreamKey) {
    script.receive(&item(1, "CN", "x"));
}

fn peer_completes(script: &mut Script, _: StreamKey) {
    script.receive(&item(1, "C", ""));
}

fn peer_cancels(script: &mut Script, _: StreamKey) {
    script.receive(&cancel(1));
}

fn peer_fails(script: &mut Script, _: StreamKey) {
    script.receive(&error(1, ErrorCode::APPLICATION_ERROR, "theirs"));
}

fn peer_grants(script: &mut Script, _: StreamKey) {
    script.receive(&request_n(1, 3));
}

fn own_item(script: &mut Script, key: StreamKey) {
    script.put(key, &payload("y"), 1);
}

fn own_completes(script: &mut Script, key: StreamKey) {
    script.complete(key);
}

fn own_fails(script: &mut Script, key: StreamKey) {
    script.fail(key);
}

fn own_stops(script: &mut Script, key: StreamKey) {
    script.stop(key);
}

fn own_grants(script: &mut Script, key: StreamKey) {
    script.grant(key, 2);
}

fn peer_leaves(script: &mut Script, _: StreamKey) {
    script.connection.handle_eof();
}

/// What an act brings about: the frames, what the application takes, whether the stream lives on.
type Outcome = (&'static [&'static str], &'static [&'static str], bool);

fn check(role: Role, state: State, rows: &[(Act, Outcome)]) {
    for (row, (act, (said, taken, lives))) in rows.iter().enumerate() {
        let (mut script, key) = in_state(role, state);
        act(&mut script, key);
        let context = format!("{role:?}, {state:?}, row {row}");
        assert_eq!(script.said(), *said, "{context}: sent");
        assert_eq!(script.take(key), *taken, "{context}: taken");
        assert_eq!(script.connection.live_streams() == 1, *lives, "{context}: lives");
        let ended = script.heard().iter().filter(|kind| **kind == "ended").count();
        assert_eq!(ended == 1, !lives, "{context}: ended");
        assert_eq!(script.connection.held_bytes, 0, "{context}");
    }
}

#[test]
fn r_chn_1_r_chn_7_the_table_of_the_responder() {
    const OURS: &[&str] = &["1 ERROR APPLICATION_ERROR"];
    check(
        Role::Responder,
        BothOpen,
        &[
            (peer_item, (&[], &["x"], true)),
            (peer_last_item, (&[], &["x", "complete"], true)),
            (peer_completes, (&[], &["complete"], true)),
            (peer_cancels, (&[], &[], false)),
            (peer_fails, (&[], &[], false)),
            (peer_grants, (&[], &[], true)),
            (own_item, (&["1 N y"], &[], true)),
            (own_completes, (&["1 C"], &[], true)),
            (own_fails, (OURS, &[], false)),
            (own_stops, (&["1 CANCEL"], &[], true)),
            (own_grants, (&["1 REQUEST_N 2"], &[], true)),
            (peer_leaves, (&[], &[], false)),
        ],
    );
    for state in [PeerCompleted, PeerCancelled] {
        check(
            Role::Responder,
            state,
            &[
                (peer_item, (&[], &[], true)),
                (peer_last_item, (&[], &[], true)),
                (peer_completes, (&[], &[], true)),
                (peer_cancels, (&[], &[], false)),
                (peer_fails, (&[], &[], false)),
                (peer_grants, (&[], &[], true)),
                (own_item, (&["1 N y"], &[], true)),
                (own_completes, (&["1 C"], &[], false)),
                (own_fails, (OURS, &[], false)),
                (own_stops, (&[], &[], true)),
                (own_grants, (&[], &[], true)),
                (peer_leaves, (&[], &[], false)),
            ],
        );
    }
    check(
        Role::Responder,
        OwnCompleted,
        &[
            (peer_item, (&[], &["x"], true)),
            (peer_last_item, (&[], &["x", "complete"], false)),
            (peer_completes, (&[], &["complete"], false)),
            (peer_cancels, (&[], &[], false)),
            (peer_fails, (&[], &[], false)),
            (peer_grants, (&[], &[], true)),
            (own_item, (&[], &[], true)),
            (own_completes, (&[], &[], true)),
            (own_fails, (&[], &[], true)),
            (own_stops, (&["1 CANCEL"], &[], false)),
            (own_grants, (&["1 REQUEST_N 2"], &[], true)),
            (peer_leaves, (&[], &[], false)),
        ],
    );
}

#[test]
fn r_chn_1_r_chn_7_the_table_of_the_requester() {
    const OURS: &[&str] = &["1 ERROR APPLICATION_ERROR"];
    const FAILED: &[&str] = &["failed APPLICATION_ERROR"];
    const LOST: &[&str] = &["failed CONNECTION_CLOSE"];
    check(
        Role::Requester,
        BothOpen,
        &[
            (peer_item, (&[], &["x"], true)),
            (peer_last_item, (&[], &["x", "complete"], true)),
            (peer_completes, (&[], &["complete"], true)),
            (peer_cancels, (&[], &[], true)),
            (peer_fails, (&[], FAILED, false)),
            (peer_grants, (&[], &[], true)),
            (own_item, (&["1 N y"], &[], true)),
            (own_completes, (&["1 C"], &[], true)),
            (own_fails, (OURS, FAILED, false)),
            (own_stops, (&["1 CANCEL"], &[], false)),
            (own_grants, (&["1 REQUEST_N 2"], &[], true)),
        ],
    );
    check(
        Role::Requester,
        PeerCompleted,
        &[
            (peer_item, (&[], &[], true)),
            (peer_completes, (&[], &[], true)),
            (peer_cancels, (&[], &[], false)),
            (peer_fails, (&[], &[], false)),
            (peer_grants, (&[], &[], true)),
            (own_item, (&["1 N y"], &[], true)),
            (own_completes, (&["1 C"], &[], false)),
            (own_fails, (OURS, &[], false)),
            (own_stops, (&["1 CANCEL"], &[], false)),
            (own_grants, (&[], &[], true)),
        ],
    );
    for state in [OwnCompleted, OwnCancelled] {
        check(
            Role::Requester,
            state,
            &[
                (peer_item, (&[], &["x"], true)),
                (peer_last_item, (&[], &["x", "complete"], false)),
                (peer_completes, (&[], &["complete"], false)),
                (peer_cancels, (&[], &[], true)),
                (peer_fails, (&[], FAILED, false)),
                (peer_grants, (&[], &[], true)),
                (own_item, (&[], &[], true)),
                (own_completes, (&[], &[], true)),
                (own_fails, (&[], &[], true)),
                (own_stops, (&["1 CANCEL"], &[], false)),
                (own_grants, (&["1 REQUEST_N 2"], &[], true)),
            ],
        );
    }
    for state in [BothOpen, PeerCompleted, OwnCompleted, OwnCancelled] {
        let (mut script, key) = in_state(Role::Requester, state);
        peer_leaves(&mut script, key);
        assert_eq!(script.take(key), if state == PeerCompleted { &[] } else { LOST });
        assert_eq!(script.connection.live_streams(), 0);
        assert_eq!(script.heard().iter().filter(|kind| **kind == "ended").count(), 1);
    }
}

#[test]
fn r_chn_1_a_second_request_on_the_live_id_is_ignored() {
    let (mut script, key) = in_state(Role::Responder, BothOpen);
    script.receive(&channel(1, 9, "again"));
    assert_eq!(script.heard(), [""; 0]);
    assert_eq!(script.quota(key), Some(5), "nor is its credit added");
    assert_eq!(script.said(), [""; 0]);
}

#[test]
fn r_chn_2_the_requester_waits_for_credit() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestChannel, 5);
    assert_eq!(client.put(key, &payload("x"), 3), 0);
    client.receive(&request_n(1, 2));
    assert_eq!(client.put(key, &payload("x"), 3), 2);
    assert_eq!(client.said(), ["1 N x", "1 N x"]);
    client.complete(key);
    assert_eq!(client.said(), ["1 C"], "which needs none");
}

#[test]
fn r_chn_3_r_chn_4_the_first_item_needs_no_credit_and_none_is_owed() {
    let mut server = Script::server(Limits::default());
    server.receive(&channel(1, 1, "first"));
    let Event::Request(key, request) = server.connection.poll_event().unwrap() else { panic!() };
    assert_eq!(&request.payload.data[..], b"first");
    assert!(!request.complete);
    assert_eq!(server.said(), [""; 0], "without demand nothing is granted");
    server.grant(key, 2);
    assert_eq!(server.said(), ["1 REQUEST_N 2"]);
    // With C there is nothing to grant.
    let key = server.open(&completes(channel(3, 1, "only")));
    server.grant(key, 2);
    assert_eq!(server.said(), [""; 0]);
}

#[test]
fn r_chn_6_each_direction_has_its_own_credit() {
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 3, "first"));
    server.grant(key, 1);
    server.said();
    server.receive(&item(1, "N", "a"));
    assert_eq!(server.put(key, &payload("x"), 9), 3);
    server.receive(&item(1, "N", "b"));
    assert_eq!(server.said(), ["1 N x", "1 N x", "1 N x", "1 ERROR CANCELED"]);
    // And the requester's: initial n is the responder's.
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestChannel, 3);
    assert_eq!(client.quota(key), Some(0));
    for _ in 0..3 {
        client.receive(&item(1, "N", "x"));
    }
    assert_eq!(client.take(key).len(), 3);
}

#[test]
fn r_chn_7_c_leaves_the_credit_of_the_other_direction() {
    for role in [Role::Responder, Role::Requester] {
        let (mut script, key) = in_state(role, PeerCompleted);
        assert_eq!(script.quota(key), Some(5));
        let (mut script, key) = in_state(role, OwnCompleted);
        for _ in 0..5 {
            script.receive(&item(1, "N", "x"));
        }
        assert_eq!(script.take(key), ["x"; 5]);
        assert_eq!(script.connection.live_streams(), 1);
    }
}

#[test]
fn r_chn_8_t_4_an_error_ends_both_directions_at_once() {
    let (mut client, key) = in_state(Role::Requester, BothOpen);
    own_item(&mut client, key);
    peer_fails(&mut client, key);
    assert_eq!(client.quota(key), None, "the source is not filled again");
    assert_eq!(client.take(key), ["failed APPLICATION_ERROR"]);
    assert_eq!(client.heard(), ["input", "ended"]);
    // Also from a side that has itself completed: how one client cancels.
    let (mut server, key) = in_state(Role::Responder, PeerCompleted);
    server.receive(&error(1, ErrorCode::CANCELED, ""));
    assert_eq!(server.quota(key), None);
    assert_eq!(server.heard(), ["ended"]);
    let ended = server.connection.take_stats().streams[Interaction::RequestChannel.index()];
    assert_eq!(ended[Terminal::Cancel.index()], 1);
}

#[test]
fn r_chn_9_the_inbound_consumer_never_takes_a_cancel_for_completion() {
    let (mut server, key) = in_state(Role::Responder, BothOpen);
    server.receive(&item(1, "N", "untaken"));
    server.receive(&cancel(1));
    assert_eq!(server.take(key), [""; 0]);
    assert_eq!(server.heard(), ["input", "ended"]);
    assert_eq!(server.connection.held_bytes, 0);
}

#[test]
fn r_chn_10_r_chn_11_t_2_every_order_of_completion_ends_it() {
    for role in [Role::Responder, Role::Requester] {
        let acts: [&[Act]; 4] = [
            &[peer_completes, own_completes],
            &[own_completes, peer_completes],
            &[peer_last_item, own_completes],
            &[own_completes, peer_item, peer_last_item],
        ];
        for act in acts {
            let (mut script, key) = in_state(role, BothOpen);
            for (done, step) in act.iter().enumerate() {
                assert_eq!(script.connection.live_streams(), 1, "{role:?} {done}");
                step(&mut script, key);
            }
            assert_eq!(script.connection.live_streams(), 0);
            script.take(key);
            assert_eq!(script.said(), ["1 C"]);
            assert_eq!(script.heard().iter().filter(|kind| **kind == "ended").count(), 1);
        }
    }
}

#[test]
fn r_chn_11_t_3_a_responder_that_cancels_then_completes_waits_for_nothing() {
    let (mut server, key) = in_state(Role::Responder, PeerCancelled);
    own_completes(&mut server, key);
    assert_eq!(server.connection.live_streams(), 0);
    let (mut client, key) = in_state(Role::Requester, OwnCancelled);
    peer_completes(&mut client, key);
    assert_eq!(client.take(key), ["complete"]);
    assert_eq!(client.connection.live_streams(), 0);
    assert_eq!(client.said(), [""; 0], "not even C");
}

#[test]
fn r_chn_12_a_responders_cancel_stops_the_source_and_nothing_else() {
    let (mut client, key) = in_state(Role::Requester, BothOpen);
    client.receive(&cancel(1));
    assert_eq!(client.heard(), ["outbound cancelled"]);
    client.receive(&cancel(1));
    client.receive(&request_n(1, 9));
    own_item(&mut client, key);
    own_completes(&mut client, key);
    assert_eq!(client.said(), [""; 0]);
    client.receive(&item(1, "N", "x"));
    assert_eq!(client.take(key), ["x"]);
    assert_eq!(client.heard(), ["input"]);
}

#[test]
fn r_chn_12_a_responders_cancel_cuts_an_item_but_not_the_request() {
    let limits = Limits { write_budget: 256, ..Limits::default() };
    let large = Payload::new(vec![b'x'; 1_000]);
    let mut client = Script::client(limits.clone());
    let key = client.ask_with(Interaction::RequestChannel, 1, large.clone());
    client.receive(&cancel(1));
    let said = client.said();
    assert!(said.last().is_some_and(|last| last.starts_with("1 N")), "{said:?}");
    client.receive(&item(1, "CN", "x"));
    assert_eq!(client.take(key), ["x", "complete"]);
    assert_eq!(client.connection.live_streams(), 0);

    let mut client = Script::client(limits);
    let key = client.ask(Interaction::RequestChannel, 1);
    client.receive(&request_n(1, 5));
    client.put(key, &large, 1);
    client.connection.flush();
    client.receive(&cancel(1));
    let said = client.said();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(!client.connection.is_congested());
}

#[test]
fn r_chn_14_t_16_c_is_sent_once() {
    let mut client = Script::client(Limits::default());
    let interaction = Interaction::RequestChannel;
    let payload = payload("only");
    let request = NewRequest { interaction, payload, initial_n: 1, complete: true };
    let key = client.connection.request(client.now, &request).unwrap().unwrap();
    client.complete(key);
    assert_eq!(client.said(), ["1 REQUEST_CHANNEL 1 C only"]);
    let key = client.ask(Interaction::RequestChannel, 1);
    client.complete(key);
    client.complete(key);
    assert_eq!(client.said(), ["3 C"]);
    // Both are read alike.
    let mut server = Script::server(Limits::default());
    let at_once = server.open(&completes(channel(1, 1, "x")));
    let later = server.open(&channel(3, 1, "x"));
    server.receive(&item(3, "C", ""));
    assert_eq!(server.take(at_once), [""; 0]);
    assert!(!server.connection.is_draining(at_once));
    assert_eq!(server.take(later), ["complete"]);
    for key in [at_once, later] {
        server.complete(key);
    }
    assert_eq!(server.connection.live_streams(), 0);
}

#[test]
fn r_chn_15_c_of_a_request_in_fragments_has_a_frame_of_its_own() {
    let mut client = Script::client(Limits { write_budget: 256, ..Limits::default() });
    let interaction = Interaction::RequestChannel;
    let payload = Payload::new(vec![b'x'; 300]);
    let request = NewRequest { interaction, payload, initial_n: 1, complete: true };
    client.connection.request(client.now, &request).unwrap();
    let said = client.said();
    assert_eq!(said, ["1 REQUEST_CHANNEL 1 F 118B", "1 FN 122B", "1 N 60B", "1 C"]);
}

#[test]
fn r_chn_15_t_46_c_on_any_fragment_of_the_request_completes_once() {
    let first = || follows(channel(1, 1, "a"));
    let orders = [
        vec![completes(first()), item(1, "FN", "b"), item(1, "N", "c")],
        vec![first(), item(1, "FN", "b"), item(1, "CN", "c")],
        vec![completes(first()), item(1, "FN", "b"), item(1, "CN", "c")],
        vec![first(), item(1, "FN", "b"), item(1, "N", "c"), item(1, "C", "")],
        vec![completes(first()), item(1, "FN", "b"), item(1, "N", "c"), item(1, "C", "")],
    ];
    for (row, frames) in orders.iter().enumerate() {
        let mut server = Script::server(Limits::default());
        for frame in frames {
            server.receive(frame);
        }
        let events = server.events();
        let Event::Request(key, request) = &events[0] else { panic!("{events:?}") };
        assert_eq!(&request.payload.data[..], b"abc");
        let separate = row == 3;
        assert_eq!(request.complete, !separate);
        let expected: &[&str] = if separate { &["complete"] } else { &[] };
        assert_eq!(server.take(*key), expected);
        assert_eq!(server.take(*key), [""; 0]);
        server.complete(*key);
        assert_eq!(server.connection.live_streams(), 0);
    }
}

#[test]
fn r_chn_16_nothing_is_sent_before_the_request_is_complete() {
    let mut client = Script::client(Limits { write_budget: 256, ..Limits::default() });
    let large = Payload::new(vec![b'x'; 1_000]);
    let key = client.ask_with(Interaction::RequestChannel, 1, large);
    client.receive(&request_n(1, 5));
    assert_eq!(client.put(key, &payload("x"), 1), 0);
    client.complete(key);
    let said = client.said();
    let items = said.iter().position(|line| line.starts_with("1 N")).unwrap();
    assert_eq!(said[items + 1..], ["1 C"], "{said:?}");
}

#[test]
fn r_chn_17_no_order_between_the_directions_is_implied() {
    let mut server = Script::server(Limits::default());
    let early = server.open(&channel(1, 2, "x"));
    assert_eq!(server.put(early, &payload("before any"), 2), 2);
    let late = server.open(&channel(3, 2, "x"));
    server.grant(late, 2);
    server.said();
    server.receive(&item(3, "N", "a"));
    server.receive(&item(3, "CN", "b"));
    assert_eq!(server.take(late), ["a", "b", "complete"]);
    assert_eq!(server.put(late, &payload("after all"), 2), 2);
    server.events();
    let never = server.open(&channel(5, 2, "x"));
    server.complete(never);
    server.receive(&item(5, "C", ""));
    server.take(never);
    assert_eq!(server.connection.live_streams(), 2);
}

#[test]
fn r_chn_18_completing_does_not_cancel_the_peer() {
    let (mut server, key) = in_state(Role::Responder, BothOpen);
    own_completes(&mut server, key);
    assert_eq!(server.said(), ["1 C"]);
    own_stops(&mut server, key);
    assert_eq!(server.said(), ["1 CANCEL"]);
}

#[test]
fn r_chn_8_a_handler_that_breaks_down_after_completing_sends_error() {
    let (mut server, key) = in_state(Role::Responder, OwnCompleted);
    server.connection.give_up_stream(key, &StreamError::application("panic"));
    assert_eq!(server.said(), ["1 ERROR APPLICATION_ERROR"]);
    assert_eq!(server.heard(), ["ended"]);
}

#[test]
fn t_1_the_responder_goes_on_for_a_thousand_items_after_the_requester_completed() {
    let mut server = Script::server(Limits::default());
    let served = server.open(&channel(1, 1_000, "first"));
    server.receive(&item(1, "C", ""));
    assert_eq!(server.take(served), ["complete"]);
    let mut sent = 0;
    while sent < 1_000 {
        sent += server.put(served, &payload("x"), 300);
        let frames = server.said();
        assert!(frames.iter().all(|line| line == "1 N x"));
    }
    server.complete(served);
    assert_eq!(server.said(), ["1 C"]);
    assert_eq!(server.connection.live_streams(), 0);
}

#[test]
fn t_15_items_that_come_before_the_handler_subscribes_wait() {
    let mut client = Script::client(Limits::default());
    let key = client.ask(Interaction::RequestChannel, 3);
    client.receive(&item(1, "N", "a"));
    client.receive(&item(1, "CN", "b"));
    assert_eq!(client.take(key), ["a", "b", "complete"]);
    let mut server = Script::server(Limits::default());
    server.receive(&channel(1, 1, "first"));
    server.receive(&request_n(1, 1));
    let Event::Request(key, request) = server.connection.poll_event().unwrap() else { panic!() };
    assert_eq!(&request.payload.data[..], b"first");
    assert_eq!(server.quota(key), Some(2));
}
