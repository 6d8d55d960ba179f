//! Media types of data, and messages in them.

use std::fmt::Display;
use std::sync::Arc;

use bytes::Bytes;
use rmp_serde::decode::ReadReader;
use serde::{Deserialize, Serialize};
use serde_path_to_error::Path;

use super::RouteError;
use crate::wire::Mime;

/// What the data of a request is, by SETUP's data MIME type or the request's own (R-MIME-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaType {
    /// `application/msgpack` (also `application/x-msgpack`, `application/vnd.msgpack`), structs as
    /// maps with named fields.
    MessagePack,
    /// `application/json`.
    Json,
    /// Bytes that only the route knows how to read: `application/octet-stream`,
    /// `application/binary`, `text/plain`.
    Raw(&'static str),
    /// Any other; SETUP accepts it (R-SETUP-6), typed routes do not.
    Other(Arc<str>),
}

/// The two ways in which a message can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// MessagePack, named fields.
    MessagePack,
    /// JSON.
    Json,
}

impl MediaType {
    /// Reads a MIME type, whatever its case and parameters (R-WKM-1).
    #[must_use]
    pub fn new(mime: &str) -> Self {
        let essence = mime.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        let raw = ["application/octet-stream", "application/binary", "text/plain"];
        let packs = ["application/msgpack", "application/x-msgpack", "application/vnd.msgpack"];
        if packs.into_iter().any(is) {
            Self::MessagePack
        } else if is("application/json") {
            Self::Json
        } else if let Some(name) = raw.into_iter().find(|name| is(name)) {
            Self::Raw(name)
        } else {
            Self::Other(mime.into())
        }
    }

    /// Reads the bytes of a SETUP's MIME type, which may be anything (R-SETUP-7).
    #[must_use]
    pub fn from_bytes(mime: &[u8]) -> Self {
        Self::new(&String::from_utf8_lossy(mime))
    }

    /// Reads a type item of the metadata.
    #[must_use]
    pub fn from_mime(mime: &Mime) -> Self {
        Self::new(&mime.to_string())
    }

    /// Its MIME type.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::MessagePack => "application/msgpack",
            Self::Json => "application/json",
            Self::Raw(name) => name,
            Self::Other(name) => name,
        }
    }

    /// How a typed route reads and writes it.
    ///
    /// # Errors
    /// [`RouteError::Type`] for a type that is neither MessagePack nor JSON.
    pub fn typed(&self) -> Result<Encoding, RouteError> {
        match self {
            Self::MessagePack => Ok(Encoding::MessagePack),
            Self::Json => Ok(Encoding::Json),
            Self::Raw(_) | Self::Other(_) => Err(RouteError::Type { found: self.name().into() }),
        }
    }

    /// How SETUP data is read: as JSON unless it is MessagePack.
    #[must_use]
    pub const fn identity_encoding(&self) -> Encoding {
        match self {
            Self::MessagePack => Encoding::MessagePack,
            Self::Json | Self::Raw(_) | Self::Other(_) => Encoding::Json,
        }
    }

    /// As [`MediaType::typed`], with JSON where the type is raw: the debug routes.
    ///
    /// # Errors
    /// [`RouteError::Type`] for a type that is none of these.
    pub fn typed_or_json(&self) -> Result<Encoding, RouteError> {
        match self {
            Self::Raw(_) => Ok(Encoding::Json),
            Self::MessagePack | Self::Json | Self::Other(_) => self.typed(),
        }
    }
}

impl Encoding {
    /// Its name, as people say it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::MessagePack => "MessagePack",
            Self::Json => "JSON",
        }
    }

    /// Decodes a message that must fill `data`.
    ///
    /// # Errors
    /// [`RouteError::Data`] with the field at fault and what was expected.
    pub fn decode<'de, T: Deserialize<'de>>(self, data: &'de [u8]) -> Result<T, RouteError> {
        match self {
            Self::MessagePack => decode_msgpack(data),
            Self::Json => serde_json::from_slice(data).map_err(|_| explain_json::<T>(data)),
        }
    }

    /// Encodes a message.
    ///
    /// # Errors
    /// [`RouteError::Failed`] for a value that the encoding cannot write: a bug of the route.
    pub fn encode<T: Serialize>(self, message: &T) -> Result<Bytes, RouteError> {
        let encoded = match self {
            Self::MessagePack => {
                rmp_serde::to_vec_named(message).map_err(|error| error.to_string())
            }
            Self::Json => serde_json::to_vec(message).map_err(|error| error.to_string()),
        };
        encoded.map(Bytes::from).map_err(|error| {
            tracing::error!(error, "a message cannot be encoded");
            RouteError::Failed("the answer could not be written".into())
        })
    }
}

/// Deeper nesting than any message has, shallow enough for the stack.
const DEPTH_MAX: usize = 64;

fn msgpack(data: &[u8]) -> rmp_serde::Deserializer<ReadReader<&[u8]>> {
    let mut reader = rmp_serde::Deserializer::new(data);
    reader.set_max_depth(DEPTH_MAX);
    reader
}

