//! From a URL to a client.

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{CallUrl, Client, ConnectError, Options, websocket};
use crate::transport::{Kind, TcpOptions, prepare_stream};

/// Connects to `tcp://HOST:PORT` or `ws://HOST[:PORT][/PATH]` (path `/rsocket` by default) and
/// sends SETUP. Whether the responder accepts it shows in the first call.
///
/// # Errors
/// [`ConnectError`]: the URL, the network, or a WebSocket handshake that failed.
pub async fn connect(url: &str, options: &Options) -> Result<Client, ConnectError> {
    let target = url
        .parse::<CallUrl>()
        .map_err(|problem| ConnectError::Url { url: url.to_owned(), problem })?;
    connect_to(&target, options).await
}

/// As [`connect`], to a URL that was read already.
pub(super) async fn connect_to(
    target: &CallUrl,
    options: &Options,
) -> Result<Client, ConnectError> {
    let within = options.connect_timeout;
    match tokio::time::timeout(within, open(target, options)).await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::TimedOut { address: target.authority(), within }),
    }
}

async fn open(target: &CallUrl, options: &Options) -> Result<Client, ConnectError> {
    let address = target.authority();
    let unreachable = |source| ConnectError::Unreachable { address: address.clone(), source };
    let socket = TcpStream::connect(&address).await.map_err(unreachable)?;
    prepare_stream(&socket, TcpOptions::default()).map_err(unreachable)?;
    match target {
        CallUrl::Tcp { .. } => {
            Ok(Client::over(socket, Kind::Stream, BytesMut::new(), options, None))
        }
        CallUrl::WebSocket { path, .. } => {
            let refused = |reason| ConnectError::NotWebSocket { url: target.to_string(), reason };
            let seed = websocket::seed().map_err(refused)?;
            let (socket, first) =
                websocket::handshake(socket, &address, path).await.map_err(refused)?;
            let kind = Kind::WebSocketClient { seed };
            Ok(Client::over(socket, kind, first, options, None))
        }
    }
}
