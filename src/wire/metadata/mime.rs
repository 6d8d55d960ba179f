//! MIME types as metadata writes them: a well-known id or a string (conformance 5.2, 5.5).

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MetadataError;

const KNOWN: u8 = 0x80;
const WHAT: &str = "MIME type";

/// Names of the ids 0x00 to 0x2A.
const LOW: [&str; 0x2B] = [
    "application/avro",
    "application/cbor",
    "application/graphql",
    "application/gzip",
    "application/javascript",
    "application/json",
    "application/octet-stream",
    "application/pdf",
    "application/vnd.apache.thrift.binary",
    "application/vnd.google.protobuf",
    "application/xml",
    "application/zip",
    "audio/aac",
    "audio/mp3",
    "audio/mp4",
    "audio/mpeg3",
    "audio/mpeg",
    "audio/ogg",
    "audio/opus",
    "audio/vorbis",
    "image/bmp",
    "image/gif",
    "image/heic-sequence",
    "image/heic",
    "image/heif-sequence",
    "image/heif",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "multipart/mixed",
    "text/css",
    "text/csv",
    "text/html",
    "text/plain",
    "text/xml",
    "video/H264",
    "video/H265",
    "video/VP8",
    "application/x-hessian",
    "application/x-java-object",
    "application/cloudevents+json",
    "application/x-capnp",
    "application/x-flatbuffers",
];

/// The first of the ids that are counted from the end.
const HIGH_FIRST: u8 = 0x7A;

/// Names of the ids 0x7A to 0x7F.
const HIGH: [&str; 6] = [
    "message/x.rsocket.mime-type.v0",
    "message/x.rsocket.accept-mime-types.v0",
    "message/x.rsocket.authentication.v0",
    "message/x.rsocket.tracing-zipkin.v0",
    "message/x.rsocket.routing.v0",
    "message/x.rsocket.composite-metadata.v0",
];

/// Ids that other implementations know; capnp and flatbuffers go as strings (R-COMP-7).
const LAST_SENT_AS_ID: u8 = 0x28;

/// A MIME type: an id of the table, or a string. A string that names a well-known type is read as
/// its id (R-COMP-7).
#[derive(Clone, PartialEq, Eq)]
pub enum Mime {
    /// 0 to 127; ids without a name are kept for pass-through (R-COMP-6).
    WellKnown(u8),
    /// 1 to 128 bytes, opaque (R-COMP-10).
    Custom(Bytes),
}

impl Mime {
    /// `application/json`.
    pub const JSON: Self = Self::WellKnown(0x05);
    /// `application/octet-stream`.
    pub const OCTET_STREAM: Self = Self::WellKnown(0x06);
    /// `text/plain`.
    pub const TEXT: Self = Self::WellKnown(0x21);
    /// `message/x.rsocket.mime-type.v0`: the data MIME type of one stream.
    pub const MIME_TYPE: Self = Self::WellKnown(0x7A);
    /// `message/x.rsocket.accept-mime-types.v0`.
    pub const ACCEPT_MIME_TYPES: Self = Self::WellKnown(0x7B);
    /// `message/x.rsocket.authentication.v0`.
    pub const AUTHENTICATION: Self = Self::WellKnown(0x7C);
    /// `message/x.rsocket.tracing-zipkin.v0`.
    pub const TRACING: Self = Self::WellKnown(0x7D);
    /// `message/x.rsocket.routing.v0`.
    pub const ROUTING: Self = Self::WellKnown(0x7E);
    /// `message/x.rsocket.composite-metadata.v0`.
    pub const COMPOSITE: Self = Self::WellKnown(0x7F);

    /// The type with this name; names compare without regard to case (R-WKM-1).
    #[must_use]
    pub fn from_name(name: &[u8]) -> Self {
        known_id(name).map_or_else(|| Self::Custom(Bytes::copy_from_slice(name)), Self::WellKnown)
    }

    /// Its name; `None` for an id without one.
    #[must_use]
    pub fn name(&self) -> Option<&[u8]> {
        match self {
            Self::Custom(name) => Some(name),
            Self::WellKnown(id) => known_name(*id).map(str::as_bytes),
        }
    }

