//! Credit is exact, and no stream waits for another.

use super::*;
use crate::testkit::{channel, item, request, request_n, stream};
use crate::wire::StreamId;

const SILENCE: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_response_comes_back() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[request(1, "hello")]).await;
    let frame = peer.next().await.unwrap();
    let payload = Payload::new("hello");
    let body = Body::Payload { follows: false, complete: true, next: true, payload };
    assert_eq!(frame, Frame::new(StreamId::new(1), body));
}

#[tokio::test(start_paused = true)]
async fn t_20_exactly_what_was_asked_for_is_sent() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[stream(1, 5)]).await;
    peer.items(5).await;
    assert!(peer.is_silent(SILENCE).await);
    peer.send(&[request_n(1, 3)]).await;
    peer.items(3).await;
    assert!(peer.is_silent(SILENCE).await);
}

#[tokio::test(start_paused = true)]
async fn r_reqn_12_credit_in_the_same_segment_as_the_request_adds_up() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[stream(1, 5), request_n(1, 3)]).await;
    peer.items(8).await;
    assert!(peer.is_silent(SILENCE).await);
}

#[tokio::test(start_paused = true)]
async fn a_thousand_streams_each_get_what_they_asked_for() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    for id in 0..1_000 {
        peer.send(&[stream(2 * id + 1, 5)]).await;
    }
    let mut counts = vec![0; 1_000];
    for _ in 0..5_000 {
        let frame = peer.next().await.unwrap();
        counts[frame.stream_id.get() as usize / 2] += 1;
    }
    assert!(counts.iter().all(|count| *count == 5));
    assert!(peer.is_silent(SILENCE).await);
}

#[tokio::test(start_paused = true)]
async fn two_endless_streams_share_the_connection() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[stream(1, 0x7FFF_FFFF), stream(3, 0x7FFF_FFFF)]).await;
    let mut first = 0;
    for _ in 0..20_000 {
        first += u32::from(peer.next().await.unwrap().stream_id == StreamId::new(1));
    }
    assert!((9_000..=11_000).contains(&first), "{first} of 20,000 were the first stream's");
}

#[tokio::test(start_paused = true)]
async fn can_14_a_paced_source_keeps_its_interval() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    let mut paced = stream(1, 0x7FFF_FFFF);
    if let Body::RequestStream { payload, .. } = &mut paced.body {
        *payload = Payload::new("paced");
    }
    let start = tokio::time::Instant::now();
    peer.send(&[paced]).await;
    peer.items(11).await;
    assert_eq!(start.elapsed().as_secs(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_slow_handler_slows_its_client_through_request_n_alone() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    let start = tokio::time::Instant::now();
    peer.send(&[channel(1, 1, "slow"), stream(3, 5)]).await;
    let mut credit = 0;
    let mut sent = 0;
    while sent < 20 {
        match peer.next().await.unwrap().body {
            Body::RequestN { n } => credit += n,
            Body::Payload { .. } => continue,
            other => panic!("{other:?}"),
        }
        while credit > 0 && sent < 20 {
            peer.send(&[item(1, "N", "x")]).await;
            (credit, sent) = (credit - 1, sent + 1);
        }
    }
    let millis = start.elapsed().as_millis();
    assert!(
        (1_500..=2_200).contains(&millis),
        "20 items of 100 ms with a window of 4: {millis} ms"
    );
}

#[tokio::test(start_paused = true)]
async fn can_7_the_handler_never_sees_the_surplus() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[channel(1, 1, "slow")]).await;
    let surplus: Vec<Frame> = (0..50).map(|_| item(1, "N", "x")).collect();
    peer.send(&surplus).await;
    loop {
        match peer.next().await.unwrap().body {
            Body::RequestN { .. } => {}
            Body::Error { code, .. } => {
                assert_eq!(code, crate::wire::ErrorCode::CANCELED);
                break;
            }
            other => panic!("{other:?}"),
        }
    }
    peer.send(&[request(3, "still there")]).await;
    peer.items(1).await;
}
