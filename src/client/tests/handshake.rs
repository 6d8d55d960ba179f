//! The WebSocket handshake against an independent library, and against what is no WebSocket.

use bytes::Bytes;
use futures::{SinkExt, StreamExt};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::handshake::server::{Request, Response};

use crate::client::{CallError, ConnectError, Options, connect};
use crate::wire::{Body, Frame, Payload, decode};

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    (listener, address)
}

/// Accepts one connection, says `answer` to whatever it asks, and closes.
async fn answer_once(answer: &'static str) -> String {
    let (listener, address) = listener().await;
    tokio::spawn(async move {
        let (mut socket, _) = listener.accept().await.unwrap();
        let mut request = [0; 1024];
        let _ = socket.read(&mut request).await;
        socket.write_all(answer.as_bytes()).await.unwrap();
    });
    address
}

async fn next_frame(socket: &mut WebSocketStream<TcpStream>) -> Frame {
    loop {
        match socket.next().await.unwrap().unwrap() {
            Message::Binary(frame) => return decode(frame).unwrap(),
            Message::Text(_) | Message::Close(_) | Message::Frame(_) => panic!("not binary"),
            Message::Ping(_) | Message::Pong(_) => {}
        }
    }
}

#[tokio::test]
async fn a_request_goes_over_a_websocket_of_another_library() {
    let (listener, address) = listener().await;
    let server = tokio::spawn(async move {
        let (socket, _) = listener.accept().await.unwrap();
        #[expect(clippy::result_large_err, reason = "the library's signature")]
        let check = |request: &Request, response: Response| {
            assert_eq!(request.uri().path(), "/rsocket");
            assert!(!request.headers().contains_key("origin"));
            assert!(!request.headers().contains_key("sec-websocket-protocol"));
            Ok(response)
        };
        let mut socket = tokio_tungstenite::accept_hdr_async(socket, check).await.unwrap();
        let setup = next_frame(&mut socket).await;
        assert!(matches!(setup.body, Body::Setup(_)));
        let request = next_frame(&mut socket).await;
        let Body::RequestResponse { payload, .. } = request.body else { panic!("{request:?}") };
        let payload = Payload::new([b"got ", &payload.data[..]].concat());
        let body = Body::Payload { follows: false, complete: true, next: true, payload };
        let mut out = bytes::BytesMut::new();
        Frame::new(request.stream_id, body).encode(&mut out);
        socket.send(Message::Binary(out.freeze())).await.unwrap();
        while socket.next().await.is_some() {}
    });
    let client = connect(&format!("ws://{address}"), &Options::default()).await.unwrap();
    // Long enough for a 64-bit WebSocket length.
    let long = Bytes::from(vec![b'x'; 15_000]);
    let response = client.request("r", long.clone()).await.unwrap();
    assert_eq!(response.data, [b"got ", &long[..]].concat());
    client.close().await;
    server.await.unwrap();
}

#[tokio::test]
async fn what_is_no_websocket_is_told_in_one_line() {
    let not_found = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
    let forged = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Accept: c2hvcnQ=\r\n\r\n";
    let other = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n";
    for (answer, reason) in [
        (not_found, "it answered 404 Not Found"),
        (forged, "its Sec-WebSocket-Accept does not fit the key"),
        (other, "it switched to another protocol"),
        ("SSH-2.0-x\r\n\r\n", "its answer is not HTTP"),
        ("", "it closed the connection without an answer"),
    ] {
        let address = answer_once(answer).await;
        let error = connect(&format!("ws://{address}/rsocket"), &Options::default()).await;
        let error = error.unwrap_err().to_string();
        assert!(error.ends_with(reason), "{error}");
        assert!(error.starts_with("ws://127.0.0.1:"), "{error}");
    }
}

#[tokio::test]
async fn nobody_listening_and_no_url_are_told_apart() {
    let (listener, address) = listener().await;
    drop(listener);
    let options = Options::default();
    let refused = connect(&format!("tcp://{address}"), &options).await.unwrap_err();
    assert!(matches!(refused, ConnectError::Unreachable { .. }), "{refused}");
    let wrong = connect("http://localhost", &options).await.unwrap_err();
    assert!(matches!(wrong, ConnectError::Url { .. }), "{wrong}");
}

#[tokio::test]
async fn a_peer_that_is_silent_after_accepting_times_out() {
    let (listener, address) = listener().await;
    let options =
        Options { connect_timeout: std::time::Duration::from_millis(50), ..Options::default() };
    let silent = connect(&format!("ws://{address}"), &options).await.unwrap_err();
    assert!(matches!(silent, ConnectError::TimedOut { .. }), "{silent}");
    drop(listener);
}

#[tokio::test]
async fn a_tcp_peer_that_hangs_up_is_a_lost_connection() {
    let address = answer_once("").await;
    let client = connect(&format!("tcp://{address}"), &Options::default()).await.unwrap();
    let lost = client.request("r", "x").await.unwrap_err();
    assert!(matches!(lost, CallError::ConnectionLost(_)), "{lost:?}");
}