    /// Takes one type item off the front: `1xxxxxxx`, or a length less one and a string
    /// (R-COMP-2, R-COMP-4).
    ///
    /// # Errors
    /// [`MetadataError::Overrun`] when it is cut short, [`MetadataError::Empty`] when nothing is
    /// left.
    pub fn decode(rest: &mut Bytes) -> Result<Self, MetadataError> {
        let first = rest.try_get_u8().map_err(|_| MetadataError::Empty(WHAT))?;
        if first & KNOWN != 0 {
            return Ok(Self::WellKnown(first & !KNOWN));
        }
        let len = usize::from(first) + 1;
        if len > rest.len() {
            return Err(MetadataError::Overrun(WHAT));
        }
        let name = rest.split_to(len);
        Ok(known_id(&name).map_or(Self::Custom(name), Self::WellKnown))
    }

    /// Takes every type item (`accept-mime-types`), in order of preference.
    ///
    /// # Errors
    /// As [`Mime::decode`]; also [`MetadataError::TooLong`] beyond `max` items (R-LIM-19).
    pub fn decode_all(mut rest: Bytes, max: usize) -> Result<Vec<Self>, MetadataError> {
        let mut types = Vec::new();
        while !rest.is_empty() {
            if types.len() == max {
                return Err(MetadataError::TooLong { what: "list of MIME types", max });
            }
            types.push(Self::decode(&mut rest)?);
        }
        Ok(types)
    }

    /// Appends one type item.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`] above 128 bytes, [`MetadataError::Empty`] for an empty string.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), MetadataError> {
        let name = match self {
            Self::WellKnown(id) if *id <= LAST_SENT_AS_ID || *id >= HIGH_FIRST => {
                out.put_u8(KNOWN | id);
                return Ok(());
            }
            Self::WellKnown(id) => match known_name(*id) {
                Some(name) => name.as_bytes(),
                None => {
                    out.put_u8(KNOWN | id);
                    return Ok(());
                }
            },
            Self::Custom(name) => name,
        };
        put_name(out, name, WHAT)
    }
}

/// A string of 1 to 128 bytes behind its length less one (R-COMP-4, R-AUTH-5).
pub(super) fn put_name(
    out: &mut BytesMut,
    name: &[u8],
    what: &'static str,
) -> Result<(), MetadataError> {
    let less_one = name.len().checked_sub(1).ok_or(MetadataError::Empty(what))?;
    match u8::try_from(less_one) {
        Ok(len) if len < KNOWN => {
            out.put_u8(len);
            out.extend_from_slice(name);
            Ok(())
        }
        Ok(_) | Err(_) => Err(MetadataError::TooLong { what, max: 128 }),
    }
}

fn known_id(name: &[u8]) -> Option<u8> {
    let named = |known: &str| known.as_bytes().eq_ignore_ascii_case(name);
    let low = (0..).zip(&LOW).find(|(_, known)| named(known));
    let high = || (HIGH_FIRST..).zip(&HIGH).find(|(_, known)| named(known));
    low.or_else(high).map(|(id, _)| id)
}

fn known_name(id: u8) -> Option<&'static str> {
    let low = LOW.get(usize::from(id));
    let high = || HIGH.get(usize::from(id.checked_sub(HIGH_FIRST)?));
    low.or_else(high).copied()
}

impl fmt::Display for Mime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.name(), self) {
            (Some(name), _) => f.write_str(&String::from_utf8_lossy(name)),
            (None, Self::WellKnown(id)) => write!(f, "MIME type id 0x{id:02x}"),
            (None, Self::Custom(_)) => Ok(()),
        }
    }
}

impl fmt::Debug for Mime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mime({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_comp_4_a_custom_name_is_a_slice_of_the_metadata() {
        let metadata = Bytes::from_static(b"\x07custom/x");
        let mut rest = metadata.clone();
        let Ok(Mime::Custom(name)) = Mime::decode(&mut rest) else { panic!("not a custom type") };
        assert_eq!(name.as_ptr(), metadata[1..].as_ptr());
        assert!(rest.is_empty());
    }
}
