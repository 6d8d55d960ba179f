//! `stalled-reader`, `slow-reader` and `fairness`: nothing is queued for who does not read.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use super::figures::{Figures, Size};
use super::peer::{
    LONG, Peer, Transport, UNBOUNDED, payload, request_response, request_stream, setup,
};
use super::server::Server;

const MIB: u64 = 1 << 20;

/// A reader that asked for everything and reads nothing, of items of this size.
pub fn stalled(server: &Server, transport: Transport, item_bytes: usize) -> Peer {
    let mut peer = Peer::connect(server, transport);
    let options = format!(r#"{{"size":{item_bytes}}}"#);
    peer.send(&request_stream(1, UNBOUNDED, payload("debug.count", options)));
    peer
}

#[test]
fn stalled_reader() {
    let size = Size::of_run();
    let mut figures = Figures::new("stalled-reader", size);
    for transport in Transport::ALL {
        for item_bytes in [128, 16 << 10, MIB] {
            one_stalled_reader(transport, item_bytes, size, &mut figures);
        }
    }
    figures.finish();
}

fn one_stalled_reader(transport: Transport, item_bytes: u64, size: Size, figures: &mut Figures) {
    let stall = size.pick(Duration::from_secs(2), Duration::from_secs(12));
    let look = size.pick(Duration::from_millis(500), Duration::from_secs(10));
    let server =
        Server::start(&[("limits.write_stall_ms", stall.as_millis().to_string().as_str())]);
    warm(&server, transport);
    let name = format!("{}, items of {item_bytes} B", transport.name());
    let before = server.memory();
    server.forget_peak();
    let started = Instant::now();
    let peer = stalled(&server, transport, usize::try_from(item_bytes).unwrap());
    thread::sleep(look);
    // An item that is larger than the write budget waits whole, once.
    let limit = if item_bytes < MIB { MIB } else { item_bytes + MIB / 2 };
    let what = format!("{name}: memory after {} s", look.as_secs_f64());
    figures.bytes_below(&what, server.memory().saturating_sub(before), limit);
    let peak = server.memory_peak().saturating_sub(before);
    figures.bytes_below(&format!("{name}: peak until then"), peak, limit);
    let metrics = server.metrics_when(|it| it.get("tidegate_write_stalls_total", &[]) > 0.0);
    let closed = started.elapsed();
    let is_cut = metrics.get("tidegate_write_stalls_total", &[]) == 1.0;
    figures.holds(&format!("{name}: closed for the stall"), "once", is_cut);
    let what = format!("{name}: closed after {:.1} s", closed.as_secs_f64());
    let limit = format!("{} s of stall, 1 s late at most", stall.as_secs());
    let is_timely = closed >= stall && closed < stall + Duration::from_secs(1);
    figures.measured(&what, &limit, is_timely);
    drop(peer);
}

/// One stream that is read, so that what any first stream allocates is there.
pub fn warm(server: &Server, transport: Transport) {
    let mut peer = Peer::connect(server, transport);
    peer.send(&request_stream(1, 1_000, payload("debug.count", r#"{"size":1024}"#)));
    for _ in 0..1_000 {
        peer.expect();
    }
}

/// Bytes of an item of the slow reader.
const SLOW_ITEM: u64 = 256;
/// Bytes per second that it reads.
const SLOW_RATE: u64 = 200_000;

#[test]
fn slow_reader() {
    let size = Size::of_run();
    let mut figures = Figures::new("slow-reader", size);
    for transport in Transport::ALL {
        let most = between(transport, size.pick(1, 10));
        let what = format!("{}: most bytes between source and reader", transport.name());
        figures.bytes_below(&what, most, 256 << 10);
    }
    figures.finish();
}

/// The most item bytes that the source gave and the reader had not read, over these seconds.
fn between(transport: Transport, seconds: u64) -> u64 {
    const STEP: Duration = Duration::from_millis(10);
    let server = Server::start(&[]);
    let mut peer = stalled(&server, transport, usize::try_from(SLOW_ITEM).unwrap());
    let per_step = usize::try_from(SLOW_RATE / 100).unwrap();
    let started = Instant::now();
    let (mut read, mut most) = (0, 0);
    for step in 1..=seconds * 100 {
        read += u64::try_from(peer.skip(per_step, LONG)).unwrap();
        if step % 25 == 0 {
            let sent = server
                .metrics()
                .count("tidegate_frames_total", &[("direction", "out"), ("type", "PAYLOAD")]);
            // What was read includes headers: by that much the answer is too small, so they are
            // counted as sent, too.
            let header = transport_header(transport);
            most = most.max((sent * (SLOW_ITEM + header)).saturating_sub(read));
        }
        let due = started + STEP * u32::try_from(step).unwrap();
        thread::sleep(due.saturating_duration_since(Instant::now()));
    }
    most
}

/// What a PAYLOAD of the slow reader's size carries around its data.
const fn transport_header(transport: Transport) -> u64 {
    match transport {
        Transport::Tcp => 3 + 6,
        Transport::WebSocket => 4 + 6,
    }
}

#[test]
fn fairness() {
    let size = Size::of_run();
    let mut figures = Figures::new("fairness", size);
    let server = Server::start(&[]);
    let workers = thread::available_parallelism().unwrap().get();
    let count = size.pick(20, 100);
    for transport in Transport::ALL {
        let alone = round_trips(&server, transport, count);
        let what = format!("{}: slowest of {count} requests, nobody else", transport.name());
        figures.time_below(&what, alone, Duration::from_millis(50));
        let stalled: Vec<Peer> = (0..=workers).map(|_| stalled(&server, transport, 128)).collect();
        let slowest = beside_readers(&server, transport, workers + 1, count, &mut figures);
        let what = format!(
            "{}: slowest of {count} requests beside {} stalled and {} reading",
            transport.name(),
            stalled.len(),
            workers + 1
        );
        figures.time_below(&what, slowest, Duration::from_millis(50));
    }
    figures.finish();
}

/// The slowest request while so many endless streams are read as fast as they come.
fn beside_readers(
    server: &Server,
    transport: Transport,
    readers: usize,
    count: u32,
    figures: &mut Figures,
) -> Duration {
    let (stop, read) = (AtomicBool::new(false), AtomicU64::new(0));
    thread::scope(|scope| {
        for _ in 0..readers {
            scope.spawn(|| {
                let mut peer = stalled(server, transport, 128);
                while !stop.load(Ordering::Relaxed) {
                    let len = peer.skip(usize::MAX, LONG);
                    read.fetch_add(len.try_into().unwrap(), Ordering::Relaxed);
                }
            });
        }
        thread::sleep(Duration::from_millis(500));
        let (started, before) = (Instant::now(), read.load(Ordering::Relaxed));
        let slowest = round_trips(server, transport, count);
        let bytes = u128::from(read.load(Ordering::Relaxed) - before);
        let rate = bytes / started.elapsed().as_micros();
        figures.note(&format!("{}: meanwhile {rate} MB/s were read", transport.name()));
        stop.store(true, Ordering::Relaxed);
        slowest
    })
}

/// The slowest of so many requests, one after the other, on a connection of their own.
fn round_trips(server: &Server, transport: Transport, count: u32) -> Duration {
    let mut peer = Peer::open(server, transport, None);
    peer.send(&setup());
    let request = |id| request_response(id, payload("debug.echo", "are you there?"));
    let answer = |index| {
        let started = Instant::now();
        peer.send(&request(index * 2 + 1));
        peer.expect();
        let took = started.elapsed();
        thread::sleep(Duration::from_millis(5));
        took
    };
    (0..count).map(answer).max().unwrap()
}
