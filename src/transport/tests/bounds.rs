//! What a peer can make the server hold.

use super::*;
use crate::protocol::{Deadline, Limits};
use crate::testkit::{fnf, keepalive, request, request_n, stream};

fn short_stall() -> Options {
    Options { write_stall: Duration::from_secs(10), ..Options::default() }
}

#[tokio::test(start_paused = true)]
async fn r_lim_11_can_6_a_reader_that_stops_is_closed_after_the_write_stall() {
    let options = short_stall();
    let (mut peer, driver) = Peer::connected(&options).await;
    peer.send(&[stream(1, 0x7FFF_FFFF)]).await;
    let start = tokio::time::Instant::now();
    assert_eq!(driver.await.unwrap(), Cause::Timeout(Deadline::WriteStall));
    assert_eq!(start.elapsed(), Duration::from_secs(10));
    // What it holds ahead of the reader: the socket's 64 KiB and the write budget.
    let sent = options.totals.counters().into_iter().find(|(name, _)| *name == "bytes_sent");
    assert!(sent.unwrap().1 <= 64 << 10, "{sent:?}");
    assert!(options.totals.counters().contains(&("write_stalls", 1)));
}

#[tokio::test(start_paused = true)]
async fn r_lim_10_t_25_nothing_is_produced_beyond_the_budget() {
    let options = short_stall();
    let (mut peer, _driver) = Peer::connected(&options).await;
    peer.send(&[stream(1, 0x7FFF_FFFF)]).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let payload = crate::wire::FrameType::Payload.index();
    let produced = options.totals.frames_out()[payload] * 137;
    assert!(produced <= (64 << 10) + (32 << 10), "{produced} bytes for a reader of none");
}