fn decode_msgpack<'de, T: Deserialize<'de>>(data: &'de [u8]) -> Result<T, RouteError> {
    let mut reader = msgpack(data);
    let Ok(message) = T::deserialize(&mut reader) else {
        let path = serde_path_to_error::deserialize::<_, T>(&mut msgpack(data));
        return Err(path.map_or_else(
            |error| explain(Encoding::MessagePack, error.path(), error.inner()),
            |_| RouteError::Data("not the MessagePack that this route takes".into()),
        ));
    };
    if reader.into_inner().is_empty() {
        Ok(message)
    } else {
        Err(RouteError::Data("bytes follow the MessagePack message".into()))
    }
}

fn explain_json<'de, T: Deserialize<'de>>(data: &'de [u8]) -> RouteError {
    let mut reader = serde_json::Deserializer::from_slice(data);
    match serde_path_to_error::deserialize::<_, T>(&mut reader) {
        Err(error) => explain(Encoding::Json, error.path(), error.inner()),
        Ok(_) => RouteError::Data("text follows the JSON message".into()),
    }
}

/// The longest reason that a decoder gives, characters: it may quote the client's own text.
const REASON_MAX: usize = 160;

fn explain(encoding: Encoding, path: &Path, reason: &impl Display) -> RouteError {
    let clean = |text: String| -> String {
        let printable =
            |character: char| if character.is_control() { '\u{FFFD}' } else { character };
        text.chars().take(REASON_MAX).map(printable).collect()
    };
    let (encoding, reason) = (encoding.name(), clean(reason.to_string()));
    if path.iter().next().is_none() {
        return RouteError::Data(format!("{encoding}: {reason}").into());
    }
    RouteError::Data(format!("{encoding} field {}: {reason}", clean(path.to_string())).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Message {
        name: String,
        count: u32,
    }

    #[test]
    fn r_wkm_1_types_are_read_whatever_their_case() {
        for name in ["application/msgpack", "application/x-msgpack", "Application/VND.msgpack"] {
            assert_eq!(MediaType::new(name), MediaType::MessagePack);
        }
        assert_eq!(MediaType::new("application/json; charset=utf-8"), MediaType::Json);
        assert_eq!(MediaType::new("TEXT/plain"), MediaType::Raw("text/plain"));
        assert_eq!(MediaType::new(""), MediaType::Other("".into()));
        assert_eq!(MediaType::from_bytes(b"\xFF").name(), "\u{FFFD}");
    }

    #[test]
    fn r_mime_3_a_typed_route_refuses_other_types_by_name() {
        let error = MediaType::new("application/cbor").typed().unwrap_err();
        let text = "this route takes application/msgpack or application/json, \
                    not 'application/cbor'";
        assert_eq!(error.message(), text);
        assert!(MediaType::new("text/plain").typed().is_err());
        assert_eq!(MediaType::new("text/plain").typed_or_json(), Ok(Encoding::Json));
        assert!(MediaType::new("application/cbor").typed_or_json().is_err());
    }

    #[test]
    fn both_encodings_carry_a_message_with_named_fields() {
        let message = Message { name: "ü".into(), count: 70_000 };
        for encoding in [Encoding::MessagePack, Encoding::Json] {
            let data = encoding.encode(&message).unwrap();
            assert_eq!(encoding.decode::<Message>(&data).unwrap(), message);
        }
        // Taken from the MessagePack specification, not from our encoder.
        let hex = b"\x82\xA4name\xA1x\xA5count\x05";
        let message = Message { name: "x".into(), count: 5 };
        assert_eq!(Encoding::MessagePack.encode(&message).unwrap(), hex.as_slice());
        assert_eq!(Encoding::MessagePack.decode::<Message>(hex).unwrap(), message);
    }

    #[test]
    fn bad_data_names_the_field_and_what_was_expected() {
        let reason = |encoding: Encoding, data: &[u8]| {
            encoding.decode::<Message>(data).unwrap_err().message().into_owned()
        };
        let text = reason(Encoding::Json, br#"{"name":"x","count":"five"}"#);
        assert!(text.starts_with("bad data: JSON field count: invalid type: string"), "{text}");
        assert!(text.contains("expected u32"), "{text}");
        let text = reason(Encoding::MessagePack, b"\x82\xA4name\xA1x\xA5count\xA1y");
        assert!(text.starts_with("bad data: MessagePack field count: "), "{text}");
        let text = reason(Encoding::Json, br#"{"name":"x"}"#);
        assert!(text.contains("missing field `count`"), "{text}");
        let text = reason(Encoding::Json, b"");
        assert!(text.starts_with("bad data: JSON: EOF"), "{text}");
        let text = reason(Encoding::Json, br#"{"name":"x","count":1} {}"#);
        assert_eq!(text, "bad data: text follows the JSON message");
        let text = reason(Encoding::MessagePack, b"\x82\xA4name\xA1x\xA5count\x05\x05");
        assert_eq!(text, "bad data: bytes follow the MessagePack message");
    }

    #[test]
    fn a_reason_is_short_and_printable_whatever_the_client_sent() {
        let name = format!("\\u0007{}", "x".repeat(100_000));
        let data = format!(r#"{{"name":"x","count":"{name}"}}"#);
        let text = Encoding::Json.decode::<Message>(data.as_bytes()).unwrap_err().message();
        assert!(text.chars().count() < 250, "{text}");
        assert!(!text.contains('\u{7}'));
        let deep = vec![0x91; 100_000];
        assert!(Encoding::MessagePack.decode::<serde::de::IgnoredAny>(&deep).is_err());
        assert!(Encoding::Json.decode::<serde::de::IgnoredAny>(&vec![b'['; 100_000]).is_err());
    }
}
