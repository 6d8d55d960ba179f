//! What a request's metadata says: its route, its media type, its credential.

use bytes::Bytes;

use super::error::quote;
use super::{Credential, MediaType, RouteError};
use crate::wire::{Auth, Entries, Entry, MetadataError, Mime, Tag, Tags};

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
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    /// The first tag of the first routing entry (R-RTE-1); `None` when it is empty (R-RTE-2).
    pub(super) route: Option<Tag>,
    /// The type of this request's data, when it is not SETUP's (R-MIME-1).
    pub(super) media: Option<MediaType>,
    /// The first authentication entry (R-AUTH-6).
    pub(super) credential: Option<Credential>,
}

impl Format {
    /// Reads the bytes of SETUP's metadata MIME type, which may be anything (R-SETUP-7).
    pub(super) fn new(mime: &[u8]) -> Self {
        let mime = Mime::from_name(mime);
        if mime == Mime::COMPOSITE {
            Self::Composite
        } else if mime == Mime::ROUTING {
            Self::Routing
        } else {
            Self::Other(mime.to_string())
        }
    }

    /// Reads the metadata of a SETUP or a request, to its end: a broken tail is refused too
    /// (R-COMP-8). At most `max` entries and `max` tags are taken (R-LIM-19).
    pub(super) fn read(&self, metadata: Option<&Bytes>, max: usize) -> Result<Found, RouteError> {
        let Some(metadata) = metadata else { return Ok(Found::default()) };
        match self {
            Self::Composite => read_composite(metadata.clone(), max),
            Self::Routing => Ok(Found { route: read_tags(metadata, max)?, ..Found::default() }),
            Self::Other(_) => Ok(Found::default()),
        }
    }

    /// What to tell a client whose request names no route.
    pub(super) fn missing(&self) -> RouteError {
        let text = match self {
            Self::Composite => "no route: send a message/x.rsocket.routing.v0 entry in the \
                                composite metadata, its first tag the route"
                .into(),
            Self::Routing => "no route: send it as metadata, one byte for its length and then \
                              the route"
                .into(),
            Self::Other(mime) => format!(
                "no route: metadata of type {} has none; open the connection with \
                 message/x.rsocket.composite-metadata.v0 or message/x.rsocket.routing.v0",
                quote(mime)
            )
            .into(),
        };
        RouteError::Missing(text)
    }
}

fn read_composite(metadata: Bytes, max: usize) -> Result<Found, RouteError> {
    let mut found = Found::default();
    let mut is_routed = false;
    for (count, entry) in Entries::new(metadata).enumerate() {
        let Entry { mime, content } = entry.map_err(|error| unreadable(&error))?;
        if count == max {
            return Err(too_many("entries in the composite metadata", max));
        }
        if mime == Mime::ROUTING && !is_routed {
            is_routed = true;
            found.route = read_tags(&content, max)?;
        } else if mime == Mime::MIME_TYPE && found.media.is_none() {
            found.media = Some(read_media(content)?);
        } else if mime == Mime::AUTHENTICATION && found.credential.is_none() {
            let auth = Auth::decode(content);
            found.credential = Some(auth.map_or(Credential::Unreadable, Credential::Shown));
        }
    }
    Ok(found)
}

/// The first tag; all of them must be sound (R-RTE-3).
fn read_tags(content: &Bytes, max: usize) -> Result<Option<Tag>, RouteError> {
    let mut first = None;
    for (count, tag) in Tags::new(content.clone()).enumerate() {
        let tag = tag.map_err(|_| {
            RouteError::Metadata(
                "the route's length byte does not fit the UTF-8 that follows: each tag is one \
                 byte for its length in bytes, at most 255, then the tag"
                    .into(),
            )
        })?;
        if count == max {
            return Err(too_many("tags in the routing metadata", max));
        }
        first.get_or_insert(tag);
    }
    Ok(first.filter(|tag| !tag.as_str().is_empty()))
}

/// Exactly one type item (conformance 5.5).
fn read_media(mut content: Bytes) -> Result<MediaType, RouteError> {
    let mime = Mime::decode(&mut content).map_err(|error| unreadable(&error))?;
    if !content.is_empty() {
        return Err(RouteError::Metadata("a request's data has one MIME type, not more".into()));
    }
    Ok(MediaType::from_mime(&mime))
}

fn unreadable(error: &MetadataError) -> RouteError {
    RouteError::Metadata(error.to_string().into())
}

