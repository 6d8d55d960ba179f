//! Section 3.3.

use crate::protocol::{Event, Limits, Pause};
use crate::testkit::{Script, request_n, stream};
use crate::wire::{Body, Payload};

/// Fills with one-byte items until something stops it.
fn fill_all(script: &mut Script, key: crate::protocol::StreamKey) -> u64 {
    let filled = script.connection.fill(key, script.now, usize::MAX, |_, items| {
        loop {
            if let Some(pause) = items.push(&Payload::new("x")).pause() {
                return pause;
            }
        }
    });
    filled.map_or(0, |filled| filled.written)
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
