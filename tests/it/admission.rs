//! What a full server says, and to whom it still answers.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use tidegate::wire::{Body, ErrorCode};

use super::peer::{Peer, Received, Transport, payload, request_response, setup};
use super::server::Server;

const WITHIN: Duration = Duration::from_secs(5);

/// The status line of `GET path`.
fn status(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(WITHIN)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.lines().next().unwrap_or_default().to_owned()
}

/// A port that was free a moment ago.
fn free_address() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A server for so many connections, and where its operators look.
fn server_for(connections: &str) -> (Server, SocketAddr) {
    let admin = free_address();
    let flags = ["--ephemeral", "--debug-routes", "--admin", &admin.to_string()];
    (Server::start_with(&flags, &[("limits.connections_max", connections)]), admin)
}

/// A peer that is in. The connection that asked whether the server was ready may still be there.
fn enter(server: &Server) -> Peer {
    for _ in 0..500 {
        let mut peer = Peer::connect(server, Transport::Tcp);
        peer.send(&request_response(1, payload("debug.echo", "in")));
        if let Received::Frame(frame) = peer.next(WITHIN)
            && matches!(frame.body, Body::Payload { .. })
        {
            return peer;
        }
    }
    panic!("nobody is let in");
}

#[test]
fn scl_1_r_lim_18_a_full_server_refuses_the_next_and_harms_no_other() {
    let (server, admin) = server_for("2");
    let mut first = enter(&server);
    let second = enter(&server);
    let start = Instant::now();
    let mut third = Peer::open(&server, Transport::Tcp, None);
    third.send(&setup());
    let Received::Frame(frame) = third.next(WITHIN) else { panic!("no answer") };
    println!("a full server refused after {:?}", start.elapsed());
    assert!(matches!(frame.body, Body::Error { code: ErrorCode::REJECTED_SETUP, .. }), "{frame:?}");
    assert_eq!(status(server.http, "/healthz"), "HTTP/1.1 503 Service Unavailable");
    assert_eq!(status(admin, "/healthz"), "HTTP/1.1 200 OK");
    first.send(&request_response(3, payload("debug.echo", "unharmed")));
    assert!(matches!(first.expect().body, Body::Payload { .. }));
    // Whoever leaves makes room.
    drop(second);
    enter(&server);
}

#[test]
fn r_lim_18_connections_beyond_the_limit_cost_no_more_than_a_few() {
    const BEYOND: usize = 300;
    let (server, _) = server_for("1");
    let _only = enter(&server);
    let before = server.descriptors();
    // They say nothing: each would hold its place until the header timeout.
    let silent: Vec<TcpStream> =
        (0..BEYOND).map(|_| TcpStream::connect(server.http).unwrap()).collect();
    // So many are told what is wrong; one more is closed at once, which shows that all were taken.
    let mut last = TcpStream::connect(server.http).unwrap();
    last.set_read_timeout(Some(WITHIN)).unwrap();
    assert_eq!(last.read(&mut [0]).unwrap_or(0), 0);
    let held = server.descriptors() - before;
    assert!(held <= 80, "{held} descriptors for {} refused connections", silent.len());
}
