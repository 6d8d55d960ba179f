//! What a connection asks of the application.

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

use super::{Source, StreamError};
use crate::wire::Payload;

/// The four RSocket interactions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Interaction {
    /// One request, one response.
    RequestResponse,
    /// One request, nothing back.
    FireAndForget,
    /// One request, many items back.
    RequestStream,
    /// Many items in both directions.
    RequestChannel,
}

impl Interaction {
    /// Every interaction, in the order of [`Interaction::index`].
    pub const ALL: [Self; 4] =
        [Self::RequestResponse, Self::FireAndForget, Self::RequestStream, Self::RequestChannel];

    /// The name that metrics and messages use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RequestResponse => "request_response",
            Self::FireAndForget => "fire_and_forget",
            Self::RequestStream => "request_stream",
            Self::RequestChannel => "request_channel",
        }
    }

    /// Position in [`Interaction::ALL`], for tables of counters.
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }
}

/// A request that arrived whole.
#[derive(Debug)]
pub struct Request {
    /// How the peer asked.
    pub interaction: Interaction,
    /// Its metadata (the route, among others) and data. On a channel this is the first item, which
    /// needed no credit (R-CHN-3).
    pub payload: Payload,
    /// On a channel: the requester's half ended with its first item.
    pub complete: bool,
}

/// A response that is not ready yet: a payload, `None` for an empty one, or an error.
pub type ResponseFuture =
    Pin<Box<dyn Future<Output = Result<Option<Payload>, StreamError>> + Send>>;

/// What is left to do for a fire-and-forget request.
pub type EffectFuture = Pin<Box<dyn Future<Output = ()> + Send>>;

/// How a [`Handler`] answers a request. The variant must fit the interaction; one that does not is
/// our bug, and the peer gets APPLICATION_ERROR.
pub enum Reply {
    /// Request/response, answered at once.
    Ready(Result<Option<Payload>, StreamError>),
    /// Request/response, answered later.
    Response(ResponseFuture),
    /// Fire-and-forget: `None` when all is done.
    Effect(Option<EffectFuture>),
    /// Stream or channel.
    Source(Box<dyn Source>),
    /// Any interaction: refused before it began. Fire-and-forget is dropped (R-FNF-1).
    Refused(StreamError),
}

/// The application behind one accepted connection.
pub trait Handler: Send {
    /// Answers a request. Must return at once; what takes time goes into the [`Reply`].
    fn request(&mut self, request: Request) -> Reply;

    /// METADATA_PUSH arrived (R-MP-4: there is no answer).
    fn metadata_push(&mut self, _metadata: Bytes) {}
}
