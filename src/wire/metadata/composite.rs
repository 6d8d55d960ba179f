//! Composite metadata: entries of a MIME type and content, one after another (conformance 5.1).
//!
//! ```text
//!   1xxxxxxx       content behind u24     the MIME type with id x
//!   0xxxxxxx name  content behind u24     a MIME type of x + 1 bytes (R-COMP-4)
//! ```
//!
//! Entries follow each other to the end: neither a count nor a terminator. A reader that stops
//! early has not seen whether the tail is sound; one that looks for authentication goes on to the
//! end (R-COMP-8), and bounds how many entries it takes (R-LIM-19).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::{MetadataError, Mime};

const WHAT: &str = "composite metadata";
const LEN_MAX: usize = 0xFF_FFFF;

/// One entry. Order is kept and duplicates are all presented (R-COMP-5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// What the content is.
    pub mime: Mime,
    /// The content.
    pub content: Bytes,
}

/// The entries of composite metadata, decoded as they are asked for; ends after an error.
#[derive(Clone, Debug)]
pub struct Entries {
    rest: Bytes,
}

impl Entries {
    /// The entries of this metadata field; empty metadata has none (R-COMP-1).
    #[must_use]
    pub const fn new(metadata: Bytes) -> Self {
        Self { rest: metadata }
    }

    fn take(&mut self) -> Result<Entry, MetadataError> {
        let mime = Mime::decode(&mut self.rest).map_err(|_| MetadataError::Overrun(WHAT))?;
        if self.rest.len() < 3 {
            return Err(MetadataError::Overrun(WHAT));
        }
        let len = usize::try_from(self.rest.get_uint(3)).unwrap_or(usize::MAX);
        if len > self.rest.len() {
            return Err(MetadataError::Overrun(WHAT));
        }
        Ok(Entry { mime, content: self.rest.split_to(len) })
    }
}

impl Iterator for Entries {
    type Item = Result<Entry, MetadataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let entry = self.take();
        if entry.is_err() {
            self.rest = Bytes::new();
        }
        Some(entry)
    }
}

/// Puts composite metadata together.
#[derive(Clone, Debug, Default)]
pub struct CompositeBuilder {
    out: BytesMut,
}

impl CompositeBuilder {
    /// Appends an entry.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`] for a MIME string above 128 bytes or content above 16,777,215.
    pub fn entry(mut self, mime: &Mime, content: &[u8]) -> Result<Self, MetadataError> {
        if content.len() > LEN_MAX {
            return Err(MetadataError::TooLong { what: "composite entry", max: LEN_MAX });
        }
        mime.encode(&mut self.out)?;
        self.out.put_uint(content.len() as u64, 3);
        self.out.extend_from_slice(content);
        Ok(self)
    }

    /// The metadata field.
    #[must_use]
    pub fn build(self) -> Bytes {
        self.out.freeze()
    }
}
