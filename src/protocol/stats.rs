//! Plain counters of one connection; its driver adds them to shared handles once per turn.

use super::Interaction;
use crate::wire::FrameType;

/// How a stream ended. Each stream that a handler was asked to serve counts once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terminal {
    /// Both halves ended in good order.
    Complete,
    /// This side sent an ERROR.
    Error,
    /// The requester gave up, by CANCEL or by ERROR.
    Cancel,
    /// The connection ended first.
    ConnectionLost,
}

impl Terminal {
    /// Every terminal signal, in the order of [`Terminal::index`].
    pub const ALL: [Self; 4] = [Self::Complete, Self::Error, Self::Cancel, Self::ConnectionLost];

    /// The name that metrics use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Error => "error",
            Self::Cancel => "cancel",
            Self::ConnectionLost => "connection_lost",
        }
    }

    /// Position in [`Terminal::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// What happened since the last [`Connection::take_stats`](super::Connection::take_stats).
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Frames received, by [`FrameType::index`].
    pub frames_in: [u64; FrameType::COUNT],
    /// Frames encoded, by [`FrameType::index`].
    pub frames_out: [u64; FrameType::COUNT],
    /// Served streams that ended, by interaction and [`Terminal::index`].
    pub streams: [[u64; Terminal::ALL.len()]; Interaction::ALL.len()],
    /// Requests that were handed to the handler, by interaction.
    pub requests: [u64; Interaction::ALL.len()],
    /// Requests refused before a handler saw them: limit, lease, drain, n = 0.
    pub refused: u64,
    /// Frames that had no effect: late, unknown or ignorable (R-DSP-1).
    pub ignored: u64,
    /// Items that the peer sent beyond its credit (R-REQN-9).
    pub credit_violations: u64,
    /// Items that broke a reassembly limit (R-LIM-2 to R-LIM-6).
    pub reassembly_limits: u64,
    /// Requests refused because too many streams are live (R-LIM-7).
    pub stream_limits: u64,
    /// LEASE frames granted to the peer.
    pub leases: u64,
}
