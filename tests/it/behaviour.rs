//! What a client sees of a server that works, in one place: the words on the wire, its end.

use std::time::Duration;

use tidegate::wire::{Body, ErrorCode};

use super::peer::{
    LONG, Peer, Transport, complete, fire_and_forget, item, payload, request_channel,
    request_response, request_stream, setup,
};
use super::server::Server;

#[test]
fn frames_cut_anywhere_are_read() {
    let server = Server::start(&[]);
    for transport in Transport::ALL {
        let mut peer = Peer::open(&server, transport, None);
        let request = request_response(1, payload("debug.echo", "piece by piece"));
        let bytes = peer.encode([&setup(), &request]);
        for byte in bytes.chunks(1) {
            peer.send_bytes(byte, LONG).unwrap();
        }
        let Body::Payload { payload, .. } = peer.expect().body else { panic!("no answer") };
        assert_eq!(payload.data, "piece by piece");
    }
}

#[test]
fn fire_and_forget_and_a_channel_reach_their_handler() {
    let server = Server::start(&[]);
    for (transport, sum) in Transport::ALL.into_iter().zip([1 + 2, 2 * (1 + 2)]) {
        let mut peer = Peer::connect(&server, transport);
        peer.send(&fire_and_forget(1, payload("debug.sink", "")));
        // Its credit is there before two items are sent.
        peer.send(&request_channel(3, 1, payload("debug.sink", "{}")));
        assert!(matches!(peer.expect().body, Body::RequestN { n } if n >= 2));
        peer.send_all(&[item(3, "a"), item(3, "b"), complete(3)]);
        while !matches!(peer.expect().body, Body::Payload { complete: true, .. }) {}
        peer.send(&request_response(5, payload("debug.sink.count", "")));
        let Body::Payload { payload, .. } = peer.expect().body else { panic!("no answer") };
        assert_eq!(payload.data, sum.to_string());
    }
}

#[test]
fn an_unknown_route_is_told_so() {
    let server = Server::start(&[]);
    for transport in Transport::ALL {
        let mut peer = Peer::connect(&server, transport);
        peer.send(&request_stream(1, 1, payload("debug.nothing", "")));
        let Body::Error { code, .. } = peer.expect().body else { panic!("no error") };
        assert_ne!(code, ErrorCode::CANCELED);
        peer.send(&request_response(3, payload("debug.echo", "still there")));
        assert!(matches!(peer.expect().body, Body::Payload { .. }));
    }
}

#[test]
fn an_idle_server_takes_no_time_and_ends_when_told() {
    let mut server = Server::start(&[]);
    let peers = Transport::ALL.map(|transport| Peer::connect(&server, transport));
    let metrics = server.metrics_when(|it| it.count("tidegate_connections_open", &[]) >= 2);
    assert!(metrics.count("tidegate_connections_open", &[]) >= 2);
    let (cpu, descriptors) = (server.cpu(), server.descriptors());
    assert!(server.threads() >= 2 && descriptors >= 4);
    std::thread::sleep(Duration::from_millis(500));
    assert!(server.cpu() - cpu < Duration::from_millis(100), "an idle server is busy");
    server.terminate();
    for mut peer in peers {
        assert!(peer.is_closed_within(LONG));
    }
    assert!(server.wait(LONG).unwrap().success(), "{}", server.log());
}
