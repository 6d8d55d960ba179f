//! Bytes to frames and back: the RSocket 1.0 wire format and what surrounds it on a transport.
#![deny(clippy::disallowed_methods, clippy::wildcard_enum_match_arm, clippy::iter_over_hash_type)]

mod codec;
mod error;
mod frame;
mod framing;
mod header;
mod metadata;
mod payload;
mod websocket;

pub use codec::{decode, payload_header_len, put_payload_header};
pub use error::{DecodeError, ErrorCode, Malformed};
pub use frame::{Body, Ext, Frame, Keepalive, Lease, Resume, Setup};
pub use framing::{Deframer, Framing, FramingError, Inbound};
pub use header::{FrameType, PayloadFlags, StreamId};
pub use metadata::{
    Auth, CompositeBuilder, Entries, Entry, MetadataError, Mime, Sampling, Tag, Tags, TraceContext,
    TraceIds,
};
pub use payload::Payload;
pub use websocket::Masking;

#[cfg(test)]
mod tests;
