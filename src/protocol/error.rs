//! Who is to blame and how far it reaches: a stream, the connection, or our own caller.

use std::borrow::Cow;

use thiserror::Error;

use crate::wire::ErrorCode;

/// Ends one stream; the connection goes on (R-ERR-1).
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{code}: {message}")]
pub struct StreamError {
    /// What the receiver may conclude from it (conformance section 2.3).
    pub code: ErrorCode,
    /// Short text for a developer; truncated to the limit when sent (R-ERR-11).
    pub message: Cow<'static, str>,
}

impl StreamError {
    /// An error with the code and text of the peer or of the caller.
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into() }
    }

    /// The handler failed: retrying may fail again.
    pub fn application(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::APPLICATION_ERROR, message)
    }

    /// Refused before anything ran: safe to retry.
    pub fn rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::REJECTED, message)
    }

    /// Given up after it had begun.
    pub fn canceled(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::CANCELED, message)
    }

    /// The request itself is wrong: do not retry.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(ErrorCode::INVALID, message)
    }
}

/// Why a connection is over.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum Cause {
    /// The transport ended without an ERROR frame: how most clients leave (R-CLOSE-1).
    #[error("the peer closed the connection")]
    PeerClosed,
    /// The peer ended it by an ERROR on stream 0.
    #[error("the peer ended the connection: {code}: {message}")]
    PeerError {
        /// The code it sent.
        code: ErrorCode,
        /// Its message, decoded lossily (R-ERR-8).
        message: String,
    },
    /// The peer broke the protocol and was sent this ERROR on stream 0.
    #[error("protocol violation: {code}: {message}")]
    Violation {
        /// The code that was sent.
        code: ErrorCode,
        /// The message that was sent.
        message: Cow<'static, str>,
    },
    /// A deadline passed: SETUP, acceptor, keepalive or write stall.
    #[error("timed out: {0}")]
    Timeout(Deadline),
    /// This side refused the SETUP.
    #[error("setup refused: {code}: {message}")]
    Refused {
        /// The code that was sent.
        code: ErrorCode,
        /// The message that was sent.
        message: Cow<'static, str>,
    },
    /// This side closed it in good order (R-CLOSE-3), or the peer did by CONNECTION_CLOSE.
    #[error("the connection was closed")]
    Closed,
}

/// A deadline that ends a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum Deadline {
    /// No first frame (R-LIM-8).
    #[error("no SETUP")]
    Setup,
    /// The application did not decide about a SETUP (R-LIM-8).
    #[error("not accepted")]
    Acceptor,
    /// No frame for longer than the lifetime (R-KA-8, R-KA-9).
    #[error("no frame within the lifetime")]
    Keepalive,
    /// The socket took nothing (R-LIM-11).
    #[error("the reader does not read its socket")]
    WriteStall,
}

impl Cause {
    /// What a call that was under way fails with.
    pub(super) fn to_stream_error(&self) -> StreamError {
        match self {
            Self::PeerError { code, message } => StreamError::new(*code, message.clone()),
            Self::PeerClosed
            | Self::Violation { .. }
            | Self::Timeout(_)
            | Self::Refused { .. }
            | Self::Closed => StreamError::new(ErrorCode::CONNECTION_CLOSE, self.to_string()),
        }
    }
}

/// Why [`Connection::request`](super::Connection::request) sent nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum RequestRefused {
    /// No room for it now: ask again when the output has drained.
    #[error("the connection's write budget is used up")]
    Full,
    /// The peer's lease is used up or not there yet: ask again after
    /// [`Event::Lease`](super::Event).
    #[error("no lease: the responder grants no request now")]
    NoLease,
    /// The connection is ending or over.
    #[error("the connection is closed")]
    Closed,
    /// Every stream id is in use, or the table is full.
    #[error("too many live streams on this connection")]
    TooManyStreams,
    /// Larger than the protocol can carry (R-META-5, R-REQN-3: n must be above zero).
    #[error("the request cannot be sent: {0}")]
    Unsendable(&'static str),
}
