//! The `rsocket_rust` server that benchmarks run beside ours. Usage: `bench_server HOST:PORT`
//!
//! Request/response answers with the request. A stream yields what `debug.count` of Tidegate
//! yields for the same request: JSON `{"from","limit","size"}` asks for `limit` items of `size`
//! bytes.
//! The route in the metadata is not looked at, so one client drives both servers.

use std::io::Write;

use anyhow::Context;
use bytes::Bytes;
use rsocket_rust::prelude::*;
use rsocket_rust::utils::EchoRSocket;
use rsocket_rust::{async_trait, Result};
use rsocket_rust_transport_tcp::TcpServerTransport;
use serde_json::Value;

struct Bench;

#[async_trait]
impl RSocket for Bench {
    async fn metadata_push(&self, _req: Payload) -> Result<()> {
        Ok(())
    }

    async fn fire_and_forget(&self, _req: Payload) -> Result<()> {
        Ok(())
    }

    async fn request_response(&self, req: Payload) -> Result<Option<Payload>> {
        Ok(Some(req))
    }

    fn request_stream(&self, req: Payload) -> Flux<Result<Payload>> {
        let asked: Value =
            req.data().and_then(|data| serde_json::from_slice(data).ok()).unwrap_or_default();
        let from = asked["from"].as_u64().unwrap_or(0);
        let limit = asked["limit"].as_u64().unwrap_or(u64::MAX);
        let size = asked["size"].as_u64().and_then(|size| usize::try_from(size).ok()).unwrap_or(0);
        let pad = vec![b'x'; size];
        Box::pin(futures::stream::iter(
            (from..from.saturating_add(limit)).map(move |seq| Ok(item(seq, size, &pad))),
        ))
    }

    fn request_channel(&self, reqs: Flux<Result<Payload>>) -> Flux<Result<Payload>> {
        EchoRSocket.request_channel(reqs)
    }
}

/// `{"seq":n,"pad":"xxx"}` of `size` bytes, never shorter than the sequence number needs. Cheap, so
/// that what is measured is the crate: one allocation and no formatting of the padding.
fn item(seq: u64, size: usize, pad: &[u8]) -> Payload {
    const KEY: &[u8] = br#","pad":""#;
    const END: &[u8] = br#""}"#;
    let mut text = Vec::with_capacity(size.max(32));
    write!(text, r#"{{"seq":{seq}"#).expect("a Vec takes every byte");
    match size.checked_sub(text.len() + KEY.len() + END.len()) {
        Some(len) => {
            text.extend_from_slice(KEY);
            text.extend_from_slice(&pad[..len]);
            text.extend_from_slice(END);
        }
        None => text.push(b'}'),
    }
    Payload::new(Some(Bytes::from(text)), None)
}

#[tokio::main]
async fn main() -> Result<()> {
    let address = std::env::args().nth(1).context("usage: bench_server HOST:PORT")?;
    RSocketFactory::receive()
        .transport(TcpServerTransport::from(address))
        .acceptor(Box::new(|_setup, _socket| Ok(Box::new(Bench))))
        .on_start(Box::new(|| println!("listening")))
        .serve()
        .await
}
