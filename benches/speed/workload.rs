//! What the client does to a server; it checks what it gets.

use std::time::{Duration, Instant};

use tidegate::client::{Client, Options, connect};

/// Asked for at once: everything.
const UNBOUNDED: u32 = 0x7FFF_FFFF;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Workload {
    /// One stream with unbounded credit.
    Stream { items: u64, size: usize },
    /// Request/response, so many in flight on one connection.
    Requests { count: u64, in_flight: u64, size: usize },
}

impl Workload {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Stream { .. } => "stream",
            Self::Requests { .. } => "request/response",
        }
    }

    pub(crate) const fn operations(self) -> u64 {
        match self {
            Self::Stream { items, .. } => items,
            Self::Requests { count, .. } => count,
        }
    }
}

/// Runs the workload on one connection; the time that it took.
pub(crate) async fn run(url: &str, workload: Workload) -> Duration {
    let client = connect(url, &Options::default()).await.unwrap();
    let start = Instant::now();
    match workload {
        Workload::Stream { items, size } => stream(&client, items, size).await,
        Workload::Requests { count, in_flight, size } => {
            requests(&client, count, in_flight, size).await;
        }
    }
    start.elapsed()
}

async fn stream(client: &Client, items: u64, size: usize) {
    let request = format!(r#"{{"from":0,"limit":{items},"size":{size}}}"#);
    let mut subscription = client.stream("debug.count", request, UNBOUNDED).await.unwrap();
    let mut expected = 0;
    while let Some(item) = subscription.next().await {
        let item = item.unwrap().data;
        assert_eq!(item.len(), size, "the size of item {expected}");
        assert_eq!(sequence(&item), Some(expected), "the order of items");
        expected += 1;
    }
    assert_eq!(expected, items, "items of the stream");
}

/// The digits after `"seq":`, without a JSON parser, which would cost the client more than the
/// rest.
fn sequence(item: &[u8]) -> Option<u64> {
    let digits = item.strip_prefix(br#"{"seq":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

async fn requests(client: &Client, count: u64, in_flight: u64, size: usize) {
    let per_lane = count / in_flight;
    let lanes = (0..in_flight).map(|lane| async move {
        for number in 0..per_lane {
            let data = format!("{:0size$}", lane * per_lane + number);
            let response = client.request("debug.echo", data.clone()).await.unwrap();
            assert_eq!(response.data, data, "the echo");
        }
    });
    futures::future::join_all(lanes).await;
}
