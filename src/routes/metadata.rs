//! What a request's metadata says: its route, its media type, its credential.

use bytes::Bytes;

use super::error::quote;
use super::{Credential, MediaType, RouteError};
use crate::wire::{auth, composite, mime, routing};

/// How a connection writes metadata, by SETUP's metadata MIME type (conformance section 5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// `message/x.rsocket.composite-metadata.v0`.
    Composite,
    /// `message/x.rsocket.routing.v0`: the metadata is the list of tags (R-RTE-5).
    Routing,
    /// Anything else: SETUP accepts it (R-SETUP-6), but it can name no route.
    Other(String),
}

/// What was found in the metadata of one request.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// The first tag of the first routing entry (R-RTE-1); `None` when it is empty (R-RTE-2).
    pub(super) route: Option<Bytes>,
    /// The type of this request's data, when it is not SETUP's (R-MIME-1).
    pub(super) media: Option<MediaType>,
    /// The first authentication entry (R-AUTH-6).
    pub(super) credential: Option<Credential>,
}
