//! Why a request got no answer from its handler, and what its client should do about it.

use std::borrow::Cow;
use std::fmt::Write as _;

use crate::protocol::{Interaction, StreamError};
use crate::wire::ErrorCode;

/// A request that a route, or the way to it, refused. Its text is what the client reads: short,
/// without secrets, and it says what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RouteError {
    /// The metadata or an entry in it cannot be read (R-COMP-8, R-RTE-3, R-MIME-3).
    Metadata(Cow<'static, str>),
    /// The request names no route (R-RTE-6).
    Missing(Cow<'static, str>),
    /// No route has this name.
    Unknown {
        /// What the client sent.
        route: String,
        /// The pattern that is spelled most like it.
        nearest: Option<&'static str>,
    },
    /// The route exists, but a parameter in it is not 1 to 64 of `A-Z a-z 0-9 _ -`.
    Parameter {
        /// The route's pattern.
        pattern: &'static str,
        /// The parameter's name.
        name: &'static str,
        /// What the client sent in its place.
        value: String,
    },
    /// The route exists and is reached by another interaction.
    Interaction {
        /// The route's pattern.
        pattern: &'static str,
        /// How the client asked.
        asked: Interaction,
        /// How it may ask.
        offered: Vec<Interaction>,
    },
    /// The route does not speak the media type of the request.
    Type {
        /// The media type of the request.
        found: String,
    },
    /// The data does not decode to what the route takes: which field, and what was expected.
    Data(Cow<'static, str>),
    /// No permission; trying again does not help.
    Denied(Cow<'static, str>),
    /// A limit or overload; the same request may be accepted later.
    Overload(Cow<'static, str>),
    /// The handler failed.
    Failed(Cow<'static, str>),
}

/// The classes of [`RouteError`], for tables and counters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// [`RouteError::Metadata`].
    Metadata,
    /// [`RouteError::Missing`].
    Missing,
    /// [`RouteError::Unknown`].
    Unknown,
    /// [`RouteError::Parameter`].
    Parameter,
    /// [`RouteError::Interaction`].
    Interaction,
    /// [`RouteError::Type`].
    Type,
    /// [`RouteError::Data`].
    Data,
    /// [`RouteError::Denied`].
    Denied,
    /// [`RouteError::Overload`].
    Overload,
    /// [`RouteError::Failed`].
    Failed,
}

/// What a client should do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Correct the request: the same one fails again.
    Fix,
    /// Send the same request later.
    Retry,
    /// Do not send it again: it is not allowed.
    Never,
    /// Try once more if the request is idempotent, then report it: the fault is the server's.
    Report,
}

impl Remedy {
    /// One line for people, as the README has it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Fix => "fix the request; the same one fails again",
            Self::Retry => "retry later, with backoff",
            Self::Never => "do not retry",
            Self::Report => "retry once if it is idempotent, then report it",
        }
    }
}

impl Class {
    /// Every class, in the order of [`Class::index`].
    pub const ALL: [Self; 10] = [
        Self::Metadata,
        Self::Missing,
        Self::Unknown,
        Self::Parameter,
        Self::Interaction,
        Self::Type,
        Self::Data,
        Self::Denied,
        Self::Overload,
        Self::Failed,
    ];

    /// Position in [`Class::ALL`].
    #[must_use]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The name that metrics use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::Missing => "missing_route",
            Self::Unknown => "unknown_route",
            Self::Parameter => "parameter",
            Self::Interaction => "interaction",
            Self::Type => "type",
            Self::Data => "data",
            Self::Denied => "denied",
            Self::Overload => "overload",
            Self::Failed => "failed",
        }
    }

    /// The one table from an error to its RSocket code and its remedy. Standard codes only: other
    /// codes are dropped by real clients (R-ERR-9).
    #[must_use]
    pub const fn answer(self) -> (ErrorCode, Remedy) {
        match self {
            Self::Metadata
            | Self::Missing
            | Self::Unknown
            | Self::Parameter
            | Self::Interaction
            | Self::Type
            | Self::Data => (ErrorCode::INVALID, Remedy::Fix),
            Self::Denied => (ErrorCode::REJECTED, Remedy::Never),
            Self::Overload => (ErrorCode::REJECTED, Remedy::Retry),
            Self::Failed => (ErrorCode::APPLICATION_ERROR, Remedy::Report),
        }
    }
}

