//! A reader of a topic.

use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;

use super::reading::{Media, Reading};
use super::topic::Topic;
use super::waiters::Seat;
use crate::engine::{TallyItem, TopN};

/// Where a reader begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With the next window that closes.
    #[default]
    Now,
    /// After this window, which the reader has seen; 0 for a reader that has seen none, whose
    /// first answer is the sum of all so far. A window that has not come yet counts as `Now`.
    After(u64),
}

/// A reader: a cursor, and a seat among the waiters while it is caught up.
///
/// Reading does not move the cursor; [`Subscription::advance`] does, once the item has a place to
/// go. A reader without room lets the item go and reads again when it has room: it then gets a
/// newer answer that covers both.
#[derive(Debug)]
#[must_use = "a dropped subscription reads nothing"]
pub struct Subscription {
    topic: Arc<Topic>,
    cursor: u64,
    top: TopN,
    seat: Option<Seat>,
    /// What the last read offered.
    offered: Option<Offer>,
}

#[derive(Clone, Copy, Debug)]
struct Offer {
    next: u64,
    conflated: u64,
    gap: bool,
}

impl Subscription {
    pub(super) fn new(topic: Arc<Topic>, start: Start, top: TopN) -> Self {
        let newest = topic.subscribe();
        let cursor = match start {
            Start::Now => newest,
            Start::After(window) => window.min(newest),
        };
        Self { topic, cursor, top, seat: None, offered: None }
    }

    /// The number of the last window taken.
    #[must_use]
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// The sum of the windows after the cursor, shared by everyone who asks the same. When there
    /// is none the task is woken once there is; without that no waker is kept.
    pub fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Arc<Reading>> {
        let read = self.topic.poll_read(cx, self.cursor, self.top, &mut self.seat);
        // A read that finds nothing leaves no offer standing: who has an offer is behind.
        if let Poll::Ready(reading) = &read {
            self.offered = Some(Offer::new(reading.item()));
        }
        read
    }

    /// As [`Subscription::poll_read`], encoded: `encode` runs once per answer and `media`, whoever
    /// comes first.
    pub fn poll_read_encoded(
        &mut self,
        cx: &mut Context<'_>,
        media: Media,
        encode: impl FnOnce(&TallyItem) -> Bytes,
    ) -> Poll<Bytes> {
        self.poll_read(cx).map(|reading| {
            let counted = |item: &TallyItem| {
                self.topic.taken.count_encode();
                encode(item)
            };
            reading.encoded(media, counted).clone()
        })
    }

    /// Take what the last read offered: the next one answers with what came after it. Changes
    /// nothing when there was no offer.
    pub fn advance(&mut self) {
        if let Some(offer) = self.offered.take() {
            self.cursor = offer.next;
            self.topic.taken.count(offer.conflated, offer.gap);
        }
    }
}

impl Offer {
    fn new(item: &TallyItem) -> Self {
        let conflated = item.windows.saturating_sub(1);
        Self { next: item.last, conflated, gap: item.gap.is_some() }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.topic.unsubscribe(self.seat);
    }
}
