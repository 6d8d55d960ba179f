//! Error codes of the protocol, and what can be wrong with a frame.

use std::fmt;

use thiserror::Error;

use super::{FrameType, StreamId};

/// The code of an ERROR frame (conformance 2.3). Any u32 is accepted on receipt (R-ERR-10).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ErrorCode(pub u32);

impl ErrorCode {
    /// SETUP malformed or of an unsupported version.
    pub const INVALID_SETUP: Self = Self(0x001);
    /// Some parameter of SETUP is not supported.
    pub const UNSUPPORTED_SETUP: Self = Self(0x002);
    /// SETUP refused by policy.
    pub const REJECTED_SETUP: Self = Self(0x003);
    /// The session cannot be resumed.
    pub const REJECTED_RESUME: Self = Self(0x004);
    /// The connection ends now.
    pub const CONNECTION_ERROR: Self = Self(0x101);
    /// The connection ends when its streams have.
    pub const CONNECTION_CLOSE: Self = Self(0x102);
    /// The handler failed.
    pub const APPLICATION_ERROR: Self = Self(0x201);
    /// Refused, and not processed: safe to retry.
    pub const REJECTED: Self = Self(0x202);
    /// Given up; it may have had effects.
    pub const CANCELED: Self = Self(0x203);
    /// The request itself is wrong.
    pub const INVALID: Self = Self(0x204);

    /// The protocol's name, for the standard codes.
    #[must_use]
    pub const fn name(self) -> Option<&'static str> {
        Some(match self {
            Self::INVALID_SETUP => "INVALID_SETUP",
            Self::UNSUPPORTED_SETUP => "UNSUPPORTED_SETUP",
            Self::REJECTED_SETUP => "REJECTED_SETUP",
            Self::REJECTED_RESUME => "REJECTED_RESUME",
            Self::CONNECTION_ERROR => "CONNECTION_ERROR",
            Self::CONNECTION_CLOSE => "CONNECTION_CLOSE",
            Self::APPLICATION_ERROR => "APPLICATION_ERROR",
            Self::REJECTED => "REJECTED",
            Self::CANCELED => "CANCELED",
            Self::INVALID => "INVALID",
            Self(_) => return None,
        })
    }

    /// Whether it answers SETUP or RESUME, and means nothing later (R-SETUP-16).
    #[must_use]
    pub const fn is_setup(self) -> bool {
        matches!(self.0, 0x001..=0x004)
    }
}

impl fmt::Display for ErrorCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name() {
            Some(name) => f.write_str(name),
            None => write!(f, "0x{:08x}", self.0),
        }
    }
}

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Malformed {
    /// Shorter than its fixed fields (R-HDR-5).
    #[error("too short for its fields")]
    Truncated,
    /// The metadata length passes the end of the frame (R-META-3).
    #[error("metadata length overruns the frame")]
    MetadataOverrun,
    /// A reserved or unassigned type (R-IGN-2).
    #[error("unknown frame type")]
    UnknownType,
    /// EXT with extended type 0 (R-IGN-5).
    #[error("extended type 0")]
    ReservedExtension,
}

/// A frame that could not be decoded, with what its header said: the reaction depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeError {
    /// What is wrong.
    pub kind: Malformed,
    /// Its stream, when the header was there.
    pub stream_id: Option<StreamId>,
    /// Its type, when the header was there.
    pub frame_type: Option<FrameType>,
    /// I was set: the frame may be dropped (R-IGN-1, R-IGN-3).
    pub ignorable: bool,
}

impl fmt::Display for DecodeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.frame_type {
            Some(FrameType::Unknown(code)) => write!(f, "unknown frame type 0x{code:02x}"),
            Some(frame_type) => write!(f, "{}: {}", frame_type.name(), self.kind),
            None => write!(f, "frame: {}", self.kind),
        }
    }
}

impl std::error::Error for DecodeError {}
