//! Ends: what the peer sees of them, and what is left.

use super::*;
use crate::protocol::Deadline;
use crate::testkit::{cancel, fnf, item, request, stream};
use crate::wire::{ErrorCode, StreamId};

async fn expect_error(peer: &mut Peer, id: u32, expected: ErrorCode) -> String {
    loop {
        let frame = peer.next().await.expect("an ERROR before the end");
        if let Body::Error { code, message } = frame.body {
            assert_eq!((frame.stream_id, code), (StreamId::new(id), expected));
            return String::from_utf8(message.to_vec()).unwrap();
        }
    }
}

#[tokio::test(start_paused = true)]
async fn r_setup_10_r_close_5_t_61_a_rejected_client_gets_the_error_and_then_the_end() {
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::Stream, None);
    // Unread input behind the bad frame must not destroy the ERROR.
    peer.send(&[request(1, "too early"), request(3, "more")]).await;
    expect_error(&mut peer, 0, ErrorCode::INVALID_SETUP).await;
    assert!(peer.next().await.is_none());
    drop(peer);
    assert!(matches!(driver.await.unwrap(), Cause::Refused { .. }));
}

#[tokio::test(start_paused = true)]
async fn r_setup_3_r_lim_8_t_60_a_silent_socket_is_closed_at_the_deadline() {
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::Stream, None);
    let start = tokio::time::Instant::now();
    expect_error(&mut peer, 0, ErrorCode::INVALID_SETUP).await;
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    drop(peer);
    assert_eq!(driver.await.unwrap(), Cause::Timeout(Deadline::Setup));
}

#[tokio::test(start_paused = true)]
async fn t_68_a_slow_setup_is_cut_at_the_deadline() {
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::Stream, None);
    for byte in [0, 0, 60, 0, 0, 0, 0, 4] {
        peer.socket.write_all(&[byte]).await.unwrap();
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    expect_error(&mut peer, 0, ErrorCode::INVALID_SETUP).await;
    drop(peer);
    assert_eq!(driver.await.unwrap(), Cause::Timeout(Deadline::Setup));
}

#[tokio::test(start_paused = true)]
async fn r_ka_9_t_56_a_silent_client_is_closed_after_its_lifetime() {
    let (mut peer, driver) = Peer::connected(&Options::default()).await;
    let start = tokio::time::Instant::now();
    expect_error(&mut peer, 0, ErrorCode::CONNECTION_ERROR).await;
    assert_eq!(start.elapsed(), Duration::from_secs(90));
    drop(peer);
    assert_eq!(driver.await.unwrap(), Cause::Timeout(Deadline::Keepalive));
}

#[tokio::test(start_paused = true)]
async fn r_close_1_r_wire_7_a_cut_in_mid_frame_is_a_normal_end() {
    let (mut peer, driver) = Peer::connected(&Options::default()).await;
    peer.send(&[stream(1, 1)]).await;
    peer.socket.write_all(&[0, 0, 99, 0, 0]).await.unwrap();
    drop(peer);
    assert_eq!(driver.await.unwrap(), Cause::PeerClosed);
}

#[tokio::test(start_paused = true)]
async fn t_12_a_panicking_handler_costs_only_its_stream() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[request(1, "panic"), fnf(3, "panic"), request(5, "fine")]).await;
    let message = expect_error(&mut peer, 1, ErrorCode::APPLICATION_ERROR).await;
    assert!(!message.contains("as asked"), "internals were shown: {message}");
    peer.items(1).await;
}

#[tokio::test(start_paused = true)]
async fn can_9_each_stream_is_counted_once_by_how_it_ended() {
    let options = Options::default();
    let (mut peer, driver) = Peer::connected(&options).await;
    let named = |id: u32, data: &'static str| {
        let body =
            Body::RequestStream { follows: false, initial_n: 10, payload: Payload::new(data) };
        Frame::new(StreamId::new(id), body)
    };
    for id in 0..100 {
        peer.send(&[named(6 * id + 1, "three"), named(6 * id + 3, "fail")]).await;
        peer.send(&[named(6 * id + 5, "paced"), cancel(6 * id + 5), cancel(6 * id + 5)]).await;
    }
    let mut ends = 0;
    while ends < 200 {
        match peer.next().await.unwrap().body {
            Body::Payload { complete: true, .. } | Body::Error { .. } => ends += 1,
            Body::Payload { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    let left: Vec<Frame> = (0..50).map(|id| named(2 * id + 1, "paced")).collect();
    peer.send(&left).await;
    peer.items(50).await;
    drop(peer);
    driver.await.unwrap();
    let [complete, error, cancel, lost] = options.totals.streams(Interaction::RequestStream);
    assert_eq!((complete, error, cancel, lost), (100, 100, 100, 50));
    assert_eq!(options.totals.requests()[Interaction::RequestStream.index()], 350);
    assert_eq!(options.totals.live_streams(), 0);
    assert_eq!(options.totals.connections_open(), 0);
}

#[tokio::test(start_paused = true)]
async fn r_dsp_1_late_frames_change_nothing() {
    let options = Options::default();
    let (mut peer, _driver) = Peer::connected(&options).await;
    peer.send(&[cancel(9), item(9, "NC", "late"), request(1, "after")]).await;
    peer.items(1).await;
    assert!(peer.is_silent(Duration::from_secs(1)).await);
}
