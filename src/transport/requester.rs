//! The requesting half of a connection, for those who are not its driver.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::{mpsc, oneshot, watch};

use crate::protocol::{Cause, NewRequest, RequestRefused, Source};

/// Requests that may wait for room or a lease (R-LIM-17); the next sender waits for its turn.
pub(super) const WAITING_MAX: usize = 256;

/// Something to send on a connection.
pub(super) enum Command {
    Request {
        request: NewRequest,
        source: Box<dyn Source>,
        sent: oneshot::Sender<Result<(), RequestRefused>>,
    },
    MetadataPush(Bytes),
}

/// Opens streams on a connection that its [`Driver`](super::Driver) runs. Cheap to clone; when the
/// last one is dropped and no stream is live, the connection closes.
#[derive(Clone, Debug)]
pub struct Requester {
    commands: mpsc::Sender<Command>,
    closed: Arc<watch::Receiver<Option<Cause>>>,
}

impl Requester {
    pub(super) fn new(
        commands: mpsc::Sender<Command>,
        closed: watch::Receiver<Option<Cause>>,
    ) -> Self {
        Self { commands, closed: Arc::new(closed) }
    }

    /// Sends a request as soon as room and lease allow. `source` drains what comes back and, on a
    /// channel, fills our half; fire-and-forget drops it. Dropping this future before the request
    /// went out takes it back (R-CAN-6).
    ///
    /// # Errors
    /// [`RequestRefused`], when it can never be sent.
    pub async fn request(
        &self,
        request: NewRequest,
        source: Box<dyn Source>,
    ) -> Result<(), RequestRefused> {
        let (sent, answer) = oneshot::channel();
        let command = Command::Request { request, source, sent };
        self.commands.send(command).await.map_err(|_| RequestRefused::Closed)?;
        answer.await.unwrap_or(Err(RequestRefused::Closed))
    }

    /// Sends METADATA_PUSH; there is no answer (R-MP-4).
    ///
    /// # Errors
    /// [`RequestRefused::Closed`].
    pub async fn metadata_push(&self, metadata: Bytes) -> Result<(), RequestRefused> {
        let command = Command::MetadataPush(metadata);
        self.commands.send(command).await.map_err(|_| RequestRefused::Closed)
    }

    /// Waits for the end of the connection.
    pub async fn closed(&self) -> Cause {
        let mut closed = (*self.closed).clone();
        let cause = closed.wait_for(Option::is_some).await;
        cause.ok().and_then(|cause| cause.clone()).unwrap_or(Cause::Closed)
    }
}
