//! The `rsocket_rust` crates. Usage: `echo CELL | rsocket-rust-peer tcp://HOST:PORT`
//! (or `ws://HOST:PORT/rsocket`). What the cells mean is in `../README.md`.

mod cells;

use std::io::BufRead;

use anyhow::Context;
use serde_json::json;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let url = std::env::args().nth(1).context("usage: rsocket-rust-peer URL < cells")?;
    let transport = url.split(':').next().unwrap_or_default().to_owned();
    for name in std::io::stdin().lock().lines() {
        let name = name?.trim().to_owned();
        // A task of its own: the library panics on some frames, which must cost one cell, not all.
        let cell = tokio::spawn({
            let (url, name) = (url.clone(), name.clone());
            async move { cells::run(&url, &name).await }
        });
        let (result, detail) = match cell.await {
            Ok(Ok(note)) => ("pass", note.to_owned()),
            Ok(Err(failure)) => ("fail", format!("{failure:#}")),
            Err(panic) => ("fail", panic.to_string()),
        };
        let line = json!({
            "client": "rsocket_rust", "version": "0.7.5", "transport": transport,
            "cell": name, "result": result, "detail": detail,
        });
        println!("{line}");
    }
    // Connections that the library does not close would keep the process alive.
    std::process::exit(0);
}
