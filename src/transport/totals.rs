//! Counters of all connections, added to once per turn and read when metrics are asked for.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::protocol::{Interaction, Pause, Stats, Terminal};
use crate::wire::FrameType;

/// Sums over every connection that was given these totals. Each counter only grows, except the two
/// gauges that are named so.
#[derive(Debug, Default)]
pub struct Totals {
    frames_in: [AtomicU64; FrameType::COUNT],
    frames_out: [AtomicU64; FrameType::COUNT],
    streams: [[AtomicU64; Terminal::ALL.len()]; Interaction::ALL.len()],
    requests: [AtomicU64; Interaction::ALL.len()],
    pauses: [AtomicU64; PauseReason::ALL.len()],
    refused: AtomicU64,
    ignored: AtomicU64,
    credit_violations: AtomicU64,
    reassembly_limits: AtomicU64,
    stream_limits: AtomicU64,
    leases: AtomicU64,
    bytes_in: AtomicU64,
    bytes_out: AtomicU64,
    sheds: AtomicU64,
    write_stalls: AtomicU64,
    connections: AtomicU64,
    connections_open: AtomicU64,
}

/// Why sources paused, for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PauseReason {
    /// Nothing new.
    CaughtUp,
    /// No credit.
    NoCredit,
    /// No room.
    Congested,
    /// A least interval.
    Paced,
}

impl PauseReason {
    /// Every reason, in the order of the counters.
    pub const ALL: [Self; 4] = [Self::CaughtUp, Self::NoCredit, Self::Congested, Self::Paced];

    /// The name that metrics use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CaughtUp => "caught_up",
            Self::NoCredit => "no_credit",
            Self::Congested => "congested",
            Self::Paced => "paced",
        }
    }

    pub(super) const fn of(pause: &Pause) -> Option<Self> {
        match pause {
            Pause::CaughtUp => Some(Self::CaughtUp),
            Pause::NoCredit => Some(Self::NoCredit),
            Pause::Congested => Some(Self::Congested),
            Pause::Paced(_) => Some(Self::Paced),
            Pause::Done | Pause::Failed(_) => None,
        }
    }
}

/// What one driver counted since it last added to the totals.
#[derive(Debug, Default)]
pub(super) struct Turn {
    pub(super) pauses: [u64; PauseReason::ALL.len()],
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    pub(super) sheds: u64,
}

impl Totals {
    pub(super) fn open(&self) {
        self.connections.fetch_add(1, Ordering::Relaxed);
        self.connections_open.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn close(&self) {
        self.connections_open.fetch_sub(1, Ordering::Relaxed);
    }

    pub(super) fn count_write_stall(&self) {
        add(&self.write_stalls, 1);
    }

    pub(super) fn add(&self, stats: &Stats, turn: &Turn) {
        add_all(&self.frames_in, &stats.frames_in);
        add_all(&self.frames_out, &stats.frames_out);
        for (totals, counts) in self.streams.iter().zip(&stats.streams) {
            add_all(totals, counts);
        }
        add_all(&self.requests, &stats.requests);
        add_all(&self.pauses, &turn.pauses);
        add(&self.refused, stats.refused);
        add(&self.ignored, stats.ignored);
        add(&self.credit_violations, stats.credit_violations);
        add(&self.reassembly_limits, stats.reassembly_limits);
        add(&self.stream_limits, stats.stream_limits);
        add(&self.leases, stats.leases);
        add(&self.bytes_in, turn.bytes_in);
        add(&self.bytes_out, turn.bytes_out);
        add(&self.sheds, turn.sheds);
    }

    /// Frames received, by [`FrameType::index`].
    #[must_use]
    pub fn frames_in(&self) -> [u64; FrameType::COUNT] {
        read(&self.frames_in)
    }

    /// Frames sent, by [`FrameType::index`].
    #[must_use]
    pub fn frames_out(&self) -> [u64; FrameType::COUNT] {
        read(&self.frames_out)
    }

    /// Served streams of an interaction that ended, by [`Terminal::index`].
    #[must_use]
    pub fn streams(&self, interaction: Interaction) -> [u64; Terminal::ALL.len()] {
        self.streams.get(interaction.index()).map(read).unwrap_or_default()
    }

    /// Requests handed to handlers, by [`Interaction::index`].
    #[must_use]
    pub fn requests(&self) -> [u64; Interaction::ALL.len()] {
        read(&self.requests)
    }

    /// Pauses of sources, in the order of [`PauseReason::ALL`].
    #[must_use]
    pub fn pauses(&self) -> [u64; PauseReason::ALL.len()] {
        read(&self.pauses)
    }

    /// The counters that have no dimension, by name.
    #[must_use]
    pub fn counters(&self) -> [(&'static str, u64); 11] {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("requests_refused", get(&self.refused)),
            ("frames_ignored", get(&self.ignored)),
            ("credit_violations", get(&self.credit_violations)),
            ("reassembly_limit_hits", get(&self.reassembly_limits)),
            ("stream_limit_hits", get(&self.stream_limits)),
            ("leases_granted", get(&self.leases)),
            ("bytes_received", get(&self.bytes_in)),
            ("bytes_sent", get(&self.bytes_out)),
            ("fire_and_forget_shed", get(&self.sheds)),
            ("write_stalls", get(&self.write_stalls)),
            ("connections", get(&self.connections)),
        ]
    }

    /// Streams that are being served now; a moment's guess while counters move.
    #[must_use]
    pub fn live_streams(&self) -> u64 {
        let ended: u64 = self.streams.iter().flat_map(read).sum();
        self.requests().iter().sum::<u64>().saturating_sub(ended)
    }

    /// Connections that are open now.
    #[must_use]
    pub fn connections_open(&self) -> u64 {
        self.connections_open.load(Ordering::Relaxed)
    }
}

fn add(total: &AtomicU64, count: u64) {
    if count > 0 {
        total.fetch_add(count, Ordering::Relaxed);
    }
}

fn add_all(totals: &[AtomicU64], counts: &[u64]) {
    for (total, count) in totals.iter().zip(counts) {
        add(total, *count);
    }
}

fn read<const N: usize>(totals: &[AtomicU64; N]) -> [u64; N] {
    std::array::from_fn(|index| totals.get(index).map_or(0, |it| it.load(Ordering::Relaxed)))
}
