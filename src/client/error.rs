//! What can go wrong, by who is to blame: the caller, the network, the responder.

use std::io;
use std::time::Duration;

use thiserror::Error;

use crate::protocol::{Cause, RequestRefused, StreamError};
use crate::wire::{ErrorCode, MetadataError};

/// Why no connection came to be. Each is one line that names the address.
#[derive(Debug, Error)]
pub enum ConnectError {
    /// The URL cannot be used; nothing was tried.
    #[error("{url}: {problem}")]
    Url {
        /// As it was given.
        url: String,
        /// What is wrong with it, and what is expected.
        problem: &'static str,
    },
    /// No TCP connection: nobody listens, no such host, no route.
    #[error("cannot connect to {address}: {source}")]
    Unreachable {
        /// Host and port.
        address: String,
        /// What the system says.
        source: io::Error,
    },
    /// No answer in time.
    #[error("cannot connect to {address}: no answer within {} ms", .within.as_millis())]
    TimedOut {
        /// Host and port.
        address: String,
        /// [`Options::connect_timeout`](super::Options::connect_timeout).
        within: Duration,
    },
    /// The other end speaks HTTP but did not agree to a WebSocket, or speaks something else.
    #[error("{url} is not a WebSocket endpoint: {reason}")]
    NotWebSocket {
        /// As it was given.
        url: String,
        /// What it answered.
        reason: String,
    },
}

/// Why a call has no result.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum CallError {
    /// The stream ended with an error; the connection goes on.
    #[error("{0}")]
    Failed(StreamError),
    /// The connection ended first; also when the responder refused the SETUP.
    #[error("{0}")]
    ConnectionLost(StreamError),
    /// Nothing was sent: the request itself, or too many live streams.
    #[error("{0}")]
    NotSent(RequestRefused),
    /// Nothing was sent: the route, the token or a MIME type is too long (R-RTE-4).
    #[error("{0}")]
    Metadata(#[from] MetadataError),
}

impl CallError {
    /// The error that ended the call, when there was one.
    #[must_use]
    pub const fn stream_error(&self) -> Option<&StreamError> {
        match self {
            Self::Failed(error) | Self::ConnectionLost(error) => Some(error),
            Self::NotSent(_) | Self::Metadata(_) => None,
        }
    }

    /// An error that a stream ended with: codes below those of streams are the connection's
    /// (conformance 2.3).
    pub(super) fn of_stream(error: StreamError) -> Self {
        const STREAM_CODES: u32 = ErrorCode::APPLICATION_ERROR.0;
        if error.code.0 < STREAM_CODES { Self::ConnectionLost(error) } else { Self::Failed(error) }
    }

    pub(super) fn of_cause(cause: Cause) -> Self {
        Self::ConnectionLost(match cause {
            Cause::PeerError { code, message } => StreamError::new(code, message),
            other => StreamError::new(ErrorCode::CONNECTION_CLOSE, other.to_string()),
        })
    }

    /// The driver dropped the stream without a word: only its connection's end does that.
    pub(super) fn lost() -> Self {
        Self::of_cause(Cause::Closed)
    }
}

/// Why an item could not be sent on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum SendError {
    /// The responder takes no more items; its own go on (R-CHN-12).
    #[error("the responder takes no more items")]
    Cancelled,
    /// The channel is over; its [`Subscription`](super::Subscription) says why.
    #[error("the channel is over")]
    Ended,
}
