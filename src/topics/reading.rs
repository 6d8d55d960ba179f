//! An answer that readers share, with its encodings.

use std::sync::{Arc, OnceLock};

use bytes::Bytes;

use crate::engine::{TallyItem, TopN};

/// A place for one encoding of an answer. The route decides which media type has which place; two
/// encoders must not share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Media(usize);

impl Media {
    /// How many encodings of one answer are kept.
    pub const COUNT: usize = 4;

    /// The place with this number.
    ///
    /// # Panics
    /// If `place` is not below [`Media::COUNT`]; meant for constants.
    #[must_use]
    pub const fn new(place: usize) -> Self {
        assert!(place < Self::COUNT, "an answer has Media::COUNT places for encodings");
        Self(place)
    }
}

/// One answer of a view, computed once and shared by every reader with the same question.
#[derive(Debug)]
pub struct Reading {
    item: TallyItem,
    encoded: [OnceLock<Bytes>; Media::COUNT],
}

impl Reading {
    pub(super) fn new(item: TallyItem) -> Self {
        Self { item, encoded: Default::default() }
    }

    /// What the view answered.
    #[must_use]
    pub fn item(&self) -> &TallyItem {
        &self.item
    }

    /// The encoding in this place; `encode` runs once, readers that come meanwhile wait for it.
    pub(super) fn encoded(&self, media: Media, encode: impl FnOnce(&TallyItem) -> Bytes) -> &Bytes {
        self.encoded[media.0].get_or_init(|| encode(&self.item))
    }
}

/// The answers that end at the newest closed window, by canonical cursor and top N.
///
/// Readers that keep up all ask the same; those that lag fall into a few groups. Every answer of
/// one window is kept (at most one per top N), and [`Shared::SPANS_MAX`] longer ones; further
/// ones are computed for their reader alone.
#[derive(Debug, Default)]
pub(super) struct Shared {
    answers: Vec<(u64, TopN, Arc<Reading>)>,
    spans: usize,
}

impl Shared {
    const SPANS_MAX: usize = 28;

    pub(super) fn find(&self, cursor: u64, top: TopN) -> Option<&Arc<Reading>> {
        let mut answers = self.answers.iter();
        answers.find(|held| (held.0, held.1) == (cursor, top)).map(|held| &held.2)
    }

    pub(super) fn keep(&mut self, cursor: u64, top: TopN, reading: &Arc<Reading>) {
        let spans = self.spans + usize::from(reading.item.windows > 1);
        if spans <= Self::SPANS_MAX {
            self.spans = spans;
            self.answers.push((cursor, top, Arc::clone(reading)));
        }
    }

    /// Forget them all: a window closed, or nobody reads.
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}
