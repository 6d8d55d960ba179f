//! The metadata of requests: composite, with routing first.

use bytes::{Bytes, BytesMut};

use crate::wire::{Auth, CompositeBuilder, MetadataError, Mime, Tags};

/// Composite metadata, built entry by entry (conformance 5.1). What cannot be encoded is never cut;
/// [`finish`](Self::finish) tells.
#[derive(Clone, Debug)]
pub struct Metadata {
    built: Result<CompositeBuilder, MetadataError>,
}

impl Default for Metadata {
    fn default() -> Self {
        Self { built: Ok(CompositeBuilder::default()) }
    }
}

impl Metadata {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The route of the request: at most 255 bytes (R-RTE-4).
    #[must_use]
    pub fn route(self, route: &str) -> Self {
        self.encode(&Mime::ROUTING, |out| Tags::encode(route, out))
    }

    /// A bearer token (R-AUTH-2).
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        self.encode(&Mime::AUTHENTICATION, |out| Auth::Bearer(token.to_owned()).encode(out))
    }

    /// The MIME type of this request's data, instead of SETUP's: 1 to 128 bytes.
    #[must_use]
    pub fn data_mime(self, mime: &str) -> Self {
        self.encode(&Mime::MIME_TYPE, |out| Mime::from_name(mime.as_bytes()).encode(out))
    }

    /// Any other entry: a MIME type of 1 to 128 bytes, and its content.
    #[must_use]
    pub fn entry(self, mime: &str, content: &[u8]) -> Self {
        let mime = Mime::from_name(mime.as_bytes());
        Self { built: self.built.and_then(|built| built.entry(&mime, content)) }
    }

    /// The encoded entries.
    ///
    /// # Errors
    /// The first entry that cannot be encoded: something is longer than its length field can say.
    pub fn finish(self) -> Result<Bytes, MetadataError> {
        self.built.map(CompositeBuilder::build)
    }

    fn encode(
        self,
        mime: &Mime,
        content: impl FnOnce(&mut BytesMut) -> Result<(), MetadataError>,
    ) -> Self {
        let built = self.built.and_then(|built| {
            let mut entry = BytesMut::new();
            content(&mut entry)?;
            built.entry(mime, &entry)
        });
        Self { built }
    }
}
