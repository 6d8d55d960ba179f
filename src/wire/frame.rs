//! Frames as values (conformance 1.4).

use bytes::Bytes;

use super::{ErrorCode, FrameType, Payload, StreamId};

/// One RSocket frame, without what surrounds it on the transport.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The stream it belongs to, 0 for the connection.
    pub stream_id: StreamId,
    /// What it says.
    pub body: Body,
}

/// What a frame says, by type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// SETUP: a client introduces itself.
    Setup(Setup),
    /// LEASE: the peer may send so many requests.
    Lease(Lease),
    /// KEEPALIVE.
    Keepalive(Keepalive),
    /// REQUEST_RESPONSE.
    RequestResponse {
        /// F.
        follows: bool,
        /// The request.
        payload: Payload,
    },
    /// REQUEST_FNF.
    RequestFireAndForget {
        /// F.
        follows: bool,
        /// The request.
        payload: Payload,
    },
    /// REQUEST_STREAM.
    RequestStream {
        /// F.
        follows: bool,
        /// Items asked for at once; 31 bits, above 0 when sent.
        initial_n: u32,
        /// The request.
        payload: Payload,
    },
    /// REQUEST_CHANNEL.
    RequestChannel {
        /// F.
        follows: bool,
        /// C: the first item is the last.
        complete: bool,
        /// Items asked for at once; 31 bits, above 0 when sent.
        initial_n: u32,
        /// The first item.
        payload: Payload,
    },
    /// REQUEST_N: so many items more.
    RequestN {
        /// 31 bits, above 0 when sent.
        n: u32,
    },
    /// CANCEL.
    Cancel,
    /// PAYLOAD: an item, a fragment, completion.
    Payload {
        /// F.
        follows: bool,
        /// C.
        complete: bool,
        /// N.
        next: bool,
        /// The item or its part.
        payload: Payload,
    },
    /// ERROR.
    Error {
        /// What went wrong.
        code: ErrorCode,
        /// UTF-8, possibly empty; kept as received (R-ERR-8).
        message: Bytes,
    },
    /// METADATA_PUSH.
    MetadataPush {
        /// Runs to the end of the frame (R-META-2).
        metadata: Bytes,
    },
    /// RESUME.
    Resume(Resume),
    /// RESUME_OK.
    ResumeOk {
        /// Last received client position, 63 bits.
        position: u64,
    },
    /// EXT.
    Ext(Ext),
}

/// SETUP. MIME types are opaque here (R-SETUP-6).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Major and minor.
    pub version: (u16, u16),
    /// Milliseconds between two KEEPALIVE frames, 31 bits.
    pub keepalive_ms: u32,
    /// Longest silence that the client tolerates, milliseconds, 31 bits.
    pub lifetime_ms: u32,
    /// L: both sides limit requests by LEASE.
    pub lease: bool,
    /// Present iff R is set (R-SETUP-5); at most 65,535 bytes.
    pub resume_token: Option<Bytes>,
    /// At most 255 bytes.
    pub metadata_mime: Bytes,
    /// At most 255 bytes.
    pub data_mime: Bytes,
    /// For the application.
    pub payload: Payload,
}

/// LEASE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Milliseconds from reception, 31 bits.
    pub ttl_ms: u32,
    /// Number of requests, 31 bits.
    pub requests: u32,
    /// Runs to the end of the frame (R-META-2).
    pub metadata: Option<Bytes>,
}

/// KEEPALIVE.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// R: an answer is asked for.
    pub respond: bool,
    /// Last received position of the sender, 63 bits.
    pub position: u64,
    /// Echoed in the answer.
    pub data: Bytes,
}

/// RESUME.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resume {
    /// Major and minor.
    pub version: (u16, u16),
    /// As in SETUP.
    pub token: Bytes,
    /// Last received server position, 63 bits.
    pub server_position: u64,
    /// First available client position, 63 bits.
    pub client_position: u64,
}

/// EXT: opaque beyond its extended type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ext {
    /// I: it may be dropped.
    pub ignorable: bool,
    /// M; what it means depends on the extended type.
    pub metadata: bool,
    /// 31 bits, above 0.
    pub extended_type: u32,
    /// The rest of the frame.
    pub rest: Bytes,
}

impl Frame {
    /// A frame of this stream.
    #[must_use]
    pub const fn new(stream_id: StreamId, body: Body) -> Self {
        Self { stream_id, body }
    }

    /// The type field of its header.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        self.body.frame_type()
    }
}

impl Body {
    /// The type field of its header.
    #[must_use]
    pub const fn frame_type(&self) -> FrameType {
        match self {
            Self::Setup(_) => FrameType::Setup,
            Self::Lease(_) => FrameType::Lease,
            Self::Keepalive(_) => FrameType::Keepalive,
            Self::RequestResponse { .. } => FrameType::RequestResponse,
            Self::RequestFireAndForget { .. } => FrameType::RequestFireAndForget,
            Self::RequestStream { .. } => FrameType::RequestStream,
            Self::RequestChannel { .. } => FrameType::RequestChannel,
            Self::RequestN { .. } => FrameType::RequestN,
            Self::Cancel => FrameType::Cancel,
            Self::Payload { .. } => FrameType::Payload,
            Self::Error { .. } => FrameType::Error,
            Self::MetadataPush { .. } => FrameType::MetadataPush,
            Self::Resume(_) => FrameType::Resume,
            Self::ResumeOk { .. } => FrameType::ResumeOk,
            Self::Ext(_) => FrameType::Ext,
        }
    }
}
