//! `many-streams`, `large-payload` and `counters`.

use bytes::{Bytes, BytesMut};
use tidegate::wire::{Body, Frame, Keepalive, Payload};

use super::figures::{Figures, Size};
use super::peer::{
    LONG, Peer, Received, Transport, cancel, frame, payload, request_n, request_stream,
};
use super::readers::warm;
use super::server::{Metrics, Server};

#[test]
fn many_streams() {
    let size = Size::of_run();
    let mut figures = Figures::new("many-streams", size);
    for transport in Transport::ALL {
        let streams: u32 = size.pick(1_000, 10_000);
        let server = Server::start(&[]);
        warm(&server, transport);
        let before = server.memory();
        server.forget_peak();
        let mut peer = Peer::connect(&server, transport);
        let ids = || (0..streams).map(|index| index * 2 + 1);
        let name = transport.name();

        let open: Vec<Frame> =
            ids().map(|id| request_stream(id, 2, payload("debug.count", "{}"))).collect();
        let served = serve_all(&mut peer, &open, streams, 2);
        figures.exactly(&format!("{name}: streams with their 2 items"), served, streams.into());
        let metrics =
            server.metrics_when(|it| it.get("tidegate_streams_live", &[]) == f64::from(streams));
        let live = metrics.get("tidegate_streams_live", &[]);
        let figure = format!("{name}: live at once: {live}");
        figures.holds(&figure, &format!("{streams}"), live == f64::from(streams));
        let grown = server.memory().saturating_sub(before);
        figures.note(&format!("{name}: memory of each: {} B", grown / u64::from(streams)));
        figures.bytes_below(&format!("{name}: memory"), grown, u64::from(streams) * 2_048);
        let peak = server.memory_peak().saturating_sub(before);
        figures.bytes_below(&format!("{name}: peak"), peak, u64::from(streams) * 4_096);

        let more: Vec<Frame> = ids().map(|id| request_n(id, 1)).collect();
        let served = serve_all(&mut peer, &more, streams, 1);
        figures.exactly(&format!("{name}: streams with 1 more"), served, streams.into());
        peer.send_all(&ids().map(cancel).collect::<Vec<_>>());
        let metrics = server.metrics_when(|it| it.get("tidegate_streams_live", &[]) == 0.0);
        figures.holds(
            &format!("{name}: live after CANCEL"),
            "0",
            metrics.get("tidegate_streams_live", &[]) == 0.0,
        );
    }
    figures.finish();
}

/// Sends these frames, and reads until each stream has its items; how many have exactly them. The
/// frames go out in pieces, so that neither side waits for the other to read.
fn serve_all(peer: &mut Peer, frames: &[Frame], streams: u32, each: u32) -> u64 {
    let mut counts = vec![0u32; usize::try_from(streams).unwrap()];
    for frames in frames.chunks(500) {
        peer.send_all(frames);
        for _ in 0..frames.len() * usize::try_from(each).unwrap() {
            let frame = peer.expect();
            assert!(matches!(frame.body, Body::Payload { next: true, .. }), "{frame:?}");
            counts[usize::try_from(frame.stream_id.get() / 2).unwrap()] += 1;
        }
    }
    counts.iter().filter(|count| **count == each).count().try_into().unwrap()
}

/// Bytes of the large payload: 3 MB.
const LARGE: usize = 3_000_000;

#[test]
fn large_payload() {
    let size = Size::of_run();
    let mut figures = Figures::new("large-payload", size);
    // A fragment is half the write budget at most: the default, long fragments, short ones.
    for (fragment, budget) in [("1048576", "32768"), ("1048576", "2097152"), ("1024", "32768")] {
        let server = Server::start(&[
            ("limits.fragment_bytes_tcp", fragment),
            ("limits.fragment_bytes_ws", fragment),
            ("limits.write_budget_bytes", budget),
        ]);
        for transport in Transport::ALL {
            let mut peer = Peer::connect(&server, transport);
            let request = payload("debug.echo", patterned(LARGE));
            send_fragments(&mut peer, 1, &request, 64 << 10);
            let (answer, fragments) = reassemble(&mut peer);
            let name =
                format!("{}, fragments of {fragment} B, budget {budget} B", transport.name());
            let figure = format!("{name}: {} B back in {fragments} fragments", answer.data.len());
            let is_same = answer == request;
            figures.holds(&figure, "byte for byte, in more than one", is_same && fragments > 1);
        }
    }
    figures.finish();
}

fn patterned(len: usize) -> Bytes {
    // 251 is prime, so no piece can stand for another unnoticed.
    (0..len).map(|index| u8::try_from(index % 251).unwrap()).collect::<Vec<_>>().into()
}

