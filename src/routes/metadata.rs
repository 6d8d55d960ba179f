//! What a request's metadata says: its route, its media type, its credential.

use bytes::Bytes;

use super::{Credential, MediaType, RouteError};
use crate::wire::{Auth, Entries, MetadataError, Mime, Tag, Tags};

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
    pub(super) route: Option<Tag>,
    /// The type of this request's data, when it is not SETUP's (R-MIME-1).
    pub(super) media: Option<MediaType>,
    /// The first authentication entry (R-AUTH-6).
    pub(super) credential: Option<Credential>,
}

impl Format {
    pub(super) fn from_mime(mime: &[u8]) -> Self {
        match Mime::from_name(mime) {
            Mime::COMPOSITE => Self::Composite,
            Mime::ROUTING => Self::Routing,
            Mime::WellKnown(_) | Mime::Custom(_) => {
                Self::Other(String::from_utf8_lossy(mime).into_owned())
            }
        }
    }

    /// Reads a metadata field; at most `entries_max` entries, and as many tags of a route
    /// (R-LIM-19). The whole of it is looked at: a broken tail is not accepted (R-COMP-8).
    pub(super) fn read(
        &self,
        metadata: Option<&Bytes>,
        entries_max: usize,
    ) -> Result<Found, RouteError> {
        let Some(metadata) = metadata else { return Ok(Found::default()) };
        match self {
            Self::Composite => read_composite(metadata, entries_max),
            Self::Routing => {
                let route = read_route(metadata.clone(), entries_max)?;
                Ok(Found { route, ..Found::default() })
            }
            Self::Other(_) => Ok(Found::default()),
        }
    }

    /// What a client is told that named no route.
    pub(super) fn missing_route(&self) -> RouteError {
        RouteError::Missing(match self {
            Self::Composite => "no route: add message/x.rsocket.routing.v0 to the metadata".into(),
            Self::Routing => "no route: the metadata is one length byte and the route".into(),
            Self::Other(mime) => format!(
                "no route: set the metadata MIME type to message/x.rsocket.composite-metadata.v0 \
                 or message/x.rsocket.routing.v0, not '{mime}'"
            )
            .into(),
        })
    }
}

fn read_composite(metadata: &Bytes, entries_max: usize) -> Result<Found, RouteError> {
    let mut found = Found::default();
    let mut routed = false;
    for (number, entry) in Entries::new(metadata.clone()).enumerate() {
        let entry = entry.map_err(unreadable)?;
        if number >= entries_max {
            return Err(RouteError::Metadata(format!("more than {entries_max} entries").into()));
        }
        match entry.mime {
            Mime::ROUTING if !routed => {
                found.route = read_route(entry.content, entries_max)?;
                routed = true;
            }
            Mime::MIME_TYPE if found.media.is_none() => {
                let mime = Mime::decode(&mut entry.content.clone()).map_err(unreadable)?;
                found.media = Some(MediaType::from_mime(&mime));
            }
            Mime::AUTHENTICATION if found.credential.is_none() => {
                let shown = Auth::decode(entry.content);
                found.credential = Some(shown.map_or(Credential::Unreadable, Credential::Shown));
            }
            // Repeated entries, and those that mean nothing here (R-COMP-6).
            Mime::WellKnown(_) | Mime::Custom(_) => {}
        }
    }
    Ok(found)
}

fn read_route(routing: Bytes, tags_max: usize) -> Result<Option<Tag>, RouteError> {
    let mut route = None;
    for (number, tag) in Tags::new(routing).enumerate() {
        let tag = tag.map_err(unreadable)?;
        if number >= tags_max {
            return Err(RouteError::Metadata(format!("more than {tags_max} route tags").into()));
        }
        if number == 0 {
            route = Some(tag).filter(|tag| !tag.as_str().is_empty());
        }
    }
    Ok(route)
}

fn unreadable(error: MetadataError) -> RouteError {
    RouteError::Metadata(error.to_string().into())
}
