//! An open connection, and the calls on it.

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;

use super::inbox::{Inbox, InboxSource};
use super::outbox::ChannelSource;
use super::response::{NoSource, ResponseSource};
use super::{CallError, Metadata, Options, Sender, Subscription};
use crate::protocol::{Cause, Handler, Interaction, NewRequest, RequestRefused, Source};
use crate::transport::{Driver, Kind, Requester};
use crate::wire::Payload;

/// A connection to a responder. When it is dropped the connection closes, as soon as the streams
/// that it opened are over.
///
/// A SETUP has no answer: that the responder refused it shows in the first call, or in
/// [`closed`](Self::closed).
#[derive(Debug)]
pub struct Client {
    requester: Requester,
    driver: JoinHandle<Cause>,
    /// Sent with every request that is made by route.
    bearer: Option<String>,
}

impl Client {
    /// A client on any connected socket; `first` is what was read past a handshake, `handler`
    /// serves what the responder requests of us (refused without one). Must be called within a
    /// tokio runtime: it spawns the connection's task.
    pub fn over<S>(
        socket: S,
        kind: Kind,
        first: BytesMut,
        options: &Options,
        handler: Option<Box<dyn Handler>>,
    ) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let setup = options.to_setup();
        let (requester, driver) =
            Driver::client(socket, kind, first, &options.transport, &setup, handler);
        let driver = tokio::spawn(driver);
        Self { requester, driver, bearer: options.bearer.clone() }
    }

    // ---- by route ----------------------------------------------------------------------------

    /// The metadata of a request by route: routing, and the bearer token if there is one.
    #[must_use]
    pub fn metadata(&self, route: &str) -> Metadata {
        let metadata = Metadata::new().route(route);
        match &self.bearer {
            Some(token) => metadata.bearer(token),
            None => metadata,
        }
    }

    /// Request/response. An empty response is an empty payload. Dropping the future cancels it.
    ///
    /// # Errors
    /// [`CallError`].
    pub async fn request(&self, route: &str, data: impl Into<Bytes>) -> Result<Payload, CallError> {
        self.request_payload(self.payload(route, data)?).await
    }

    /// Request/stream with a first credit of `initial_n` items, 1 to 2^31-1.
    ///
    /// # Errors
    /// [`CallError`], when the request was not sent; what happens later shows in the subscription.
    pub async fn stream(
        &self,
        route: &str,
        data: impl Into<Bytes>,
        initial_n: u32,
    ) -> Result<Subscription, CallError> {
        self.stream_payload(self.payload(route, data)?, initial_n).await
    }

    /// A channel: `first` is its first item, which needs no credit; `initial_n` is the credit of
    /// the responder, 1 to 2^31-1.
    ///
    /// # Errors
    /// As for [`stream`](Self::stream).
    pub async fn channel(
        &self,
        route: &str,
        first: impl Into<Bytes>,
        initial_n: u32,
    ) -> Result<(Sender, Subscription), CallError> {
        self.channel_payload(self.payload(route, first)?, initial_n).await
    }

    /// Fire-and-forget: over when it is sent.
    ///
    /// # Errors
    /// [`CallError`], when it was not sent.
    pub async fn fire_and_forget(
        &self,
        route: &str,
        data: impl Into<Bytes>,
    ) -> Result<(), CallError> {
        self.fire_and_forget_payload(self.payload(route, data)?).await
    }

    fn payload(&self, route: &str, data: impl Into<Bytes>) -> Result<Payload, CallError> {
        Ok(Payload::with_metadata(self.metadata(route).finish()?, data))
    }

    // ---- by payload --------------------------------------------------------------------------

    /// Request/response with metadata as it is given.
    ///
    /// # Errors
    /// As for [`request`](Self::request).
    pub async fn request_payload(&self, payload: Payload) -> Result<Payload, CallError> {
        let (source, response) = ResponseSource::new();
        self.open(Interaction::RequestResponse, payload, 1, false, Box::new(source)).await?;
        response.await.unwrap_or_else(|_| Err(CallError::lost()))
    }

    /// Request/stream with metadata as it is given.
    ///
    /// # Errors
    /// As for [`stream`](Self::stream).
    pub async fn stream_payload(
        &self,
        payload: Payload,
        initial_n: u32,
    ) -> Result<Subscription, CallError> {
        let inbox = Arc::<Inbox>::default();
        let source = Box::new(InboxSource::new(&inbox));
        let subscription = Subscription::new(inbox);
        self.open(Interaction::RequestStream, payload, initial_n, false, source).await?;
        Ok(subscription)
    }

    /// A channel with metadata as it is given.
    ///
    /// # Errors
    /// As for [`stream`](Self::stream).
    pub async fn channel_payload(
        &self,
        first: Payload,
        initial_n: u32,
    ) -> Result<(Sender, Subscription), CallError> {
        let inbox = Arc::<Inbox>::default();
        let (source, sender) = ChannelSource::new(&inbox);
        let subscription = Subscription::new(inbox);
        self.open(Interaction::RequestChannel, first, initial_n, false, Box::new(source)).await?;
        Ok((sender, subscription))
    }

    /// A channel whose first item is its only one (R-CHN-14), with metadata as it is given.
    ///
    /// # Errors
    /// As for [`stream`](Self::stream).
    pub async fn single_item_channel(
        &self,
        only: Payload,
        initial_n: u32,
    ) -> Result<Subscription, CallError> {
        let inbox = Arc::<Inbox>::default();
        let source = Box::new(InboxSource::new(&inbox));
        let subscription = Subscription::new(inbox);
        self.open(Interaction::RequestChannel, only, initial_n, true, source).await?;
        Ok(subscription)
    }

    /// Fire-and-forget with metadata as it is given.
    ///
    /// # Errors
    /// As for [`fire_and_forget`](Self::fire_and_forget).
    pub async fn fire_and_forget_payload(&self, payload: Payload) -> Result<(), CallError> {
        self.open(Interaction::FireAndForget, payload, 1, false, Box::new(NoSource)).await
    }

    /// METADATA_PUSH: metadata for the connection, without an answer.
    ///
    /// # Errors
    /// [`CallError`], when the connection is over.
    pub async fn metadata_push(&self, metadata: Bytes) -> Result<(), CallError> {
        match self.requester.metadata_push(metadata).await {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.not_sent(refused).await),
        }
    }

    async fn open(
        &self,
        interaction: Interaction,
        payload: Payload,
        initial_n: u32,
        complete: bool,
        source: Box<dyn Source>,
    ) -> Result<(), CallError> {
        let request = NewRequest { interaction, payload, initial_n, complete };
        match self.requester.request(request, source).await {
            Ok(()) => Ok(()),
            Err(refused) => Err(self.not_sent(refused).await),
        }
    }

    async fn not_sent(&self, refused: RequestRefused) -> CallError {
        match refused {
            RequestRefused::Closed => CallError::of_cause(self.closed().await),
            other => CallError::NotSent(other),
        }
    }

    // ---- the end -----------------------------------------------------------------------------

    /// Waits for the end of the connection, whoever brings it about.
    pub async fn closed(&self) -> Cause {
        self.requester.closed().await
    }

    /// Closes the connection in good order, and waits until the responder has taken everything:
    /// live subscriptions must be dropped, or over, first. Dropping the future gives up waiting.
    pub async fn close(self) -> Cause {
        let Self { requester, driver, .. } = self;
        drop(requester);
        driver.await.unwrap_or(Cause::Closed)
    }
}
