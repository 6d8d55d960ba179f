//! Where a [`Source`](super::Source) writes its items.

use super::output::Output;
use super::requester::METADATA_MAX;
use super::stream::{Credit, Outgoing};
use super::{Pause, StreamKey};
use crate::wire::{Payload, PayloadFlags, StreamId};

const ITEM: PayloadFlags = PayloadFlags { follows: false, complete: false, next: true };

/// The outbound half of one stream for the time of one `poll_fill`: items go straight into the
/// connection's output, and each takes one unit of credit whatever its size (R-REQN-1).
///
/// A source writes items, not RSocket frames; how an item is framed is not its business. Metadata
/// of more than 16,777,215 bytes cannot be sent: the stream fails (R-META-5).
#[derive(Debug)]
pub struct Items<'a> {
    pub(super) output: &'a mut Output,
    pub(super) outgoing: &'a mut Option<Outgoing>,
    pub(super) credit: &'a mut Credit,
    pub(super) key: StreamKey,
    pub(super) stream_id: StreamId,
    pub(super) room: usize,
    /// What this stream may write while others are ready too; one item is always allowed.
    pub(super) share: usize,
    pub(super) written: u64,
    /// An item cannot be sent at all: the stream fails.
    pub(super) unsendable: bool,
}

/// What became of an item that a source offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pushed {
    /// It is on its way.
    Taken,
    /// Not taken, the reader's credit is used up: keep it and pause with [`Pause::NoCredit`].
    NoCredit,
    /// Not taken, the write budget is used up: keep it and pause with [`Pause::Congested`].
    Congested,
}

impl Pushed {
    /// The pause to return when the item was not taken.
    #[must_use]
    pub const fn pause(self) -> Option<Pause> {
        match self {
            Self::Taken => None,
            Self::NoCredit => Some(Pause::NoCredit),
            Self::Congested => Some(Pause::Congested),
        }
    }
}

impl Items<'_> {
    /// Offers an item that is shared: copied when it fits the room whole, held by reference and
    /// fragmented as the socket drains when it is larger than the whole write budget (one such item
    /// per connection at a time).
    #[must_use = "an item that was not taken is still the source's"]
    pub fn push(&mut self, payload: &Payload) -> Pushed {
        let metadata = payload.metadata.as_deref();
        match self.place(metadata.map(<[u8]>::len), payload.data.len()) {
            Place::Here => self.write(metadata, &[&payload.data]),
            Place::Held => self.hold(payload.clone()),
            Place::Nowhere(pushed) => pushed,
        }
    }

    /// Offers an item whose data is the join of `data`: a header of this reader and parts that
    /// others share, say. Gathered only when it is larger than the whole write budget.
    #[must_use = "an item that was not taken is still the source's"]
    pub fn push_parts(&mut self, metadata: Option<&[u8]>, data: &[&[u8]]) -> Pushed {
        let len = data.iter().map(|part| part.len()).sum();
        match self.place(metadata.map(<[u8]>::len), len) {
            Place::Here => self.write(metadata, data),
            Place::Held => self.hold(Payload {
                metadata: metadata.map(|bytes| bytes.to_vec().into()),
                data: data.concat().into(),
            }),
            Place::Nowhere(pushed) => pushed,
        }
    }

    /// Items that the reader's credit still allows; [`u64::MAX`] when unbounded.
    #[must_use]
    pub fn remaining(&self) -> u64 {
        self.credit.items()
    }

    fn place(&mut self, metadata_len: Option<usize>, data_len: usize) -> Place {
        if metadata_len.is_some_and(|len| len > METADATA_MAX) {
            self.unsendable = true;
            return Place::Nowhere(Pushed::Congested);
        }
        if self.credit.is_empty() {
            return Place::Nowhere(Pushed::NoCredit);
        }
        // Within one stream frames keep their order (R-WIRE-9): nothing may pass an item that is
        // still being fragmented.
        if self.outgoing.as_ref().is_some_and(|outgoing| outgoing.key == self.key) {
            return Place::Nowhere(Pushed::Congested);
        }
        let len = self.output.item_len(metadata_len, data_len);
        let whole = len <= self.output.budget() && len <= self.output.frame_len_max();
        let fair = self.written == 0 || len <= self.share;
        if whole && fair && len <= self.room {
            Place::Here
        } else if !whole && self.room > 0 && self.outgoing.is_none() {
            Place::Held
        } else {
            Place::Nowhere(Pushed::Congested)
        }
    }

    fn write(&mut self, metadata: Option<&[u8]>, data: &[&[u8]]) -> Pushed {
        let before = self.output.bytes().len();
        self.output.item(self.stream_id, ITEM, metadata, data);
        let len = self.output.bytes().len() - before;
        self.room = self.room.saturating_sub(len);
        self.share = self.share.saturating_sub(len);
        self.spend()
    }

    fn hold(&mut self, payload: Payload) -> Pushed {
        *self.outgoing = Some(Outgoing::item(self.key, self.stream_id, payload));
        self.spend()
    }

    fn spend(&mut self) -> Pushed {
        let spent = self.credit.take();
        debug_assert!(spent, "place() saw credit");
        self.written += 1;
        Pushed::Taken
    }
}

enum Place {
    Here,
    Held,
    Nowhere(Pushed),
}