#[tokio::test(start_paused = true)]
async fn r_ka_11_answers_to_a_peer_that_does_not_read_stop_the_reading() {
    let floods: [fn() -> Frame; 3] =
        [|| keepalive(true, "0123456789abcdef"), || request_n(0, 0), || request(2, "refused")];
    for flood in floods {
        let options = short_stall();
        let (mut peer, driver) = Peer::connected(&options).await;
        let burst: Vec<Frame> = (0..1_000).map(|_| flood()).collect();
        let sending = async {
            for _ in 0..100 {
                peer.send(&burst).await;
            }
        };
        // Either everything fits and has no answer, or the sender is held up and then cut off.
        let _ = tokio::time::timeout(Duration::from_secs(5), sending).await;
        assert!(options.totals.counters().iter().all(|(name, _)| *name != "panics"));
        drop(peer);
        driver.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_large_response_leaves_room_for_the_streams_beside_it() {
    let (mut peer, _driver) = Peer::connected(&Options::default()).await;
    peer.send(&[request(1, "large"), stream(3, 100)]).await;
    let (mut bytes, mut items, mut items_before_end) = (0, 0, 0);
    while bytes < 3 << 20 || items < 100 {
        let frame = peer.next().await.unwrap();
        let Body::Payload { payload, complete, .. } = frame.body else { panic!("{frame:?}") };
        if frame.stream_id.get() == 1 {
            bytes += payload.len();
            assert_eq!(complete, bytes == 3 << 20);
        } else {
            items += 1;
            items_before_end += u32::from(bytes < 3 << 20);
        }
    }
    assert_eq!((bytes, items, items_before_end), (3 << 20, 100, 100));
}

#[tokio::test(start_paused = true)]
async fn r_lim_7_streams_beyond_the_limit_are_rejected_and_the_others_live() {
    let limits = Limits { streams_max: 10, ..Limits::default() };
    let options = Options { limits: Arc::new(limits), ..Options::default() };
    let (mut peer, _driver) = Peer::connected(&options).await;
    let requests: Vec<Frame> = (0..11).map(|id| stream(2 * id + 1, 1)).collect();
    peer.send(&requests).await;
    let mut rejected = 0;
    for _ in 0..11 {
        match peer.next().await.unwrap().body {
            Body::Payload { .. } => {}
            Body::Error { code, .. } => {
                assert_eq!(code, crate::wire::ErrorCode::REJECTED);
                rejected += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rejected, 1);
    assert!(options.totals.counters().contains(&("stream_limit_hits", 1)));
}

#[tokio::test(start_paused = true)]
async fn r_fnf_5_effects_beyond_the_limit_are_shed_and_counted() {
    let options = Options { effects_max: 3, ..Options::default() };
    let (mut peer, _driver) = Peer::connected(&options).await;
    let requests: Vec<Frame> = (0..10).map(|id| fnf(2 * id + 1, "never")).collect();
    peer.send(&requests).await;
    peer.send(&[request(101, "after")]).await;
    peer.items(1).await;
    assert!(peer.is_silent(Duration::from_secs(1)).await);
    assert!(options.totals.counters().contains(&("fire_and_forget_shed", 7)));
}

#[tokio::test(start_paused = true)]
async fn an_effect_outlives_the_streams_that_came_with_it() {
    let options = Options { effects_max: 1, ..Options::default() };
    let (mut peer, _driver) = Peer::connected(&options).await;
    peer.send(&[request(1, "in")]).await;
    peer.items(1).await;
    let mut frames: Vec<Frame> = (0..100).map(|id| stream(2 * id + 3, 1)).collect();
    frames.push(fnf(999, "later"));
    frames.extend((0..100).map(|id| crate::testkit::cancel(2 * id + 3)));
    peer.send(&frames).await;
    assert!(peer.is_silent(Duration::from_secs(2)).await);
    // The first is done, so there is room for another.
    peer.send(&[fnf(1_001, "never"), request(1_003, "after")]).await;
    peer.items(1).await;
    assert!(options.totals.counters().contains(&("fire_and_forget_shed", 0)));
}

#[tokio::test(start_paused = true)]
async fn streams_that_come_and_go_before_a_reader_of_none_leave_nothing() {
    let options = Options::default();
    let (mut socket, other) = memory_pair(64 << 10);
    let mut driver = Driver::server(other, Kind::Stream, BytesMut::new(), &options, accept(), None);
    let mut out = BytesMut::new();
    let put = |out: &mut BytesMut, frame: Frame| {
        Framing::LengthPrefix.encode(out, frame.encoded_len(), |out| frame.encode(out));
    };
    put(&mut out, setup());
    // It asks for everything and takes nothing: from now on no source is polled.
    put(&mut out, stream(1, 0x7FFF_FFFF));
    socket.write_all(&out).await.unwrap();
    out.clear();
    let stalled = tokio::time::timeout(Duration::from_secs(1), &mut driver).await;
    assert!(stalled.is_err(), "the connection is open");
    for round in 0..50 {
        for id in 0..1_000 {
            put(&mut out, stream(2 * id + 3, 1));
            put(&mut out, crate::testkit::cancel(2 * id + 3));
        }
        let sending = socket.write_all(&out);
        tokio::select! {
            sent = sending => sent.unwrap(),
            cause = &mut driver => panic!("round {round}: {cause}"),
        }
        out.clear();
    }
    let idle = tokio::time::timeout(Duration::from_secs(1), &mut driver).await;
    assert!(idle.is_err(), "the connection is open");
    let streams = options.totals.requests()[Interaction::RequestStream.index()];
    assert_eq!(streams, 50_001, "every request was taken");
    assert!(driver.queued_parts() < 100, "{} parts are queued", driver.queued_parts());
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_holds_no_buffers() {
    let options = Options::default();
    let (mut socket, other) = memory_pair(1 << 20);
    let accept = accept();
    let mut driver = Driver::server(other, Kind::Stream, BytesMut::new(), &options, accept, None);
    let mut out = BytesMut::new();
    for frame in [setup(), stream(1, 1_000), request(3, "x")] {
        Framing::LengthPrefix.encode(&mut out, frame.encoded_len(), |out| frame.encode(out));
    }
    socket.write_all(&out).await.unwrap();
    let idle = tokio::time::timeout(Duration::from_secs(1), &mut driver).await;
    assert!(idle.is_err(), "the connection is open");
    assert_eq!(driver.held_memory(), 0);
}
