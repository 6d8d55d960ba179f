//! A serving `Driver` on a socket that does what the input says: it takes and gives a few bytes,
//! nothing for now, fails, ends. The driver is polled by hand when it was woken, else time passes.
//!
//! ```text
//!   input: config 1, length of the script 1, the script, then what the peer sends
//!   config 1, 2: a WebSocket server  4: bytes as they are, else frames behind their length in one
//!                byte, framed here, after a SETUP
//! ```

mod service;
mod socket;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use bytes::{BufMut, BytesMut};
use tidegate::protocol::{Handler, Limits};
use tidegate::transport::{Accept, Driver, Kind, Options};
use tidegate::wire::{Framing, Masking};
use tokio::runtime::{Builder, Runtime};

use self::service::Service;
use self::socket::Socket;
use crate::reader::Reader;

const WRITE_BUDGET: usize = 1_024;
const ERROR_MESSAGE_MAX: usize = 64;
const STREAMS_MAX: usize = 16;
/// What may come on top of two budgets: the end of every stream, and the last frame.
const OUTPUT_LEN_MAX: usize = 2 * WRITE_BUDGET + (STREAMS_MAX + 2) * (ERROR_MESSAGE_MAX + 32);
/// Polls for each byte of input and script, and those that the end takes.
const POLLS_PER_BYTE: u64 = 64;
const POLLS_AT_LEAST: u64 = 4_096;
/// Time passes while the driver is busy, too.
const POLLS_PER_SECOND: u64 = 16;
/// SETUP as most clients send it: 20 s and 90 s.
const SETUP: &[u8] = b"\0\0\0\0\x04\0\0\x01\0\0\0\0\x4e\x20\0\x01\x5f\x90\x03a/b\x03c/d";

thread_local! {
    /// Paused time that goes on from run to run.
    static RUNTIME: Runtime = Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .expect("a runtime without IO can be made");
}

/// Target `driver`.
pub fn driver(input: &[u8]) {
    let mut input = Reader::new(input);
    let config = input.byte();
    let kind = if config & 3 == 0 { Kind::Stream } else { Kind::WebSocketServer };
    let script_len = input.byte().into();
    let script = input.bytes(script_len).to_vec();
    let inbound = if config & 4 == 0 { framed(kind, &mut input) } else { input.rest().to_vec() };
    let polls_max = POLLS_AT_LEAST + POLLS_PER_BYTE * (inbound.len() + script.len()) as u64;
    RUNTIME.with(|runtime| {
        runtime.block_on(run(kind, Socket::new(script, inbound, OUTPUT_LEN_MAX), polls_max));
    });
}

/// Polls until the end; the socket ends after what it holds, so the driver must as well.
async fn run(kind: Kind, socket: Socket, polls_max: u64) {
    let options = options();
    let accept: Accept =
        Arc::new(|_| Box::pin(async { Ok(Box::new(Service) as Box<dyn Handler>) }));
    let mut driver = Driver::server(socket, kind, BytesMut::new(), &options, accept, None);
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(Arc::clone(&wakes));
    let mut context = Context::from_waker(&waker);
    let mut seen = 0;
    for polls in 0..polls_max {
        if let Poll::Ready(cause) = Pin::new(&mut driver).poll(&mut context) {
            let _ = cause.to_string();
            return;
        }
        let woken = wakes.0.load(Ordering::Relaxed);
        // It waits for time alone: the socket wakes whoever it puts off. One that never does
        // anything else must be seen through by the clock.
        if woken == seen || polls % POLLS_PER_SECOND == 0 {
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        seen = woken;
    }
    panic!("not over after {polls_max} polls");
}

fn options() -> Options {
    let limits = Limits {
        streams_max: STREAMS_MAX,
        item_bytes_max: 4_096,
        inbound_bytes_max: 16_384,
        reassemblies_max: 4,
        fragments_max: 64,
        keepalive_bytes_max: 64,
        write_budget: WRITE_BUDGET,
        responses_bytes_max: 4_096,
        error_message_bytes_max: ERROR_MESSAGE_MAX,
        ..Limits::default()
    };
    Options {
        limits: Arc::new(limits),
        frame_len_max: 4_096,
        write_stall: Duration::from_secs(60),
        effects_max: 4,
        ..Options::default()
    }
}

fn framed(kind: Kind, input: &mut Reader<'_>) -> Vec<u8> {
    let mut framing = match kind {
        Kind::Stream => Framing::LengthPrefix,
        Kind::WebSocketServer | Kind::WebSocketClient { .. } => {
            Framing::WebSocket(Masking::Client { seed: 1 })
        }
    };
    let mut out = BytesMut::new();
    framing.encode(&mut out, SETUP.len(), |out| out.put_slice(SETUP));
    while !input.is_empty() {
        let len = input.byte().into();
        let frame = input.bytes(len);
        framing.encode(&mut out, frame.len(), |out| out.put_slice(frame));
    }
    out.to_vec()
}

/// Counts.
#[derive(Default)]
struct Wakes(AtomicU64);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}
