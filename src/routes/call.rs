//! What a handler is given: one request that found its route.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Encoding, MediaType, Principal, RouteError};
use crate::protocol::Interaction;
use crate::wire::Payload;

/// One request, on its way into a handler.
#[derive(Clone, Debug)]
pub struct Call {
    /// Who asks.
    pub principal: Arc<Principal>,
    /// What stood in the route's `{…}`.
    pub params: Params,
    /// What the data is.
    pub media: MediaType,
    /// Metadata and data as they came; the first item of a channel.
    pub payload: Payload,
    /// How the peer asked.
    pub interaction: Interaction,
    /// On a channel: the requester's half ended with its first item.
    pub complete: bool,
}

/// The parameters of a route, each 1 to 64 of `A-Z a-z 0-9 _ -`. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Params(Option<Arc<[Param]>>);

/// A parameter's name and value.
type Param = (&'static str, Box<str>);

impl Params {
    pub(super) fn new(values: Vec<Param>) -> Self {
        Self((!values.is_empty()).then(|| values.into()))
    }

    /// The parameter of this name, when the route has one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&str> {
        let values = self.0.as_deref()?;
        values.iter().find(|(known, _)| *known == name).map(|(_, value)| value.as_ref())
    }
}

impl Call {
    /// The `{id}` of the route.
    ///
    /// # Errors
    /// [`RouteError::Failed`] when the route's pattern has none: a bug of ours.
    pub fn id(&self) -> Result<&str, RouteError> {
        self.params.find("id").ok_or_else(|| RouteError::Failed("this route has no id".into()))
    }

    /// Decodes the data of a typed route, from MessagePack or JSON.
    ///
    /// # Errors
    /// [`RouteError::Type`] and [`RouteError::Data`].
    pub fn decode<'a, T: Deserialize<'a>>(&'a self) -> Result<T, RouteError> {
        self.media.typed()?.decode(&self.payload.data)
    }

    /// As [`Call::decode`], where no data at all means the defaults.
    ///
    /// # Errors
    /// [`RouteError::Type`] and [`RouteError::Data`].
    pub fn decode_or_default<'a, T>(&'a self) -> Result<T, RouteError>
    where
        T: Deserialize<'a> + Default,
    {
        decode_or_default(self.media.typed()?, &self.payload.data)
    }

    /// As [`Call::decode_or_default`], reading JSON where the type is raw.
    ///
    /// # Errors
    /// [`RouteError::Type`] and [`RouteError::Data`].
    pub fn decode_raw_as_json<'a, T>(&'a self) -> Result<T, RouteError>
    where
        T: Deserialize<'a> + Default,
    {
        decode_or_default(self.media.typed_or_json()?, &self.payload.data)
    }

    /// Encodes an answer in the type of the request (R-MIME-2 has nothing to add then).
    ///
    /// # Errors
    /// [`RouteError::Type`], and [`RouteError::Failed`] for a value that cannot be written.
    pub fn encode<T: Serialize>(&self, message: &T) -> Result<Payload, RouteError> {
        Ok(Payload { metadata: None, data: self.media.typed()?.encode(message)? })
    }
}

fn decode_or_default<'a, T>(encoding: Encoding, data: &'a [u8]) -> Result<T, RouteError>
where
    T: Deserialize<'a> + Default,
{
    if data.is_empty() { Ok(T::default()) } else { encoding.decode(data) }
}
