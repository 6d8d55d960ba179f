//! Authentication metadata (conformance 5.4). `Debug` shows no secret (R-AUTH-4).
//!
//! ```text
//!   0x80                     simple: user name behind u16, password to the end
//!   0x81                     bearer: token to the end
//!   1xxxxxxx                 another well-known type, its content to the end
//!   0xxxxxxx name            a type of x + 1 bytes, its content to the end
//! ```

use std::fmt;

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::MetadataError;
use super::mime::put_name;

const KNOWN: u8 = 0x80;
const SIMPLE: u8 = 0x00;
const BEARER: u8 = 0x01;
const WHAT: &str = "authentication metadata";

/// What a client proves itself with.
#[derive(Clone, PartialEq, Eq)]
pub enum Auth {
    /// User name and password; either may be empty (R-AUTH-1).
    Simple {
        /// At most 65,535 bytes.
        username: String,
        /// The rest.
        password: String,
    },
    /// A token (R-AUTH-2).
    Bearer(String),
    /// An id without a meaning here.
    WellKnown(u8, Bytes),
    /// A type of someone's own (R-AUTH-5).
    Custom(Bytes, Bytes),
}

impl Auth {
    /// Decodes one authentication entry.
    ///
    /// # Errors
    /// [`MetadataError`] when it is cut short, empty, or its text is not UTF-8.
    pub fn decode(mut entry: Bytes) -> Result<Self, MetadataError> {
        let first = entry.try_get_u8().map_err(|_| MetadataError::Empty(WHAT))?;
        match first ^ KNOWN {
            SIMPLE => {
                let len = entry.try_get_u16().map_err(|_| MetadataError::Overrun(WHAT))?;
                let username = text(&take(&mut entry, len.into())?)?;
                Ok(Self::Simple { username, password: text(&entry)? })
            }
            BEARER => Ok(Self::Bearer(text(&entry)?)),
            id if id < KNOWN => Ok(Self::WellKnown(id, entry)),
            _ => {
                let name = take(&mut entry, usize::from(first) + 1)?;
                Ok(Self::Custom(name, entry))
            }
        }
    }

    /// Appends the entry's content.
    ///
    /// # Errors
    /// [`MetadataError::TooLong`] for a user name above 65,535 bytes or a type name above 128.
    pub fn encode(&self, out: &mut BytesMut) -> Result<(), MetadataError> {
        match self {
            Self::Simple { username, password } => {
                let len = u16::try_from(username.len()).map_err(|_| MetadataError::TooLong {
                    what: "user name",
                    max: usize::from(u16::MAX),
                })?;
                out.put_u8(KNOWN | SIMPLE);
                out.put_u16(len);
                out.extend_from_slice(username.as_bytes());
                out.extend_from_slice(password.as_bytes());
            }
            Self::Bearer(token) => {
                out.put_u8(KNOWN | BEARER);
                out.extend_from_slice(token.as_bytes());
            }
            Self::WellKnown(id, payload) => {
                out.put_u8(KNOWN | id);
                out.extend_from_slice(payload);
            }
            Self::Custom(name, payload) => {
                put_name(out, name, "authentication type")?;
                out.extend_from_slice(payload);
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Simple { username, .. } => write!(f, "Simple({username}, …)"),
            Self::Bearer(_) => f.write_str("Bearer(…)"),
            Self::WellKnown(id, _) => write!(f, "WellKnown(0x{id:02x}, …)"),
            Self::Custom(name, _) => write!(f, "Custom({}, …)", String::from_utf8_lossy(name)),
        }
    }
}

fn take(rest: &mut Bytes, len: usize) -> Result<Bytes, MetadataError> {
    if len > rest.len() {
        return Err(MetadataError::Overrun(WHAT));
    }
    Ok(rest.split_to(len))
}

fn text(bytes: &[u8]) -> Result<String, MetadataError> {
    let text = std::str::from_utf8(bytes).map_err(|_| MetadataError::NotUtf8(WHAT))?;
    Ok(text.to_owned())
}
