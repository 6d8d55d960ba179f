//! What the metadata field may hold (conformance section 5): composite entries, routing tags,
//! authentication, MIME types of one stream, Zipkin trace context.

mod auth;
mod composite;
mod mime;
mod routing;
mod trace_context;

pub use auth::Auth;
pub use composite::{CompositeBuilder, Entries, Entry};
pub use mime::Mime;
pub use routing::{Tag, Tags};
pub use trace_context::{Sampling, TraceContext, TraceIds};

use thiserror::Error;

/// Metadata that does not follow its format: the request is INVALID, the connection is not touched
/// (R-COMP-8, R-RTE-3, R-MIME-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum MetadataError {
    /// A length field reaches past the end.
    #[error("{0}: a length reaches past the end of the metadata")]
    Overrun(&'static str),
    /// Text that is not UTF-8.
    #[error("{0}: not UTF-8")]
    NotUtf8(&'static str),
    /// Something is longer than its length field can say; a local error of the sender (R-RTE-4).
    #[error("{what} is longer than {max} bytes")]
    TooLong {
        /// What it is.
        what: &'static str,
        /// The longest that can be sent.
        max: usize,
    },
    /// Something that must be there is not.
    #[error("{0}: empty")]
    Empty(&'static str),
}
