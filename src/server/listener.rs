//! Accepts connections and gives each its driver.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::admission::{Admission, Admitted, Refusal};
use super::http;
use super::shutdown::Shutdown;
use crate::protocol::SetupRejection;
use crate::transport::{Accept, Driver, Kind, Options, TcpOptions, prepare_stream};

/// What every connection shares.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) accept: Accept,
    pub(super) tcp_options: Options,
    pub(super) ws_options: Options,
    pub(super) socket: TcpOptions,
    pub(super) admission: Arc<Admission>,
    pub(super) shutdown: Shutdown,
}

/// After a failed `accept` (no descriptor, say) the listener rests, lest it spins.
const ACCEPT_REST: Duration = Duration::from_millis(50);
/// Refused clients that are told so at the same time; further ones are simply closed.
const REFUSALS_MAX: usize = 64;

/// Serves RSocket over TCP until the server drains.
pub(super) async fn serve_tcp(listener: TcpListener, shared: Shared) {
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    while let Some((stream, peer)) = accept(&listener, &shared.shutdown).await {
        if let Err(error) = prepare_stream(&stream, shared.socket) {
            tracing::debug!(%peer, %error, "the socket was gone at accept");
            continue;
        }
        match shared.admission.admit(peer.ip()) {
            Ok(admitted) => {
                tokio::spawn(run(
                    stream,
                    peer,
                    Kind::Stream,
                    BytesMut::new(),
                    shared.clone(),
                    admitted,
                ));
            }
            Err(refusal) => {
                let Ok(permit) = Arc::clone(&refusals).try_acquire_owned() else { continue };
                let shared = shared.clone();
                tokio::spawn(async move {
                    let _permit = permit;
                    let accept = Arc::clone(&shared.accept);
                    let (kind, first) = (Kind::Stream, BytesMut::new());
                    let options = &shared.tcp_options;
                    let mut driver = Driver::server(stream, kind, first, options, accept, None);
                    driver.reject(SetupRejection::rejected(refusal.to_string()));
                    driver.await;
                });
            }
        }
    }
}

/// Serves HTTP, and RSocket over WebSocket, until the server drains.
pub(super) async fn serve_http(listener: TcpListener, shared: Shared, app: http::App) {
    let refusals = Arc::new(Semaphore::new(REFUSALS_MAX));
    while let Some((stream, peer)) = accept(&listener, &shared.shutdown).await {
        if prepare_stream(&stream, shared.socket).is_err() {
            continue;
        }
        let place = match shared.admission.admit(peer.ip()) {
            Ok(admitted) => Place::Admitted(admitted),
            Err(refusal) => match Arc::clone(&refusals).try_acquire_owned() {
                Ok(permit) => Place::Beyond(refusal, permit),
                Err(_) => continue,
            },
        };
        tokio::spawn(http::serve(stream, peer, shared.clone(), app.clone(), place));
    }
}

/// How an HTTP connection came in.
pub(super) enum Place {
    /// Within the limits.
    Admitted(Admitted),
    /// Beyond them, as one of a few that are told so; the admin listener serves these too.
    Beyond(Refusal, OwnedSemaphorePermit),
}

/// Drives one connection to its end.
pub(super) async fn run(
    stream: TcpStream,
    peer: SocketAddr,
    kind: Kind,
    first: BytesMut,
    shared: Shared,
    admitted: Admitted,
) {
    let options = match kind {
        Kind::Stream => &shared.tcp_options,
        Kind::WebSocketServer | Kind::WebSocketClient { .. } => &shared.ws_options,
    };
    let drain = Some(shared.shutdown.signal());
    let accept = Arc::clone(&shared.accept);
    tracing::debug!(%peer, ?kind, "connected");
    let cause = Driver::server(stream, kind, first, options, accept, drain).await;
    tracing::debug!(%peer, %cause, "disconnected");
    drop(admitted);
}

/// The next connection; `None` when the server drains.
async fn accept(listener: &TcpListener, shutdown: &Shutdown) -> Option<(TcpStream, SocketAddr)> {
    loop {
        tokio::select! {
            biased;
            () = shutdown.begun() => return None,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => return Some(accepted),
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    tokio::time::sleep(ACCEPT_REST).await;
                }
            },
        }
    }
}
