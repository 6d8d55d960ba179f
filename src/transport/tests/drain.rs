//! Leaving in good order.

use tokio::sync::watch;

use super::*;
use crate::testkit::{request, stream};
use crate::wire::{ErrorCode, StreamId};

fn plan(spread: Duration) -> DrainPlan {
    let start = tokio::time::Instant::now().into_std();
    let deadline = start + Duration::from_secs(10);
    DrainPlan { start, spread, deadline, message: "draining, retry in 1000 ms".to_owned() }
}

#[tokio::test(start_paused = true)]
async fn can_10_r_close_3_t_65_streams_are_completed_at_a_pace_and_new_ones_rejected() {
    let (begin, plan_signal) = watch::channel(None);
    let signal = DrainSignal { plan: plan_signal, place: 0.5 };
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::Stream, Some(signal));
    peer.send(&[setup()]).await;
    for id in 0..1_000 {
        peer.send(&[stream(2 * id + 1, 1)]).await;
    }
    peer.items(1_000).await;
    let start = tokio::time::Instant::now();
    begin.send_replace(Some(plan(Duration::from_secs(5))));
    let mut by_second = [0; 6];
    peer.send(&[stream(9_999, 1), request(9_997, "no")]).await;
    let (mut completed, mut rejected) = (0, 0);
    loop {
        let frame = peer.next().await.expect("CONNECTION_CLOSE before the end");
        match frame.body {
            Body::Payload { complete: true, .. } => {
                completed += 1;
                by_second[usize::try_from(start.elapsed().as_secs()).unwrap()] += 1;
            }
            Body::Error { code: ErrorCode::REJECTED, message } => {
                assert_eq!(message, "draining, retry in 1000 ms");
                rejected += 1;
            }
            Body::Error { code, .. } => {
                assert_eq!(
                    (frame.stream_id, code),
                    (StreamId::CONNECTION, ErrorCode::CONNECTION_CLOSE)
                );
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((completed, rejected), (1_000, 2));
    assert!(by_second[..5].iter().all(|count| (160..=240).contains(count)), "{by_second:?}");
    assert!(peer.next().await.is_none());
    drop(peer);
    assert_eq!(driver.await.unwrap(), Cause::Closed);
}

#[tokio::test(start_paused = true)]
async fn a_response_under_way_is_waited_for_until_the_deadline() {
    let (begin, plan_signal) = watch::channel(None);
    let signal = DrainSignal { plan: plan_signal, place: 0.0 };
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::Stream, Some(signal));
    peer.send(&[setup(), request(1, "never")]).await;
    assert!(peer.is_silent(Duration::from_secs(1)).await);
    let start = tokio::time::Instant::now();
    begin.send_replace(Some(plan(Duration::ZERO)));
    let last = peer.next().await.unwrap();
    assert!(matches!(last.body, Body::Error { code: ErrorCode::CONNECTION_CLOSE, .. }));
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    drop(peer);
    driver.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_leaves_at_its_place() {
    let (begin, plan_signal) = watch::channel(None);
    let signal = DrainSignal { plan: plan_signal, place: 0.25 };
    let (mut peer, _driver) = Peer::start(&Options::default(), Kind::Stream, Some(signal));
    peer.send(&[setup(), request(1, "x")]).await;
    peer.items(1).await;
    let start = tokio::time::Instant::now();
    begin.send_replace(Some(plan(Duration::from_secs(8))));
    assert!(matches!(peer.next().await.unwrap().body, Body::Error { .. }));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
}
