//! HTTP: the WebSocket upgrade, health and metrics.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, Version, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::BytesMut;
use hyper::server::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::TcpStream;

use super::admission::Admitted;
use super::listener::{Place, Shared, run};
use super::metrics::Metrics;
use super::origin::OriginPolicy;
use crate::transport::{Kind, accept_key};

/// Room for the headers of one request, bytes.
const HEADERS_MAX: usize = 16 << 10;

/// What one HTTP listener serves.
#[derive(Clone)]
pub(super) struct App {
    /// `/rsocket`, unless this is the admin listener.
    pub(super) rsocket: bool,
    /// `/metrics`, unless another listener has it.
    pub(super) metrics: Option<Metrics>,
    pub(super) origins: Arc<OriginPolicy>,
    /// Time until the headers of a request are there.
    pub(super) header_timeout: Duration,
}

/// One connection, for its requests.
#[derive(Clone)]
struct Connection {
    peer: SocketAddr,
    shared: Shared,
    app: App,
    /// Taken by the WebSocket that this connection becomes.
    admitted: Arc<std::sync::Mutex<Option<Admitted>>>,
}

/// Serves one HTTP connection until it closes or becomes a WebSocket.
pub(super) async fn serve(
    stream: TcpStream,
    peer: SocketAddr,
    shared: Shared,
    app: App,
    place: Place,
) {
    let (admitted, refusal, _permit) = match place {
        Place::Admitted(admitted) => (Some(admitted), None, None),
        Place::Beyond(refusal, permit) => (None, Some(refusal), Some(permit)),
    };
    let shutdown = shared.shutdown.clone();
    let header_timeout = app.header_timeout;
    let service = match refusal {
        // The admin listener answers whatever the load (SCL-1).
        Some(refusal) if app.rsocket => {
            let text = refusal.to_string();
            Router::new().fallback(async move || unavailable(text))
        }
        Some(_) | None => {
            let admitted = Arc::new(std::sync::Mutex::new(admitted));
            router(Connection { peer, shared, app, admitted })
        }
    };
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_timeout)
        .max_buf_size(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .with_upgrades();
    let mut connection = std::pin::pin!(connection);
    let served = tokio::select! {
        served = connection.as_mut() => served,
        () = shutdown.begun() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = served {
        tracing::debug!(%peer, %error, "an HTTP connection ended early");
    }
}

fn router(connection: Connection) -> Router {
    let mut router =
        Router::new().route("/healthz", get(async || "ok\n")).route("/readyz", get(ready));
    if connection.app.rsocket {
        router = router.route("/rsocket", get(upgrade)).route("/", get(welcome));
    }
    if connection.app.metrics.is_some() {
        router = router.route("/metrics", get(metrics));
    }
    router.with_state(connection)
}

async fn welcome() -> &'static str {
    "Tidegate: RSocket over WebSocket is at /rsocket, beside /healthz, /readyz and /metrics.\n"
}

async fn ready(State(connection): State<Connection>) -> Response {
    if connection.shared.shutdown.has_begun() {
        unavailable("draining".to_owned())
    } else {
        "ready\n".into_response()
    }
}

async fn metrics(State(connection): State<Connection>) -> Response {
    let content_type = [(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    match &connection.app.metrics {
        Some(metrics) => (content_type, metrics.render()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn unavailable(text: String) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "1")], text + "\n").into_response()
}

/// The WebSocket handshake (RFC 6455 section 4.2); the frames are the driver's.
async fn upgrade(State(connection): State<Connection>, mut request: Request) -> Response {
    if connection.shared.shutdown.has_begun() {
        return unavailable("draining".to_owned());
    }
    let key = match check_handshake(&request) {
        Ok(key) => key,
        Err(text) => {
            let version = [(header::SEC_WEBSOCKET_VERSION, "13")];
            return (StatusCode::BAD_REQUEST, version, text).into_response();
        }
    };
    if let Err(text) = connection.app.origins.check(request.headers(), connection.peer) {
        return (StatusCode::FORBIDDEN, text + "\n").into_response();
    }
    let Some(admitted) = connection.admitted.lock().ok().and_then(|mut admitted| admitted.take())
    else {
        return StatusCode::CONFLICT.into_response();
    };
    let mut response = StatusCode::SWITCHING_PROTOCOLS.into_response();
    let headers = response.headers_mut();
    headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
    if let Ok(accept) = HeaderValue::try_from(accept_key(&key)) {
        headers.insert(header::SEC_WEBSOCKET_ACCEPT, accept);
    }
    if offers_rsocket(request.headers()) {
        let protocol = HeaderValue::from_static("rsocket");
        headers.insert(header::SEC_WEBSOCKET_PROTOCOL, protocol);
    }
    let upgraded = hyper::upgrade::on(&mut request);
    let Connection { peer, shared, .. } = connection;
    tokio::spawn(async move {
        match upgraded.await.map(into_stream) {
            Ok(Some((stream, first))) => {
                run(stream, peer, Kind::WebSocketServer, first, shared, admitted).await;
            }
            Ok(None) => tracing::error!("an upgraded connection was no TCP stream"),
            Err(error) => tracing::debug!(%peer, %error, "the upgrade did not complete"),
        }
    });
    response
}

/// The bare socket, and what was read past the handshake.
fn into_stream(upgraded: Upgraded) -> Option<(TcpStream, BytesMut)> {
    let parts = upgraded.downcast::<TokioIo<TcpStream>>().ok()?;
    Some((parts.io.into_inner(), BytesMut::from(parts.read_buf)))
}

/// The key of a well-formed handshake, or what is wrong with it.
fn check_handshake(request: &Request) -> Result<Vec<u8>, &'static str> {
    let headers = request.headers();
    if request.version() < Version::HTTP_11 || !has_token(headers, &header::UPGRADE, "websocket") {
        return Err("this is the RSocket endpoint: connect with a WebSocket\n");
    }
    if !has_token(headers, &header::CONNECTION, "upgrade") {
        return Err("the header Connection must name Upgrade\n");
    }
    if headers.get(header::SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err("only WebSocket version 13 is served\n");
    }
    let key = headers.get(header::SEC_WEBSOCKET_KEY).ok_or("Sec-WebSocket-Key is missing\n")?;
    Ok(key.as_bytes().to_vec())
}

fn has_token(headers: &HeaderMap, name: &header::HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|value| value.eq_ignore_ascii_case(token))
}

fn offers_rsocket(headers: &HeaderMap) -> bool {
    tokens(headers, &header::SEC_WEBSOCKET_PROTOCOL).any(|value| value == "rsocket")
}

fn tokens<'a>(
    headers: &'a HeaderMap,
    name: &header::HeaderName,
) -> impl Iterator<Item = &'a str> + use<'a> {
    let values = headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim)
}
