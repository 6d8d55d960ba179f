//! Data as people type and read it: JSON, whatever the media type on the wire.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use serde::Serialize;

/// What a MIME type says about the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    Json,
    MessagePack,
    Raw,
}

impl Encoding {
    pub(super) fn of(mime: &str) -> Self {
        let essence = mime.split(';').next().unwrap_or(mime).trim().to_ascii_lowercase();
        match essence.as_str() {
            "application/json" => Self::Json,
            "application/msgpack" | "application/x-msgpack" | "application/vnd.msgpack" => {
                Self::MessagePack
            }
            _ if essence.ends_with("+json") => Self::Json,
            _ => Self::Raw,
        }
    }

    /// A message of ours; JSON where the type is raw.
    pub(super) fn encode(self, message: &impl Serialize) -> Bytes {
        let encoded = match self {
            Self::Json | Self::Raw => serde_json::to_vec(message).ok(),
            Self::MessagePack => rmp_serde::to_vec_named(message).ok(),
        };
        encoded.unwrap_or_default().into()
    }

    /// What was typed as the bytes to send: checked when it must be JSON, converted for
    /// MessagePack, as it is for any other type. The error is the reason why it is not JSON.
    pub(super) fn parse(self, text: &[u8]) -> Result<Bytes, String> {
        match self {
            Self::Raw => Ok(Bytes::copy_from_slice(text)),
            Self::Json => {
                let text = text.trim_ascii();
                transcode_json(text, &mut serde_json::Serializer::new(std::io::sink()))?;
                Ok(Bytes::copy_from_slice(text))
            }
            Self::MessagePack => {
                let mut out = Vec::new();
                transcode_json(text, &mut rmp_serde::Serializer::new(&mut out))?;
                Ok(out.into())
            }
        }
    }

    /// One item as text, without a line's end. JSON and MessagePack become JSON, on one line unless
    /// `pretty`. What is not what its type says, and any other type, is shown as text; as a JSON
    /// string if it has control characters, which could break the line or the terminal; as
    /// `base64:…` if it is no text.
    pub(super) fn print(self, data: &[u8], pretty: bool) -> Vec<u8> {
        let json = match self {
            Self::Json => reprint_json(data, pretty),
            Self::MessagePack => print_message_pack(data, pretty),
            Self::Raw => None,
        };
        json.map_or_else(|| print_raw(data), escape_c1)
    }
}

fn transcode_json<S>(text: &[u8], out: S) -> Result<(), String>
where
    S: serde::Serializer,
    S::Error: std::fmt::Display,
{
    let mut from = serde_json::Deserializer::from_slice(text);
    serde_transcode::transcode(&mut from, out).map_err(|error| error.to_string())?;
    from.end().map_err(|error| error.to_string())
}

fn reprint_json(data: &[u8], pretty: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len());
    let printed = if pretty {
        transcode_json(data, &mut serde_json::Serializer::pretty(&mut out))
    } else {
        transcode_json(data, &mut serde_json::Serializer::new(&mut out))
    };
    printed.ok().map(|()| out)
}

fn print_message_pack(data: &[u8], pretty: bool) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(data.len() * 2);
    let mut from = rmp_serde::Deserializer::new(data);
    let printed = if pretty {
        serde_transcode::transcode(&mut from, &mut serde_json::Serializer::pretty(&mut out))
    } else {
        serde_transcode::transcode(&mut from, &mut serde_json::Serializer::new(&mut out))
    };
    let whole = printed.is_ok() && from.get_ref().is_empty();
    whole.then_some(out)
}

/// JSON lets DEL and the C1 controls pass inside strings, where some terminals obey them.
fn escape_c1(json: Vec<u8>) -> Vec<u8> {
    let text = match String::from_utf8(json) {
        Ok(text) if text.contains(|it| matches!(it, '\u{7f}'..='\u{9f}')) => text,
        Ok(text) => return text.into_bytes(),
        Err(error) => return error.into_bytes(),
    };
    let mut out = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\u{7f}'..='\u{9f}' => escape(&mut out, character),
            other => out.push(other),
        }
    }
    out.into_bytes()
}

fn escape(out: &mut String, character: char) {
    let _ = write!(out, "\\u{:04x}", u32::from(character));
}

fn print_raw(data: &[u8]) -> Vec<u8> {
    match std::str::from_utf8(data) {
        Ok(text) if !text.contains(char::is_control) => data.to_vec(),
        Ok(text) => quote(text).into_bytes(),
        Err(_) => format!("base64:{}", STANDARD.encode(data)).into_bytes(),
    }
}

/// A JSON string in which every control character is escaped, also those that JSON lets pass.
fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            other if other.is_control() => escape(&mut out, other),
            other => out.push(other),
        }
    }
    out.push('"');
    out
}

/// An error's text on one line, safe for a terminal.
pub(super) fn one_line(text: &str) -> String {
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).collect()
}