fn send_fragments(peer: &mut Peer, id: u32, request: &Payload, fragment: usize) {
    let mut rest = request.data.clone();
    let data = rest.split_to(fragment);
    let first = Payload { metadata: request.metadata.clone(), data };
    let mut frames = vec![frame(id, Body::RequestResponse { follows: true, payload: first })];
    while !rest.is_empty() {
        let data = rest.split_to(fragment.min(rest.len()));
        let follows = !rest.is_empty();
        let payload = Payload::new(data);
        frames.push(frame(id, Body::Payload { follows, complete: false, next: true, payload }));
    }
    peer.send_all(&frames);
}

fn reassemble(peer: &mut Peer) -> (Payload, usize) {
    let (mut metadata, mut data) = (None::<BytesMut>, BytesMut::new());
    for fragments in 1.. {
        let Body::Payload { follows, payload, .. } = peer.expect().body else { panic!("no item") };
        if let Some(part) = payload.metadata {
            metadata.get_or_insert_default().extend_from_slice(&part);
        }
        data.extend_from_slice(&payload.data);
        if !follows {
            let metadata = metadata.map(BytesMut::freeze);
            return (Payload { metadata, data: data.freeze() }, fragments);
        }
    }
    unreachable!("the loop has no end")
}

/// Streams of CAN-9's mix.
struct Mix {
    complete: u32,
    cancel: u32,
    error: u32,
    cut_connections: u32,
    cut_streams: u32,
}

#[test]
fn counters() {
    let size = Size::of_run();
    let mut figures = Figures::new("counters", size);
    let mix = size.pick(
        Mix { complete: 100, cancel: 100, error: 10, cut_connections: 2, cut_streams: 50 },
        Mix { complete: 1_000, cancel: 1_000, error: 100, cut_connections: 10, cut_streams: 50 },
    );
    for transport in Transport::ALL {
        let server = Server::start(&[]);
        end_streams(&server, transport, &mix);
        let lost = mix.cut_connections * mix.cut_streams;
        let all = mix.complete + mix.cancel + mix.error + lost;
        let metrics = server.metrics_when(|it| signals(it) >= f64::from(all));
        let wanted = [
            ("complete", mix.complete),
            ("cancel", mix.cancel),
            ("error", mix.error),
            ("connection_lost", lost),
        ];
        let name = transport.name();
        for (signal, wanted) in wanted {
            let labels = [("interaction", "request_stream"), ("signal", signal)];
            let count = metrics.get("tidegate_streams_total", &labels);
            let figure = format!("{name}: {signal}: {count}");
            figures.holds(&figure, &format!("exactly {wanted}"), count == f64::from(wanted));
        }
        let figure = format!("{name}: all signals of all interactions: {}", signals(&metrics));
        figures.holds(&figure, &format!("exactly {all}"), signals(&metrics) == f64::from(all));
        let requests = metrics.get("tidegate_requests_total", &[]);
        let figure = format!("{name}: requests: {requests}");
        figures.holds(&figure, &format!("exactly {all}"), requests == f64::from(all));
        let live = metrics.get("tidegate_streams_live", &[]);
        figures.holds(&format!("{name}: live: {live}"), "0", live == 0.0);
    }
    figures.finish();
}

fn signals(metrics: &Metrics) -> f64 {
    metrics.get("tidegate_streams_total", &[])
}

fn end_streams(server: &Server, transport: Transport, mix: &Mix) {
    let mut peer = Peer::connect(server, transport);
    let mut ids = (0u32..).map(|index| index * 2 + 1);
    let two = payload("debug.count", r#"{"limit":2}"#);
    // Not requests, so they count as none (CAN-9).
    let keepalive = Keepalive { respond: true, position: 0, data: Bytes::new() };
    peer.send_all(&vec![frame(0, Body::Keepalive(keepalive)); 10]);
    for id in ids.by_ref().take(mix.complete.try_into().unwrap()) {
        peer.send(&request_stream(id, 9, two.clone()));
        until_end(&mut peer);
    }
    for id in ids.by_ref().take(mix.cancel.try_into().unwrap()) {
        peer.send(&request_stream(id, 1, payload("debug.count", "{}")));
        peer.expect();
        // A second CANCEL is late and changes nothing.
        peer.send_all(&[cancel(id), cancel(id)]);
    }
    for id in ids.by_ref().take(mix.error.try_into().unwrap()) {
        peer.send(&request_stream(id, 1, payload("debug.count", r#"{"size":99999999}"#)));
        let answer = peer.expect();
        assert!(matches!(answer.body, Body::Error { .. }), "{answer:?}");
    }
    for _ in 0..mix.cut_connections {
        let mut peer = Peer::connect(server, transport);
        for index in 0..mix.cut_streams {
            peer.send(&request_stream(index * 2 + 1, 1, payload("debug.count", "{}")));
            peer.expect();
        }
    }
}

/// Reads up to the end of the one live stream.
fn until_end(peer: &mut Peer) {
    loop {
        match peer.next(LONG) {
            Received::Frame(Frame { body: Body::Payload { complete: false, .. }, .. }) => {}
            Received::Frame(Frame { body: Body::Payload { .. }, .. }) => return,
            other => panic!("{other:?}"),
        }
    }
}
