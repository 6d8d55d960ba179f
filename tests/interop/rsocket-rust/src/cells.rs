use std::sync::Arc;
use std::time::Duration;

use anyhow::{anyhow, bail, ensure, Context, Result};
use bytes::{Bytes, BytesMut};
use futures::{FutureExt, StreamExt};
use rsocket_rust::error::RSocketError;
use rsocket_rust::extension::{CompositeMetadata, MimeType, RoutingMetadata};
use rsocket_rust::prelude::*;
use rsocket_rust::utils::Writeable;
use rsocket_rust::Client;
use rsocket_rust_transport_tcp::TcpClientTransport;
use rsocket_rust_transport_websocket::WebsocketClientTransport;
use serde_json::Value;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::time::{sleep, timeout};

const COMPOSITE: &str = "message/x.rsocket.composite-metadata.v0";
const ROUTING: &str = "message/x.rsocket.routing.v0";
const FRAGMENT: usize = 16_000;
const QUIET: Duration = Duration::from_secs(1);

struct Options {
    metadata_type: &'static str,
    keepalive: Duration,
    fragment: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { metadata_type: COMPOSITE, keepalive: Duration::from_secs(10), fragment: 0 }
    }
}

async fn connect(url: &str, options: Options) -> Result<Client> {
    macro_rules! start {
        ($transport:expr) => {
            RSocketFactory::connect()
                .transport($transport)
                .mime_type(options.metadata_type, "application/json")
                .keepalive(options.keepalive, options.keepalive, 4)
                .fragment(options.fragment)
                .start()
                .await
        };
    }
    match url.strip_prefix("tcp://") {
        Some(address) => start!(TcpClientTransport::from(address)),
        None => start!(WebsocketClientTransport::from(url)),
    }
}

/// Runs one cell; the text of a pass is its note in the matrix.
pub async fn run(url: &str, name: &str) -> Result<&'static str> {
    match name {
        "request-response" => request_response(url).await,
        "stream" => stream(url).await,
        "channel" => channel(url).await,
        "responder-ends-first" => responder_ends_first(url).await,
        "responder-cancels" => responder_cancels(url).await,
        "fire-and-forget" => fire_and_forget(url).await,
        "metadata-push" => metadata_push(url).await,
        "credit" => credit(url).await,
        "cancel" => cancel(url).await,
        "error" => error(url).await,
        "large-out" => large(url, FRAGMENT).await,
        "large-in" => large(url, 0).await,
        "composite" => composite(url).await,
        "routing" => routing(url).await,
        "keepalive" => keepalive(url).await,
        _ => bail!("no such cell"),
    }
}

fn encoded(writeable: &impl Writeable) -> Bytes {
    let mut bytes = BytesMut::new();
    writeable.write_to(&mut bytes);
    bytes.freeze()
}

fn route(name: &str) -> Bytes {
    encoded(&RoutingMetadata::builder().push_str(name).build())
}

fn to(name: &str, data: impl Into<Bytes>) -> Payload {
    let metadata = CompositeMetadata::builder().push(MimeType::from(ROUTING), route(name)).build();
    Payload::new(Some(data.into()), Some(encoded(&metadata)))
}

async fn request(client: &Client, payload: Payload) -> Result<Payload> {
    client.request_response(payload).await?.context("an empty answer")
}

async fn works(client: &Client) -> Result<()> {
    let reply = request(client, to("debug.echo", "still here")).await?;
    ensure!(reply.data_utf8() == Some("still here"), "{reply:?}");
    Ok(())
}

fn seq(item: &Payload) -> Result<u64> {
    let item: Value = serde_json::from_slice(item.data().context("no data")?)?;
    item["seq"].as_u64().context("no seq")
}

fn texts(items: &[Payload]) -> Vec<&str> {
    items.iter().filter_map(Payload::data_utf8).collect()
}

async fn all(mut items: Flux<Result<Payload>>) -> Result<Vec<Payload>> {
    let mut taken = Vec::new();
    while let Some(item) = items.next().await {
        taken.push(item?);
    }
    Ok(taken)
}

async fn take(items: &mut Flux<Result<Payload>>, count: usize) -> Result<()> {
    for taken in 0..count {
        items.next().await.with_context(|| format!("ended after {taken} items"))??;
    }
    Ok(())
}

