//! The kinds of handlers, one per interaction.

use std::future::Future;

use super::{Access, Call, RouteError};
use crate::protocol::{EffectFuture, ResponseFuture, Source, StreamError};
use crate::wire::Payload;

/// What a stream or channel handler returns.
pub type SourceResult = Result<Box<dyn Source>, RouteError>;

/// What a request/response handler returns: an answer, or a future of one.
pub enum Response {
    /// The answer, `None` for an empty one.
    Ready(Result<Option<Payload>, RouteError>),
    /// The answer comes later.
    Later(ResponseFuture),
}

impl Response {
    /// An answer that is not ready yet.
    pub fn later<F>(future: F) -> Self
    where
        F: Future<Output = Result<Payload, RouteError>> + Send + 'static,
    {
        let answer = async move { future.await.map(Some).map_err(StreamError::from) };
        Self::Later(Box::pin(answer))
    }
}

impl From<Result<Payload, RouteError>> for Response {
    fn from(answer: Result<Payload, RouteError>) -> Self {
        Self::Ready(answer.map(Some))
    }
}

impl From<Result<Option<Payload>, RouteError>> for Response {
    fn from(answer: Result<Option<Payload>, RouteError>) -> Self {
        Self::Ready(answer)
    }
}

/// A handler and the access that it needs.
pub(super) struct Guarded<H> {
    pub(super) access: Access,
    pub(super) handler: H,
}

pub(super) type Respond = Box<dyn Fn(Call) -> Response + Send + Sync>;

/// Streams and channels have handlers of one shape; the types keep them apart.
pub(super) struct Stream(pub(super) Box<dyn Fn(Call) -> SourceResult + Send + Sync>);

pub(super) struct Channel(pub(super) Box<dyn Fn(Call) -> SourceResult + Send + Sync>);

type Run = Box<dyn Fn(Call) -> Result<Option<EffectFuture>, RouteError> + Send + Sync>;

pub(super) struct Effect {
    pub(super) run: Run,
    pub(super) shed: Box<dyn Fn(Call) + Send + Sync>,
}