fn too_many(what: &str, max: usize) -> RouteError {
    RouteError::Metadata(format!("more than {max} {what}").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(text: &str) -> Bytes {
        let digit = |at| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
        (0..text.len()).step_by(2).map(digit).collect()
    }

    fn read(format: &Format, text: &str) -> Result<Found, RouteError> {
        format.read(Some(&hex(text)), 256)
    }

    fn refusal(format: &Format, text: &str) -> String {
        let error = read(format, text).unwrap_err();
        assert!(matches!(error, RouteError::Metadata(_)), "{error:?}");
        error.message().into_owned()
    }

    #[test]
    fn r_rte_1_composite_metadata_names_route_type_and_credential() {
        // The vector `composite_route_auth_mime`.
        let text = "fe00000a09636861742e73656e64fc00000b8000047573657270617373fa00000185";
        let found = read(&Format::Composite, text).unwrap();
        assert_eq!(found.route.unwrap().as_str(), "chat.send");
        assert_eq!(found.media, Some(MediaType::Json));
        let simple = Auth::Simple { username: "user".into(), password: "pass".into() };
        assert!(matches!(found.credential, Some(Credential::Shown(auth)) if auth == simple));
    }

    #[test]
    fn r_rte_1_the_first_of_several_tags_is_the_route() {
        let tags = "09636861742e73656e6409726567696f6e3a6575";
        assert_eq!(read(&Format::Routing, tags).unwrap().route.unwrap().as_str(), "chat.send");
        let composite = format!("fe000014{tags}fe00000201{}", "61");
        let found = read(&Format::Composite, &composite).unwrap();
        assert_eq!(found.route.unwrap().as_str(), "chat.send");
    }

    #[test]
    fn r_rte_2_an_empty_tag_and_an_empty_entry_are_the_empty_route() {
        for (format, text) in
            [(Format::Routing, "00"), (Format::Routing, ""), (Format::Composite, "fe000000")]
        {
            assert!(read(&format, text).unwrap().route.is_none());
        }
        assert!(Format::Composite.read(None, 256).unwrap().route.is_none());
        // An empty route is a choice: a second routing entry does not replace it.
        assert!(read(&Format::Composite, "fe000000fe0000020161").unwrap().route.is_none());
    }

    #[test]
    fn r_rte_3_r_rte_5_broken_tags_get_a_helpful_text() {
        for text in ["056162", "02ffff"] {
            assert!(refusal(&Format::Routing, text).contains("one byte for its length"));
            let composite = format!("fe{:06x}{text}", text.len() / 2);
            assert!(refusal(&Format::Composite, &composite).contains("one byte for its length"));
        }
        // A sound first tag does not excuse a broken second one.
        refusal(&Format::Routing, "0161056162");
    }

    #[test]
    fn r_comp_6_unknown_entries_are_skipped() {
        // The vectors `composite_reserved_id` and `composite_mixed_custom_route`, cut.
        for text in ["d00000027a7afe0000020161", "07637573746f6d2f7800000101fe0000020161"] {
            assert_eq!(read(&Format::Composite, text).unwrap().route.unwrap().as_str(), "a");
        }
    }

    #[test]
    fn r_comp_8_truncated_entries_are_refused_even_behind_a_route() {
        for broken in ["fe0000", "fe0000056162", "10616263"] {
            refusal(&Format::Composite, broken);
            refusal(&Format::Composite, &format!("fe0000020161{broken}"));
        }
    }

    #[test]
    fn r_mime_1_a_request_has_one_type_of_its_own() {
        // application/msgpack, 19 bytes.
        let custom = "fa000014126170706c69636174696f6e2f6d73677061636b";
        let found = read(&Format::Composite, custom).unwrap();
        assert_eq!(found.media, Some(MediaType::MessagePack));
        let unassigned = read(&Format::Composite, "fa000001b0").unwrap().media.unwrap();
        assert_eq!(unassigned.name(), "MIME type id 0x30");
        for text in ["fa000000", "fa0000028585", "fa0000020561"] {
            refusal(&Format::Composite, text);
        }
    }

    #[test]
    fn r_auth_6_the_first_credential_counts_also_when_it_is_unreadable() {
        let bearer = |token: u8| format!("fc00000281{token:02x}");
        let both = bearer(b'a') + &bearer(b'b');
        let found = read(&Format::Composite, &both).unwrap().credential;
        assert!(matches!(found, Some(Credential::Shown(Auth::Bearer(token))) if token == "a"));
        let found = read(&Format::Composite, &("fc000000".to_owned() + &bearer(b'b'))).unwrap();
        assert!(matches!(found.credential, Some(Credential::Unreadable)));
    }

    #[test]
    fn r_lim_19_entries_and_tags_are_bounded() {
        let entries = |count: usize| format!("fe0000020161{}", "fd000000".repeat(count - 1));
        assert!(read(&Format::Composite, &entries(256)).is_ok());
        assert!(refusal(&Format::Composite, &entries(257)).contains("more than 256 entries"));
        assert!(read(&Format::Routing, &"00".repeat(256)).is_ok());
        assert!(refusal(&Format::Routing, &"00".repeat(257)).contains("more than 256 tags"));
    }

    #[test]
    fn r_setup_7_any_metadata_type_is_taken_and_a_missing_route_says_how_to_send_one() {
        let composite = Format::new(b"Message/x.rsocket.composite-metadata.v0");
        assert_eq!(composite, Format::Composite);
        assert_eq!(Format::new(b"message/x.rsocket.routing.v0"), Format::Routing);
        for mime in [&b""[..], b"application/json", b"\xFF\x00"] {
            let format = Format::new(mime);
            assert!(matches!(format, Format::Other(_)));
            assert!(format.read(Some(&hex("056162")), 256).unwrap().route.is_none());
            assert!(format.missing().message().contains("composite-metadata.v0 or message/"));
        }
        assert!(Format::Routing.missing().message().contains("one byte for its length"));
        assert!(Format::Composite.missing().message().contains("routing.v0 entry"));
    }
}
