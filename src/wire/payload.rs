//! Metadata and data, the unit that applications exchange.

use bytes::{Bytes, BytesMut};

/// One request or item. Absent and empty metadata are different values (R-META-4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Payload {
    /// What the payload is about, in the metadata MIME type of SETUP.
    pub metadata: Option<Bytes>,
    /// The payload itself, in the data MIME type.
    pub data: Bytes,
}

impl Payload {
    /// A payload without metadata.
    pub fn new(data: impl Into<Bytes>) -> Self {
        Self { metadata: None, data: data.into() }
    }

    /// A payload with metadata.
    pub fn with_metadata(metadata: impl Into<Bytes>, data: impl Into<Bytes>) -> Self {
        Self { metadata: Some(metadata.into()), data: data.into() }
    }

    /// Bytes of metadata and data together.
    #[must_use]
    pub fn len(&self) -> usize {
        self.metadata.as_ref().map_or(0, Bytes::len) + self.data.len()
    }

    /// Whether it carries nothing; such a payload is still an item (R-PAY-2).
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy in memory of its own, for a payload that outlives the buffer that it arrived in.
    #[must_use]
    pub fn to_owned_memory(&self) -> Self {
        let mut memory = BytesMut::with_capacity(self.len());
        let metadata = self.metadata.as_ref().map(|metadata| {
            memory.extend_from_slice(metadata);
            memory.split().freeze()
        });
        memory.extend_from_slice(&self.data);
        Self { metadata, data: memory.freeze() }
    }
}
