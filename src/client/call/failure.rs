//! Why `tidegate call` does not exit with 0.

use std::io;

use super::super::{CallError, ConnectError};
use crate::protocol::StreamError;
use crate::wire::ErrorCode;

#[derive(Debug)]
pub(super) enum Failure {
    /// 1: the stream ended with an error.
    Stream(String),
    /// 2: the arguments or the data.
    Usage(String),
    /// 3: no connection, or it ended first.
    Connection(String),
    /// 130: the user gave up.
    Interrupted,
    /// 0: nobody reads the output any more, as in `| head`.
    OutputGone,
}

impl Failure {
    pub(super) const fn exit_code(&self) -> u8 {
        match self {
            Self::OutputGone => 0,
            Self::Stream(_) => 1,
            Self::Usage(_) => 2,
            Self::Connection(_) => 3,
            Self::Interrupted => 130,
        }
    }

    pub(super) fn text(&self) -> Option<String> {
        match self {
            Self::Stream(text) | Self::Usage(text) | Self::Connection(text) => Some(text.clone()),
            Self::Interrupted | Self::OutputGone => None,
        }
    }

    /// Standard output cannot be written.
    pub(super) fn output(error: &io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Self::OutputGone,
            _ => Self::Usage(format!("cannot write the output: {error}")),
        }
    }
}

impl From<CallError> for Failure {
    fn from(error: CallError) -> Self {
        let line = |StreamError { code, message }: &StreamError| format!("{code}: {message}");
        match &error {
            CallError::Failed(cause) => Self::Stream(line(cause)),
            // That it is closed is all that this code says; often no frame said it.
            CallError::ConnectionLost(cause) if cause.code == ErrorCode::CONNECTION_CLOSE => {
                Self::Connection(cause.message.to_string())
            }
            CallError::ConnectionLost(cause) => Self::Connection(line(cause)),
            CallError::NotSent(_) | CallError::Metadata(_) => Self::Usage(error.to_string()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Url { .. } => Self::Usage(error.to_string()),
            ConnectError::Unreachable { .. }
            | ConnectError::TimedOut { .. }
            | ConnectError::NotWebSocket { .. } => Self::Connection(error.to_string()),
        }
    }
}
