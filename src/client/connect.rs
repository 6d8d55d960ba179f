//! From a URL to a client.

use bytes::BytesMut;
use tokio::net::TcpStream;

use super::{Client, ConnectError, Options, Target, websocket};
use crate::transport::{Kind, TcpOptions, prepare_stream};

/// Connects to `tcp://HOST:PORT` or `ws://HOST[:PORT][/PATH]` (path `/rsocket` by default) and sends
/// SETUP. Whether the responder accepts it shows in the first call.
///
/// # Errors
/// [`ConnectError`]: the URL, the network, or a WebSocket handshake that failed.
pub async fn connect(url: &str, options: &Options) -> Result<Client, ConnectError> {
    let target = Target::parse(url)?;
    let within = options.connect_timeout;
    let connecting = tokio::time::timeout(within, open(url, &target, options));
    match connecting.await {
        Ok(result) => result,
        Err(_) => Err(ConnectError::TimedOut { address: target.address().to_owned(), within }),
    }
}

async fn open(url: &str, target: &Target, options: &Options) -> Result<Client, ConnectError> {
    let address = target.address();
    let unreachable = |source| ConnectError::Unreachable { address: address.to_owned(), source };
    let socket = TcpStream::connect(address).await.map_err(unreachable)?;
    prepare_stream(&socket, TcpOptions::default()).map_err(unreachable)?;
    match target {
        Target::Tcp { .. } => {
            Ok(Client::over(socket, Kind::Stream, BytesMut::new(), options, None))
        }
        Target::WebSocket { host, path, .. } => {
            let refused = |reason| ConnectError::NotWebSocket { url: url.to_owned(), reason };
            let seed = websocket::seed().map_err(refused)?;
            let (socket, first) =
                websocket::handshake(socket, host, path).await.map_err(refused)?;
            let kind = Kind::WebSocketClient { seed };
            Ok(Client::over(socket, kind, first, options, None))
        }
    }
}
