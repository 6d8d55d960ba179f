//! What a driver needs beside its socket.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::Totals;
use crate::protocol::{Handler, LeaseGrant, Limits, SetupRejection};
use crate::wire::{Deframer, Framing, Masking, Setup};

/// Bounds and shared parts of every connection of one listener.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bounds of the protocol.
    pub limits: Arc<Limits>,
    /// What clients that ask for leases are granted; without it they are refused (R-SETUP-9).
    pub lease: Option<LeaseGrant>,
    /// Longest inbound frame, bytes (R-LIM-1).
    pub frame_len_max: usize,
    /// A connection whose socket takes nothing for so long is closed (R-LIM-11).
    pub write_stall: Duration,
    /// Fire-and-forget handlers that may run at once; the surplus is shed (R-FNF-5).
    pub effects_max: usize,
    /// Where counters are added up.
    pub totals: Arc<Totals>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            limits: Arc::new(Limits::default()),
            lease: None,
            frame_len_max: 16_777_215,
            write_stall: Duration::from_secs(120),
            effects_max: 1_024,
            totals: Arc::new(Totals::default()),
        }
    }
}

/// How frames travel on the socket, and which end this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A byte stream with length prefixes: TCP, memory.
    Stream,
    /// The accepting end of a WebSocket, after its handshake.
    WebSocketServer,
    /// The connecting end of a WebSocket, after its handshake; `seed` feeds its masks and should be
    /// unpredictable (RFC 6455 section 10.3).
    WebSocketClient {
        /// Any value.
        seed: u64,
    },
}

impl Kind {
    pub(super) fn framing(self) -> Framing {
        match self {
            Self::Stream => Framing::LengthPrefix,
            Self::WebSocketServer => Framing::WebSocket(Masking::None),
            Self::WebSocketClient { seed } => Framing::WebSocket(Masking::Client { seed }),
        }
    }

    pub(super) fn deframer(self, frame_len_max: usize) -> Deframer {
        match self {
            Self::Stream => Deframer::length_prefix(frame_len_max),
            Self::WebSocketServer => Deframer::websocket(true, frame_len_max),
            Self::WebSocketClient { .. } => Deframer::websocket(false, frame_len_max),
        }
    }
}

/// Decides about a SETUP: the handler of the accepted connection, or why not.
pub type AcceptFuture =
    Pin<Box<dyn Future<Output = Result<Box<dyn Handler>, SetupRejection>> + Send>>;

/// Called once per connection with its SETUP.
pub type Accept = Arc<dyn Fn(Setup) -> AcceptFuture + Send + Sync>;

/// How a server leaves (R-CLOSE-3).
#[derive(Clone, Debug)]
pub struct DrainPlan {
    /// When it began.
    pub start: Instant,
    /// Over how long subscriptions are completed, evenly.
    pub spread: Duration,
    /// When what is left is cut.
    pub deadline: Instant,
    /// What new requests are told.
    pub message: String,
}

/// Tells one connection when to drain, and which part of the spread is its own.
#[derive(Clone, Debug)]
pub struct DrainSignal {
    /// `None` while the server serves.
    pub plan: watch::Receiver<Option<DrainPlan>>,
    /// 0 to 1: this connection's place among all, so that single streams on many connections are
    /// spread as evenly as many streams on one.
    pub place: f64,
}

/// Resolves when the drain begins, with the plan and the connection's place in it; `None` when the
/// server is gone without one.
pub(super) type DrainFuture = Pin<Box<dyn Future<Output = Option<(DrainPlan, f64)>> + Send>>;

impl DrainSignal {
    pub(super) fn into_future(mut self) -> DrainFuture {
        Box::pin(async move {
            let plan = self.plan.wait_for(Option::is_some).await.ok()?.clone()?;
            Some((plan, self.place))
        })
    }
}
