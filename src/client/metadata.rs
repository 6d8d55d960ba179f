//! The metadata of requests: composite, with routing first.

use bytes::{BufMut, Bytes, BytesMut};

pub(super) const COMPOSITE: &str = "message/x.rsocket.composite-metadata.v0";

const MIME_TYPE: u8 = 0x7A;
const AUTHENTICATION: u8 = 0x7C;
const ROUTING: u8 = 0x7E;
const BEARER: u8 = 0x01;
/// Tells a well-known id from the length of a name.
const WELL_KNOWN: u8 = 0x80;

/// Composite metadata, built entry by entry (conformance 5.1).
#[derive(Clone, Debug, Default)]
pub struct Metadata {
    bytes: BytesMut,
}

impl Metadata {
    /// No entries.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The route of the request; at most its first 255 bytes are sent.
    #[must_use]
    pub fn route(self, route: &str) -> Self {
        let tag = name(route, 255);
        let mut entry = BytesMut::with_capacity(tag.len() + 1);
        entry.put_u8(u8::try_from(tag.len()).unwrap_or(u8::MAX));
        entry.put_slice(tag);
        self.well_known(ROUTING, &entry)
    }

    /// A bearer token.
    #[must_use]
    pub fn bearer(self, token: &str) -> Self {
        let mut entry = BytesMut::with_capacity(token.len() + 1);
        entry.put_u8(WELL_KNOWN | BEARER);
        entry.put_slice(token.as_bytes());
        self.well_known(AUTHENTICATION, &entry)
    }

    /// The MIME type of this request's data, instead of SETUP's; at most 128 bytes.
    #[must_use]
    pub fn data_mime(self, mime: &str) -> Self {
        let mime = name(mime, 128);
        let mut entry = BytesMut::with_capacity(mime.len() + 1);
        put_name(&mut entry, mime);
        self.well_known(MIME_TYPE, &entry)
    }

    /// Any other entry under its MIME type of 1 to 128 bytes.
    #[must_use]
    pub fn entry(mut self, mime: &str, content: &[u8]) -> Self {
        put_name(&mut self.bytes, name(mime, 128));
        self.put_content(content);
        self
    }

    /// The encoded entries.
    #[must_use]
    pub fn finish(self) -> Bytes {
        self.bytes.freeze()
    }

    fn well_known(mut self, id: u8, content: &[u8]) -> Self {
        self.bytes.put_u8(WELL_KNOWN | id);
        self.put_content(content);
        self
    }

    /// A 24-bit length, then the content.
    fn put_content(&mut self, content: &[u8]) {
        let content = content.get(..0xFF_FFFF).unwrap_or(content);
        self.bytes.put_uint(content.len() as u64, 3);
        self.bytes.put_slice(content);
    }
}

/// A name of 1 to 128 ASCII bytes, its length less one before it.
fn put_name(out: &mut BytesMut, name: &[u8]) {
    out.put_u8(u8::try_from(name.len().saturating_sub(1)).unwrap_or(0));
    out.put_slice(name);
}

fn name(text: &str, max: usize) -> &[u8] {
    text.as_bytes().get(..max).unwrap_or(text.as_bytes())
}
