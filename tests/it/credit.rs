//! `credit-exact`: what is granted comes, and nothing else.

use std::time::Duration;

use tidegate::wire::{Body, Frame};

use super::figures::{Figures, Size};
use super::peer::{Peer, Received, Transport, UNBOUNDED, payload, request_n, request_stream};
use super::server::Server;

#[test]
fn credit_exact() {
    let size = Size::of_run();
    let mut figures = Figures::new("credit-exact", size);
    let server = Server::start(&[]);
    for transport in Transport::ALL {
        one_stream(&server, transport, size, &mut figures);
        many_streams(&server, transport, size, &mut figures);
        same_segment(&server, transport, size, &mut figures);
        beyond_31_bits(&server, transport, size, &mut figures);
    }
    figures.finish();
}

fn silence(size: Size) -> Duration {
    size.pick(Duration::from_millis(300), Duration::from_secs(2))
}

fn one_stream(server: &Server, transport: Transport, size: Size, figures: &mut Figures) {
    let mut peer = Peer::connect(server, transport);
    peer.send(&request_stream(1, 5, payload("debug.count", "{}")));
    let name = transport.name();
    let first = items(&peer.drain(silence(size)));
    figures.exactly(&format!("{name}, n = 5, then 2 s: items"), first, 5);
    peer.send(&request_n(1, 3));
    let more = items(&peer.drain(silence(size)));
    figures.exactly(&format!("{name}, REQUEST_N 3, then 2 s: items"), more, 3);
}

fn many_streams(server: &Server, transport: Transport, size: Size, figures: &mut Figures) {
    let streams = size.pick(200, 1_000);
    let mut peer = Peer::connect(server, transport);
    let ids: Vec<u32> = (0..streams).map(|index| index * 2 + 1).collect();
    let requests: Vec<Frame> =
        ids.iter().map(|id| request_stream(*id, 5, payload("debug.count", "{}"))).collect();
    peer.send_all(&requests);
    let first = peer.drain(silence(size));
    let more: Vec<Frame> = ids.iter().map(|id| request_n(*id, 3)).collect();
    peer.send_all(&more);
    let second = peer.drain(silence(size));
    for (what, frames, each) in [("n = 5", first, 5), ("REQUEST_N 3", second, 3)] {
        let mut counts = vec![0u64; ids.len() * 2 + 1];
        for frame in &frames {
            counts[usize::try_from(frame.stream_id.get()).unwrap()] += u64::from(is_item(frame));
        }
        let exact = ids.iter().filter(|id| counts[usize::try_from(**id).unwrap()] == each).count();
        let what = format!("{}, {what}: streams with exactly {each} items", transport.name());
        figures.exactly(&what, exact.try_into().unwrap(), ids.len().try_into().unwrap());
    }
}

fn same_segment(server: &Server, transport: Transport, size: Size, figures: &mut Figures) {
    let mut peer = Peer::connect(server, transport);
    let request = request_stream(1, 2, payload("debug.count", "{}"));
    peer.send_all(&[request, request_n(1, 4), request_n(1, 1)]);
    let count = items(&peer.drain(silence(size)));
    let what = format!("{}, n = 2, 4 and 1 more in the same segment: items", transport.name());
    figures.exactly(&what, count, 7);
}

/// The sum neither wraps nor ends the stream: of grants that mean everything (R-REQN-6), and of
/// grants that are one less (R-REQN-5).
fn beyond_31_bits(server: &Server, transport: Transport, size: Size, figures: &mut Figures) {
    let limit = size.pick(20_000, 1_000_000);
    // An even and an odd number of grants: a sum that wraps may come out large again.
    let grants =
        [("2^31-1", UNBOUNDED, 3), ("2^31-2", UNBOUNDED - 1, 2), ("2^31-2", UNBOUNDED - 1, 3)];
    for (what, n, times) in grants {
        let mut peer = Peer::connect(server, transport);
        let options = format!(r#"{{"limit":{limit}}}"#);
        let request = request_stream(1, n, payload("debug.count", options));
        let mut frames = vec![request_n(1, n); times];
        frames[0] = request;
        peer.send_all(&frames);
        let mut count = 0;
        loop {
            let Received::Frame(frame) = peer.next(silence(size)) else { break };
            count += u64::from(is_item(&frame));
            if matches!(frame.body, Body::Payload { complete: true, .. } | Body::Error { .. }) {
                break;
            }
        }
        let what = format!("{}, {times} times {what}: items of {limit}", transport.name());
        figures.exactly(&what, count, limit);
    }
}

fn items(frames: &[Frame]) -> u64 {
    frames.iter().map(|frame| u64::from(is_item(frame))).sum()
}

fn is_item(frame: &Frame) -> bool {
    matches!(frame.body, Body::Payload { next: true, .. })
}
