//! The peer's half of a stream: what it may send, and what it sent that was not taken yet.

use std::collections::VecDeque;

use super::super::{Next, StreamError};
use super::{Credit, Reassembly, UNBOUNDED};
use crate::wire::Payload;

/// When everything was asked for, a strict peer still stops after 2^31-1 items: this many are asked
/// for again after as many were taken (R-REQN-7).
const TOP_UP: u32 = 1 << 30;

/// ```text
///   Opening ── last fragment of the request ──▶ Open or Done
///   Open ── C, ERROR or CANCEL ──▶ Ended ── everything taken ──▶ Done
/// ```
#[derive(Debug)]
pub(crate) enum Inbound {
    /// The request itself still arrives in fragments.
    Opening(Reassembly),
    /// Items may come within the window that we granted.
    Open(Flow),
    /// Nothing more comes; what did is still to be taken.
    Ended {
        /// Items that were not taken yet.
        queue: VecDeque<Payload>,
        /// `None` for completion.
        error: Option<StreamError>,
    },
    /// Nothing comes and nothing is left.
    Done,
}

/// An open inbound half.
#[derive(Debug, Default)]
pub(crate) struct Flow {
    /// Items that the peer may still send.
    pub(crate) window: Credit,
    /// An item in fragments.
    pub(crate) partial: Option<Reassembly>,
    /// Whole items that the application has not taken; at most what was granted.
    queue: VecDeque<Payload>,
    /// How many at the front of the queue have memory of their own.
    owned: usize,
    /// Items taken beyond the window, by tolerance (R-REQN-9).
    pub(crate) surplus: u64,
    /// Items taken since the last top-up; counted only when everything was asked for.
    pub(crate) unbounded: Option<u32>,
}

impl Flow {
    pub(crate) fn new(window: Credit) -> Self {
        Self { window, ..Self::default() }
    }

    /// Adds what a REQUEST_N or initial N of ours allows.
    pub(crate) fn grant(&mut self, n: u32) {
        self.window.grant(n);
        if n == UNBOUNDED {
            self.unbounded.get_or_insert(0);
        }
    }

    pub(crate) fn has_items(&self) -> bool {
        !self.queue.is_empty()
    }

    pub(crate) fn push(&mut self, item: Payload) {
        self.queue.push_back(item);
    }
}

impl Inbound {
    /// Takes the next item or, once, the end.
    pub(crate) fn next(&mut self) -> Next {
        match self {
            Self::Opening(_) | Self::Done => Next::Pending,
            Self::Open(flow) => match flow.queue.pop_front() {
                Some(item) => {
                    flow.owned = flow.owned.saturating_sub(1);
                    flow.unbounded = flow.unbounded.map(|taken| taken + 1);
                    Next::Item(item)
                }
                None => Next::Pending,
            },
            Self::Ended { queue, error } => {
                if let Some(item) = queue.pop_front() {
                    return Next::Item(item);
                }
                let end = error.take().map_or(Next::Complete, Next::Failed);
                *self = Self::Done;
                end
            }
        }
    }

    /// What to ask for again when everything had been asked for (R-REQN-7).
    pub(crate) fn top_up(&mut self) -> Option<u32> {
        let Self::Open(Flow { unbounded: Some(taken), .. }) = self else { return None };
        (*taken >= TOP_UP).then(|| {
            *taken -= TOP_UP;
            TOP_UP
        })
    }

    /// The peer's half ends; what it sent before stays to be taken (R-STR-5). Returns the bytes of
    /// a partial item that are given up.
    pub(crate) fn end(&mut self, error: Option<StreamError>) -> usize {
        match std::mem::replace(self, Self::Done) {
            Self::Opening(partial) => partial.len(),
            Self::Open(flow) => {
                let dropped = flow.partial.map_or(0, |partial| partial.len());
                *self = Self::Ended { queue: flow.queue, error };
                dropped
            }
            ended @ (Self::Ended { .. } | Self::Done) => {
                *self = ended;
                0
            }
        }
    }

    /// Nothing more is wanted. Returns the bytes that are given up.
    pub(crate) fn drop_all(&mut self) -> usize {
        let held = self.held_bytes();
        *self = Self::Done;
        held
    }

    /// Whether the peer may still send on this half.
    pub(crate) const fn is_live(&self) -> bool {
        match self {
            Self::Opening(_) | Self::Open(_) => true,
            Self::Ended { .. } | Self::Done => false,
        }
    }

    /// Whether an item, or the request itself, is in reassembly.
    pub(crate) const fn is_joining(&self) -> bool {
        match self {
            Self::Opening(_) => true,
            Self::Open(flow) => flow.partial.is_some(),
            Self::Ended { .. } | Self::Done => false,
        }
    }

    /// Whether `poll_drain` would find something.
    pub(crate) fn has_news(&self) -> bool {
        match self {
            Self::Opening(_) | Self::Done => false,
            Self::Open(flow) => !flow.queue.is_empty(),
            Self::Ended { .. } => true,
        }
    }

    /// Gives what was not taken in this turn memory of its own, so that a small item does not keep
    /// the whole read buffer that it came in.
    pub(crate) fn own_memory(&mut self) {
        let Self::Open(flow) = self else { return };
        for item in flow.queue.iter_mut().skip(flow.owned) {
            *item = item.to_owned_memory();
        }
        flow.owned = flow.queue.len();
    }

    /// Bytes in reassembly and of items that were not taken.
    pub(crate) fn held_bytes(&self) -> usize {
        let sum = |queue: &VecDeque<Payload>| queue.iter().map(Payload::len).sum::<usize>();
        match self {
            Self::Opening(partial) => partial.len(),
            Self::Open(flow) => sum(&flow.queue) + flow.partial.as_ref().map_or(0, Reassembly::len),
            Self::Ended { queue, .. } => sum(queue),
            Self::Done => 0,
        }
    }
}
