//! The WebSocket handshake of a client (RFC 6455 section 4.1): no sub-protocol, no `Origin`.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::BytesMut;
use http::header::{
    CONNECTION, HOST, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_EXTENSIONS, SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_PROTOCOL, SEC_WEBSOCKET_VERSION, UPGRADE,
};
use http::{Request, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::transport::accept_key;

/// Asks for a WebSocket at `path`; the socket, and what was read past the handshake. The error says
/// what the other end answered instead.
pub(super) async fn handshake(
    socket: TcpStream,
    host: &str,
    path: &str,
) -> Result<(TcpStream, BytesMut), String> {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).map_err(|error| error.to_string())?;
    let key = STANDARD.encode(nonce);
    let request = upgrade_request(host, path, &key)?;
    let (mut sender, connection) = http1::handshake::<_, String>(TokioIo::new(socket))
        .await
        .map_err(|error| describe(&error))?;
    // Without upgrades it hands the socket back as it is when the response was read.
    let connection = tokio::spawn(connection.without_shutdown());
    let response = sender.send_request(request).await.map_err(|error| describe(&error))?;
    check(response.status(), response.headers(), &key)?;
    drop((response, sender));
    let parts = match connection.await {
        Ok(Ok(parts)) => parts,
        Ok(Err(error)) => return Err(describe(&error)),
        Err(_) => return Err("the handshake was interrupted".into()),
    };
    Ok((parts.io.into_inner(), BytesMut::from(parts.read_buf)))
}

/// Feeds the masks of this connection (RFC 6455 section 10.3).
pub(super) fn seed() -> Result<u64, String> {
    getrandom::u64().map_err(|error| error.to_string())
}

fn upgrade_request(host: &str, path: &str, key: &str) -> Result<Request<String>, String> {
    Request::get(path)
        .header(HOST, host)
        .header(CONNECTION, "Upgrade")
        .header(UPGRADE, "websocket")
        .header(SEC_WEBSOCKET_VERSION, "13")
        .header(SEC_WEBSOCKET_KEY, key)
        .body(String::new())
        .map_err(|error| error.to_string())
}

fn check(status: StatusCode, headers: &HeaderMap, key: &str) -> Result<(), String> {
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Err(format!("it answered {status}"));
    }
    let is = |name, expected: &str| {
        headers
            .get(name)
            .is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(expected.as_bytes()))
    };
    if !is(UPGRADE, "websocket") {
        return Err("it switched to another protocol".into());
    }
    let accept = headers.get(SEC_WEBSOCKET_ACCEPT);
    if accept.is_none_or(|accept| accept.as_bytes() != accept_key(key.as_bytes()).as_bytes()) {
        return Err("its Sec-WebSocket-Accept does not fit the key".into());
    }
    if headers.contains_key(SEC_WEBSOCKET_PROTOCOL)
        || headers.contains_key(SEC_WEBSOCKET_EXTENSIONS)
    {
        return Err("it chose a sub-protocol or an extension that was not offered".into());
    }
    Ok(())
}

fn describe(error: &hyper::Error) -> String {
    if error.is_parse() {
        "its answer is not HTTP".into()
    } else if error.is_incomplete_message() || error.is_closed() {
        "it closed the connection without an answer".into()
    } else {
        error.to_string()
    }
}