async fn request_response(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let sent = to("debug.echo", "tide");
    let reply = request(&client, sent.clone()).await?;
    ensure!(reply.split() == sent.split(), "another payload came back");
    Ok("")
}

async fn stream(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let items = all(client.request_stream(to("debug.count", r#"{"from":3,"limit":10}"#))).await?;
    let seqs = items.iter().map(seq).collect::<Result<Vec<_>>>()?;
    ensure!(seqs == (3..13).collect::<Vec<_>>(), "{seqs:?}");
    Ok("")
}

async fn channel(url: &str) -> Result<&'static str> {
    waits_for_credit().await?;
    let client = connect(url, Options::default()).await?;
    let sent = ["a", "b", "c", "d", "e"];
    let rest = sent.into_iter().skip(1).map(|text| Payload::builder().set_data_utf8(text).build());
    let outbound = std::iter::once(to("debug.echo", "a")).chain(rest).map(Ok).collect::<Vec<_>>();
    let items = all(client.request_channel(Box::pin(futures::stream::iter(outbound)))).await?;
    ensure!(texts(&items) == sent, "{:?}", texts(&items));
    Ok("")
}

/// Whether a second item waits for the responder's REQUEST_N. A quick server may grant it before
/// it comes, so a peer that grants nothing is asked.
async fn waits_for_credit() -> Result<()> {
    let (client, mut socket) = tapped().await?;
    let items = futures::stream::iter(["a", "b"]).map(|text| Ok(to("any", text)));
    let _answers = client.request_channel(Box::pin(items));
    let _setup = frame(&mut socket).await?;
    let _request = frame(&mut socket).await?;
    let early = timeout(QUIET, frame(&mut socket)).await;
    ensure!(early.is_err(), "an item was sent that was not granted");
    Ok(())
}

/// A connection of the library to a socket in our hands.
async fn tapped() -> Result<(Client, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("tcp://{}", listener.local_addr()?);
    let (client, accepted) = tokio::join!(connect(&url, Options::default()), listener.accept());
    Ok((client?, accepted?.0))
}

async fn frame(socket: &mut TcpStream) -> Result<Vec<u8>> {
    let mut length = [0; 4];
    socket.read_exact(&mut length[1..]).await?;
    let mut frame = vec![0; usize::try_from(u32::from_be_bytes(length))?];
    socket.read_exact(&mut frame).await?;
    ensure!(frame.len() >= 6, "a short frame");
    Ok(frame)
}

/// A channel's outbound items, all but the first kept back until `release`; `sent` is told when
/// they are taken.
fn held(route: &str, release: Arc<Notify>, sent: Arc<Notify>) -> Flux<Result<Payload>> {
    let first = futures::stream::iter([Ok(to(route, "a"))]);
    let rest = futures::stream::once(async move {
        release.notified().await;
        futures::stream::iter(["b", "c", "d", "e"])
            .map(|text| Ok(Payload::builder().set_data_utf8(text).build()))
            .chain(futures::stream::once(async move {
                sent.notify_one();
                Ok(Payload::builder().set_data_utf8("f").build())
            }))
    });
    Box::pin(first.chain(rest.flatten()))
}

async fn responder_ends_first(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let (release, sent) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let outbound = held("debug.first", release.clone(), sent.clone());
    let items = all(client.request_channel(outbound)).await?;
    ensure!(items.len() == 1, "{} items, one was expected", items.len());
    release.notify_one();
    sent.notified().await;
    works(&client).await?;
    Ok("")
}

async fn responder_cancels(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let outbound = held("debug.drop", Arc::new(Notify::new()), Arc::new(Notify::new()));
    let items = all(client.request_channel(outbound)).await?;
    ensure!(items.len() == 3, "{} items, three were expected", items.len());
    Ok("")
}

async fn fire_and_forget(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let before = sink_count(&client).await?;
    for _ in 0..20 {
        client.fire_and_forget(to("debug.sink", "x")).await?;
    }
    for _ in 0..50 {
        if sink_count(&client).await? >= before + 20 {
            break;
        }
        sleep(Duration::from_millis(20)).await;
    }
    let counted = sink_count(&client).await? - before;
    ensure!(counted == 20, "{counted} of 20 were counted");
    Ok("")
}

async fn sink_count(client: &Client) -> Result<u64> {
    let reply = request(client, to("debug.sink.count", "")).await?;
    Ok(reply.data_utf8().context("no data")?.parse()?)
}

/// The crate's METADATA_PUSH is looked at on the wire first: a server ignores one that is not on
/// stream 0, and the client would never know.
async fn metadata_push(url: &str) -> Result<&'static str> {
    let (client, mut socket) = tapped().await?;
    client.metadata_push(to("any", "")).await?;
    let _setup = frame(&mut socket).await?;
    let push = frame(&mut socket).await?;
    let stream_id = u32::from_be_bytes([push[0], push[1], push[2], push[3]]);
    ensure!(stream_id == 0, "METADATA_PUSH was sent on a stream of its own");

    let client = connect(url, Options::default()).await?;
    client.metadata_push(to("any", "")).await?;
    works(&client).await?;
    Ok("")
}

/// The crate has no way to say how many items it wants, so what can be tried is whether it asks
/// for as many as its reader takes.
async fn credit(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let mut items = client.request_stream(to("debug.count", r#"{"limit":1000}"#));
    take(&mut items, 5).await?;
    sleep(QUIET).await;
    let mut unasked = 0;
    while items.next().now_or_never().is_some() {
        unasked += 1;
    }
    ensure!(unasked == 0, "items came that were not asked for");
    Ok("")
}

async fn cancel(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let mut items = client.request_stream(to("debug.count", r#"{"every_ms":5}"#));
    take(&mut items, 5).await?;
    drop(items);
    sleep(QUIET).await;
    works(&client).await?;
    Ok("")
}

async fn error(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    match client.request_response(to("no.such.route", "")).await {
        Ok(_) => bail!("an unknown route was answered"),
        Err(failure) => match failure.downcast_ref::<RSocketError>() {
            Some(RSocketError::RequestInvalid(_)) => {}
            _ => return Err(failure),
        },
    }
    works(&client).await?;
    Ok("")
}

async fn large(url: &str, fragment: usize) -> Result<&'static str> {
    let client = connect(url, Options { fragment, ..Options::default() }).await?;
    let bytes: Bytes = (0..3_000_000_u32).map(|i| (i * 31 + (i >> 8)) as u8).collect();
    let reply = request(&client, to("debug.echo", bytes.clone())).await?;
    ensure!(reply.data() == Some(&bytes), "other bytes came back");
    Ok("in fragments")
}

async fn composite(url: &str) -> Result<&'static str> {
    let client = connect(url, Options::default()).await?;
    let metadata = CompositeMetadata::builder()
        .push(MimeType::from("application/vnd.tidegate.first"), "custom type")
        .push(MimeType::from("text/plain"), "well-known type")
        .push(MimeType::from(ROUTING), route("debug.echo"))
        .build();
    let sent = Payload::new(Some(Bytes::from("x")), Some(encoded(&metadata)));
    let reply = request(&client, sent.clone()).await?;
    ensure!(reply.split() == sent.split(), "another payload came back");
    Ok("")
}

async fn routing(url: &str) -> Result<&'static str> {
    let client = connect(url, Options { metadata_type: ROUTING, ..Options::default() }).await?;
    let sent = Payload::new(Some(Bytes::from("plain")), Some(route("debug.echo")));
    let reply = request(&client, sent.clone()).await?;
    ensure!(reply.split() == sent.split(), "another payload came back");
    Ok("")
}

/// The crate sends KEEPALIVE but does not supervise the answers: that the server keeps the
/// connection is all that shows.
async fn keepalive(url: &str) -> Result<&'static str> {
    let idle = std::env::var("INTEROP_IDLE_MS").unwrap_or_else(|_| "6000".to_owned());
    let keepalive = Duration::from_millis(500);
    let client = connect(url, Options { keepalive, ..Options::default() }).await?;
    let closed = client.clone().wait_for_close();
    tokio::select! {
        () = closed => return Err(anyhow!("closed while idle")),
        () = sleep(Duration::from_millis(idle.parse()?)) => {}
    }
    works(&client).await?;
    Ok("")
}