impl RouteError {
    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::Metadata(_) => Class::Metadata,
            Self::Missing(_) => Class::Missing,
            Self::Unknown { .. } => Class::Unknown,
            Self::Parameter { .. } => Class::Parameter,
            Self::Interaction { .. } => Class::Interaction,
            Self::Type { .. } => Class::Type,
            Self::Data(_) => Class::Data,
            Self::Denied(_) => Class::Denied,
            Self::Overload(_) => Class::Overload,
            Self::Failed(_) => Class::Failed,
        }
    }

    /// The text that the client reads.
    #[must_use]
    pub fn message(&self) -> Cow<'static, str> {
        match self {
            Self::Metadata(text)
            | Self::Missing(text)
            | Self::Overload(text)
            | Self::Failed(text) => text.clone(),
            Self::Unknown { route, nearest } => {
                let mut text = format!("no route {}", quote(route));
                if let Some(pattern) = nearest {
                    let _ = write!(text, "; did you mean {pattern}?");
                }
                text.into()
            }
            Self::Parameter { pattern, name, value } => format!(
                "in {pattern}, {{{name}}} must be 1 to 64 of A-Z a-z 0-9 _ -, not {}",
                quote(value)
            )
            .into(),
            Self::Interaction { pattern, asked, offered } => {
                let offered: Vec<_> =
                    offered.iter().map(|interaction| interaction.name()).collect();
                format!("{pattern} takes {}, not {}", offered.join(" or "), asked.name()).into()
            }
            Self::Type { found } => format!(
                "this route takes application/msgpack or application/json, not {}",
                quote(found)
            )
            .into(),
            Self::Data(reason) => format!("bad data: {reason}").into(),
            Self::Denied(reason) => format!("{reason}; do not retry").into(),
        }
    }
}

impl From<RouteError> for StreamError {
    fn from(error: RouteError) -> Self {
        Self::new(error.class().answer().0, error.message())
    }
}

/// The longest text of a client's that is quoted back to it, characters.
const QUOTE_MAX: usize = 80;

/// A client's text within quotes: cut, and without control characters, which a log would obey.
pub(super) fn quote(text: &str) -> String {
    let mut quoted = String::from("'");
    for (index, character) in text.chars().enumerate() {
        if index == QUOTE_MAX {
            quoted.push('…');
            break;
        }
        quoted.push(if character.is_control() { '\u{FFFD}' } else { character });
    }
    quoted.push('\'');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_class_has_its_place_and_a_standard_code() {
        for (index, class) in Class::ALL.into_iter().enumerate() {
            assert_eq!(class.index(), index);
            let (code, remedy) = class.answer();
            assert!(code.name().is_some(), "{class:?}");
            let retries = matches!(remedy, Remedy::Retry | Remedy::Never);
            assert_eq!(code == ErrorCode::REJECTED, retries, "{class:?}");
        }
    }

    #[test]
    fn a_denial_says_not_to_retry() {
        let error = StreamError::from(RouteError::Denied("this needs the manage key".into()));
        assert_eq!(error.code, ErrorCode::REJECTED);
        assert_eq!(error.message, "this needs the manage key; do not retry");
    }

    #[test]
    fn r_rte_6_an_unknown_route_is_named_with_its_nearest() {
        let error = RouteError::Unknown {
            route: "rom.7.messages".into(),
            nearest: Some("room.{id}.messages"),
        };
        let text = "no route 'rom.7.messages'; did you mean room.{id}.messages?";
        assert_eq!(error.message(), text);
        assert_eq!(StreamError::from(error).code, ErrorCode::INVALID);
    }

    #[test]
    fn a_clients_text_is_quoted_cut_and_without_controls() {
        assert_eq!(quote("a\nb\u{1b}[31m"), "'a\u{FFFD}b\u{FFFD}[31m'");
        let long = quote(&"x".repeat(10_000));
        assert_eq!(long.chars().count(), QUOTE_MAX + 3);
    }

    #[test]
    fn a_wrong_interaction_names_the_right_ones() {
        let error = RouteError::Interaction {
            pattern: "debug.echo",
            asked: Interaction::RequestStream,
            offered: vec![Interaction::RequestResponse, Interaction::RequestChannel],
        };
        let text = "debug.echo takes request_response or request_channel, not request_stream";
        assert_eq!(error.message(), text);
    }
}
