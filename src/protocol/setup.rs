//! The first frame: SETUP as it is checked, offered and answered (conformance 2.1).

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;

use crate::wire::{Body, DecodeError, ErrorCode, Frame, FrameType, Payload, Setup};

/// What a client announces about itself and the connection.
#[derive(Clone, Debug)]
pub struct ClientSetup {
    /// How often it sends KEEPALIVE; 1 ms to 2^31-1 ms.
    pub keepalive: Duration,
    /// The longest silence that it tolerates; 1 ms to 2^31-1 ms.
    pub lifetime: Duration,
    /// Whether both sides limit requests by LEASE.
    pub lease: bool,
    /// MIME type of the metadata of every frame, at most 127 bytes (R-SETUP-6).
    pub metadata_mime: Bytes,
    /// MIME type of the data of every frame, at most 127 bytes (R-SETUP-6).
    pub data_mime: Bytes,
    /// Who it is, for the application; one frame with the rest (R-SETUP-18).
    pub payload: Payload,
}

impl ClientSetup {
    pub(super) fn to_frame(&self) -> Setup {
        Setup {
            version: VERSION,
            keepalive_ms: millis(self.keepalive),
            lifetime_ms: millis(self.lifetime),
            lease: self.lease,
            resume_token: None,
            metadata_mime: self.metadata_mime.clone(),
            data_mime: self.data_mime.clone(),
            payload: self.payload.clone(),
        }
    }
}

/// Within what the wire can say: 1 to 2^31-1 ms (R-SETUP-4, R-KA-12).
pub(super) fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).map_or(0x7FFF_FFFF, |ms| ms.clamp(1, 0x7FFF_FFFF))
}

/// Refuses a SETUP: one ERROR on stream 0, then close (R-SETUP-10).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetupRejection {
    /// INVALID_SETUP, UNSUPPORTED_SETUP, REJECTED_SETUP, or REJECTED_RESUME for a RESUME.
    pub code: ErrorCode,
    /// Short text for a developer.
    pub message: Cow<'static, str>,
}

impl SetupRejection {
    /// Malformed, or of another version.
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::INVALID_SETUP, message: message.into() }
    }

    /// Asks for something that this server does not do.
    pub fn unsupported(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::UNSUPPORTED_SETUP, message: message.into() }
    }

    /// Refused by policy: authentication, or a full server.
    pub fn rejected(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::REJECTED_SETUP, message: message.into() }
    }

    fn resume(message: impl Into<Cow<'static, str>>) -> Self {
        Self { code: ErrorCode::REJECTED_RESUME, message: message.into() }
    }
}

/// Version 1.0, the only one there is (R-VER-1, R-VER-2).
pub(super) const VERSION: (u16, u16) = (1, 0);

/// Checks the first frame that a client sent; `leases` tells whether this server grants any.
pub(super) fn check_first(
    frame: Frame,
    leases: bool,
    keepalive_min: Duration,
) -> Result<Setup, SetupRejection> {
    let on_stream_0 = frame.stream_id.is_connection();
    let frame_type = frame.frame_type();
    match frame.body {
        Body::Setup(setup) if on_stream_0 => check_setup(setup, leases, keepalive_min),
        // Here is the place of RESUME (conformance 4.2): positions and a session to take over.
        Body::Resume(resume) if on_stream_0 => Err(match resume.version {
            (1, 0) | (0, 1) => SetupRejection::resume("this server does not resume: send SETUP"),
            _ => SetupRejection::resume("unsupported version: this is RSocket 1.0"),
        }),
        Body::Setup(_)
        | Body::Resume(_)
        | Body::Lease(_)
        | Body::Keepalive(_)
        | Body::RequestResponse { .. }
        | Body::RequestFireAndForget { .. }
        | Body::RequestStream { .. }
        | Body::RequestChannel { .. }
        | Body::RequestN { .. }
        | Body::Cancel
        | Body::Payload { .. }
        | Body::Error { .. }
        | Body::MetadataPush { .. }
        | Body::ResumeOk { .. }
        | Body::Ext(_) => Err(SetupRejection::invalid(format!(
            "the first frame must be SETUP on stream 0, not {} on stream {}",
            frame_type.name(),
            frame.stream_id.get()
        ))),
    }
}

/// The rejection for a first frame that could not be decoded (R-SETUP-2, R-HDR-5).
pub(super) fn reject_malformed(error: &DecodeError) -> SetupRejection {
    match error.frame_type {
        Some(FrameType::Resume) => SetupRejection::resume(format!("malformed RESUME: {error}")),
        _ => SetupRejection::invalid(format!("malformed first frame: {error}")),
    }
}

fn check_setup(
    setup: Setup,
    leases: bool,
    keepalive_min: Duration,
) -> Result<Setup, SetupRejection> {
    if setup.version != VERSION {
        let (major, minor) = setup.version;
        return Err(SetupRejection::invalid(format!(
            "version {major}.{minor} is not supported: this is RSocket 1.0"
        )));
    }
    if setup.keepalive_ms == 0 || setup.lifetime_ms == 0 {
        return Err(SetupRejection::invalid("keepalive and lifetime must be above 0 ms"));
    }
    if Duration::from_millis(setup.keepalive_ms.into()) < keepalive_min {
        let min = keepalive_min.as_millis();
        return Err(SetupRejection::unsupported(format!("keepalive must be at least {min} ms")));
    }
    match &setup.resume_token {
        Some(token) if token.is_empty() => {
            return Err(SetupRejection::invalid("the resume token is empty"));
        }
        Some(_) => {
            return Err(SetupRejection::rejected("this server does not resume: clear the R flag"));
        }
        None => {}
    }
    if setup.lease && !leases {
        return Err(SetupRejection::unsupported("this server grants no leases: clear the L flag"));
    }
    Ok(setup)
}
