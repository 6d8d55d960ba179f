//! `channel-credit`: the credit of a channel binds the peer that writes and the handler that reads
//! (CAN-1, CAN-6, CAN-7, CAN-8, CAN-14).

use std::thread;
use std::time::{Duration, Instant};

use tidegate::wire::{Body, ErrorCode, Frame};

use super::figures::{Figures, Size};
use super::peer::{
    LONG, Peer, Received, Transport, UNBOUNDED, item, payload, request_channel, request_n,
    request_response, request_stream, setup,
};
use super::readers::{stalled, warm};
use super::server::Server;

const MIB: u64 = 1 << 20;
/// Items that a channel's client may have under way here.
const WINDOW: u32 = 8;

#[test]
fn channel_credit() {
    let size = Size::of_run();
    let mut figures = Figures::new("channel-credit", size);
    for transport in Transport::ALL {
        isolation(transport, size, &mut figures);
        huge_demand(transport, size, &mut figures);
        violation(transport, size, &mut figures);
        arithmetic(transport, size, &mut figures);
        slow_handler(transport, size, &mut figures);
        traps(transport, size, &mut figures);
    }
    figures.finish();
}

fn start() -> Server {
    Server::start(&[("limits.channel_window", WINDOW.to_string().as_str())])
}

/// Opens a channel whose handler takes an item in this time; the credit that it grants.
fn open_sink(peer: &mut Peer, id: u32, delay_ms: u64) -> u32 {
    let options = format!(r#"{{"delay_ms":{delay_ms}}}"#);
    peer.send(&request_channel(id, 1, payload("debug.sink", options)));
    granted(peer, id, Duration::from_millis(300))
}

/// The sum of REQUEST_N that comes until there is silence.
fn granted(peer: &mut Peer, id: u32, silence: Duration) -> u32 {
    peer.drain(silence).iter().map(|frame| grant_of(frame, id)).sum()
}

fn grant_of(frame: &Frame, id: u32) -> u32 {
    match frame.body {
        Body::RequestN { n } if frame.stream_id.get() == id => n,
        _ => 0,
    }
}

/// CAN-1: a channel that is granted nothing more does not slow the one beside it.
fn isolation(transport: Transport, size: Size, figures: &mut Figures) {
    let server = start();
    warm(&server, transport);
    let rounds = size.pick(1, 3);
    let seconds = size.pick(1, 10);
    let (mut without, mut with) = (Vec::new(), Vec::new());
    let mut grown = 0;
    for _ in 0..rounds {
        let mut peer = Peer::connect(&server, transport);
        without.extend(paced_echoes(&mut peer, seconds));
        let mut peer = Peer::connect(&server, transport);
        let credit = open_sink(&mut peer, 3, 3_600_000);
        let items: Vec<Frame> = (0..credit).map(|_| item(3, "x")).collect();
        peer.send_all(&items);
        assert!(peer.drain(Duration::from_millis(100)).is_empty(), "the handler is busy");
        let before = server.memory();
        with.extend(paced_echoes(&mut peer, seconds));
        grown = grown.max(server.memory().saturating_sub(before));
    }
    let (without, with) = (p99(&mut without), p99(&mut with));
    let name = transport.name();
    let ratio = with.as_secs_f64() / without.as_secs_f64();
    let (with, without) = (with.as_micros(), without.as_micros());
    let what = "p99 at 1,000 items/s beside a full channel";
    let figure = format!("{name}, CAN-1: {what} {with} us, alone {without} us: x{ratio:.2}");
    figures.measured(&figure, "x1.2", ratio < 1.2);
    figures.bytes_below(&format!("{name}, CAN-1: memory"), grown, MIB);
}

/// How long each of 1,000 items a second took there and back on a channel.
fn paced_echoes(peer: &mut Peer, seconds: u32) -> Vec<Duration> {
    let started = Instant::now();
    peer.send(&request_channel(1, UNBOUNDED, payload("debug.echo", "0")));
    let mut is_first = true;
    let mut took = Vec::new();
    for index in 0..seconds * 1_000 {
        let due = started + Duration::from_millis(index.into());
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let sent = Instant::now();
        if !is_first {
            peer.send(&item(1, "0"));
        }
        is_first = false;
        while !matches!(peer.expect().body, Body::Payload { .. }) {}
        took.push(sent.elapsed());
    }
    took
}

fn p99(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times[times.len() * 99 / 100]
}

/// CAN-6: clients that ask for everything and read nothing.
fn huge_demand(transport: Transport, size: Size, figures: &mut Figures) {
    let clients: u64 = size.pick(10, 100);
    let stall = size.pick(Duration::from_secs(1), Duration::from_secs(5));
    let server =
        Server::start(&[("limits.write_stall_ms", stall.as_millis().to_string().as_str())]);
    warm(&server, transport);
    let before = server.memory();
    let started = Instant::now();
    let stalled: Vec<Peer> = (0..clients).map(|_| stalled(&server, transport, 128)).collect();
    thread::sleep(stall / 2);
    let each = server.memory().saturating_sub(before) / clients;
    let name = format!("{}, CAN-6, {clients} clients", transport.name());
    // The write budget twice: what waits, and what one turn may add.
    figures.bytes_below(&format!("{name}: memory of each"), each, 128 << 10);
    let mut peer = Peer::connect(&server, transport);
    peer.send(&request_response(1, payload("debug.echo", "there?")));
    peer.expect();
    let stalls = "tidegate_write_stalls_total";
    let metrics = server.metrics_when(|it| it.count(stalls, &[]) >= clients);
    figures.exactly(&format!("{name}: cut"), metrics.count(stalls, &[]), clients);
    let limit = stall + Duration::from_secs(2);
    figures.time_below(&format!("{name}: the last one cut after"), started.elapsed(), limit);
    drop(stalled);
}

/// CAN-7: a client that sends beyond its credit.
fn violation(transport: Transport, size: Size, figures: &mut Figures) {
    let server = start();
    warm(&server, transport);
    let mut peer = Peer::connect(&server, transport);
    let credit = open_sink(&mut peer, 1, 20);
    let name = format!("{}, CAN-7", transport.name());
    peer.send_all(&(0..credit).map(|_| item(1, "x")).collect::<Vec<_>>());
    let again = granted(&mut peer, 1, Duration::from_millis(500));
    let seen = sunk(&mut peer, 3);
    figures.exactly(&format!("{name}: within its credit, the handler saw"), seen, credit.into());
    figures.exactly(&format!("{name}: and granted as much again"), again.into(), credit.into());
    let before = server.memory();
    server.forget_peak();
    let surplus = size.pick(5_000, 50_000);
    let piece: Vec<Frame> = (0..1_000).map(|_| item(1, vec![b'x'; 100])).collect();
    for _ in 0..surplus / 1_000 {
        peer.send_all(&piece);
    }
    let frames = peer.drain(Duration::from_millis(500));
    let errors: Vec<&Frame> =
        frames.iter().filter(|frame| matches!(frame.body, Body::Error { .. })).collect();
    let is_canceled = |frame: &&Frame| {
        frame.stream_id.get() == 1
            && matches!(frame.body, Body::Error { code: ErrorCode::CANCELED, .. })
    };
    let name = format!("{name}, {surplus} more against {again}");
    let count = errors.iter().copied().filter(is_canceled).count();
    let figure = format!("{name}: ERROR[CANCELED]: {count} of {} errors", errors.len());
    figures.holds(&figure, "one, for its stream", count == 1 && errors.len() == 1);
    let grown = server.memory_peak().saturating_sub(before);
    figures.bytes_below(&format!("{name}: peak memory"), grown, MIB);
    let seen = sunk(&mut peer, 5);
    let figure = format!("{name}: the handler saw {seen} in all");
    let most = credit + again;
    figures.holds(&figure, &format!("at most {most}"), seen <= most.into());
}

/// What `debug.sink` took so far.
fn sunk(peer: &mut Peer, id: u32) -> u64 {
    peer.send(&request_response(id, payload("debug.sink.count", "")));
    loop {
        let frame = peer.expect();
        if let (Body::Payload { payload, .. }, true) = (frame.body, frame.stream_id.get() == id) {
            return std::str::from_utf8(&payload.data).unwrap().parse().unwrap();
        }
    }
}

/// CAN-8: three times 2^31-1 on a channel keeps flowing.
fn arithmetic(transport: Transport, size: Size, figures: &mut Figures) {
    let server = start();
    let mut peer = Peer::connect(&server, transport);
    let wanted = size.pick(1_000, 20_000);
    let open = request_channel(1, UNBOUNDED, payload("debug.echo", "0"));
    peer.send_all(&[open, request_n(1, UNBOUNDED), request_n(1, UNBOUNDED)]);
    let (mut sent, mut back) = (1u32, 0u32);
    while back < wanted {
        let frame = peer.expect();
        let credit = grant_of(&frame, 1).min(wanted - sent);
        back += u32::from(matches!(frame.body, Body::Payload { next: true, .. }));
        assert!(!matches!(frame.body, Body::Error { .. }), "{frame:?}");
        peer.send_all(&(0..credit).map(|_| item(1, "0")).collect::<Vec<_>>());
        sent += credit;
    }
    let what = format!("{}, CAN-8, three times 2^31-1: items back", transport.name());
    figures.exactly(&what, back.into(), wanted.into());
}

/// A handler of 100 ms an item, with a stream of 100 items a second beside it.
fn slow_handler(transport: Transport, size: Size, figures: &mut Figures) {
    let server = start();
    let mut peer = Peer::connect(&server, transport);
    let time = size.pick(Duration::from_secs(1), Duration::from_secs(5));
    peer.send(&request_channel(1, 1, payload("debug.sink", r#"{"delay_ms":100}"#)));
    peer.send(&request_stream(3, UNBOUNDED, payload("debug.count", r#"{"every_ms":10}"#)));
    let started = Instant::now();
    let (mut sent, mut beside) = (0u64, 0u64);
    let mut is_polite = true;
    while started.elapsed() < time {
        let Received::Frame(frame) = peer.next(time.saturating_sub(started.elapsed())) else {
            break;
        };
        let credit = grant_of(&frame, 1);
        peer.send_all(&(0..credit).map(|_| item(1, "x")).collect::<Vec<_>>());
        sent += u64::from(credit);
        beside += u64::from(frame.stream_id.get() == 3);
        is_polite &= matches!(frame.body, Body::RequestN { .. } | Body::Payload { .. });
    }
    let name = format!("{}, 100 ms an item", transport.name());
    let tenths = u64::try_from(time.as_millis()).unwrap() / 100;
    let most = tenths + u64::from(WINDOW) + 1;
    let figure = format!("{name}: the client could send {sent} in {} s", time.as_secs());
    figures.holds(&figure, &format!("{} to {most}", tenths * 8 / 10), sent <= most);
    figures.measured(&figure, "no less than the handler takes", sent >= tenths * 8 / 10);
    figures.holds(&format!("{name}: slowed by"), "REQUEST_N alone", is_polite);
    let figure = format!("{name}: the stream of 100/s beside it gave {beside}");
    let least = tenths * 10 * 97 / 100;
    figures.measured(&figure, &format!("at least {least}"), beside >= least);
}

/// The traps of CAN-14 that no other line sets: requests before SETUP, items held back until a
/// batch is full, demand over a stream's life.
fn traps(transport: Transport, size: Size, figures: &mut Figures) {
    let server = start();
    let name = format!("{}, CAN-14", transport.name());
    let mut peer = Peer::open(&server, transport, None);
    peer.send_all(&vec![request_stream(1, 1, payload("debug.count", "{}")); 1_000]);
    let frames = peer.drain(Duration::from_millis(500));
    let is_refused = matches!(
        frames.as_slice(),
        [Frame { body: Body::Error { code: ErrorCode::INVALID_SETUP, .. }, .. }]
    );
    let is_closed = is_refused && peer.is_closed_within(LONG);
    figures.holds(&format!("{name}: a request before SETUP"), "INVALID_SETUP, closed", is_closed);

    let mut peer = Peer::open(&server, transport, None);
    peer.send(&setup());
    let started = Instant::now();
    peer.send(&request_stream(1, 100, payload("debug.count", r#"{"every_ms":500}"#)));
    peer.expect();
    let first = started.elapsed();
    peer.expect();
    let what = format!("{name}: the first of 100 items of a slow source");
    figures.time_below(&what, first, Duration::from_millis(50));

    let grants = size.pick(1_000, 50_000);
    peer.send(&request_stream(3, 1, payload("debug.count", "{}")));
    let mut count = 0u64;
    while count < grants {
        let frame = peer.expect();
        if frame.stream_id.get() == 3 {
            count += 1;
            peer.send(&request_n(3, 1));
        }
    }
    figures.exactly(&format!("{name}: items for one credit at a time"), count, grants);
}
