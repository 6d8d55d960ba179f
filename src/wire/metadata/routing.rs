//! Routing metadata: tags, the first of which is the route (conformance 5.3).
//!
//! Each tag is UTF-8 behind a plain u8 length in bytes, to the end of the entry; how many are taken
//! is the reader's bound (R-LIM-19).

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MetadataError;

const WHAT: &str = "routing metadata";

/// The tags of routing metadata, decoded as they are asked for; ends after an error. An empty tag
/// is legal, and metadata without tags stands for the empty route (R-RTE-2).
#[derive(Clone, Debug)]
pub struct Tags {
    rest: Bytes,
}

impl Tags {
    /// The tags of a routing entry, or of a whole metadata field (R-RTE-5).
    #[must_use]
    pub const fn new(routing: Bytes) -> Self {
        Self { rest: routing }
    }

    /// Appends one tag.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`] above 255 bytes; a tag is never cut (R-RTE-4).
    pub fn encode(tag: &str, out: &mut BytesMut) -> Result<(), MetadataError> {
        let len = u8::try_from(tag.len())
            .map_err(|_| MetadataError::TooLong { what: "route", max: 255 })?;
        out.put_u8(len);
        out.extend_from_slice(tag.as_bytes());
        Ok(())
    }

    fn take(&mut self) -> Result<Tag, MetadataError> {
        let len = usize::from(self.rest.get_u8());
        if len > self.rest.len() {
            return Err(MetadataError::Overrun(WHAT));
        }
        Tag::new(self.rest.split_to(len))
    }
}

impl Iterator for Tags {
    type Item = Result<Tag, MetadataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() {
            return None;
        }
        let tag = self.take();
        if tag.is_err() {
            self.rest = Bytes::new();
        }
        Some(tag)
    }
}

/// One tag: UTF-8 of at most 255 bytes, a slice of the metadata that it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tag(Bytes);

impl Tag {
    fn new(bytes: Bytes) -> Result<Self, MetadataError> {
        match std::str::from_utf8(&bytes) {
            Ok(_) => Ok(Self(bytes)),
            Err(_) => Err(MetadataError::NotUtf8(WHAT)),
        }
    }

    /// The tag as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}
