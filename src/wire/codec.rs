//! Frames to bytes and back, byte for byte as conformance 1.4 lays them out.
//!
//! Every frame opens with six bytes, the stream id (31 bits) and `type << 10 | flags`; integers are
//! big-endian. What follows, by type:
//!
//! ```text
//!   SETUP             major 2, minor 2, keepalive ms 4, lifetime ms 4, [R: token behind u16],
//!                     metadata MIME behind u8, data MIME behind u8, META, data
//!   LEASE             ttl ms 4, requests 4, [M: metadata]
//!   KEEPALIVE         position 8, data
//!   REQUEST_RESPONSE  META, data
//!   REQUEST_FNF       META, data
//!   REQUEST_STREAM    initial n 4, META, data
//!   REQUEST_CHANNEL   initial n 4, META, data
//!   REQUEST_N         n 4
//!   CANCEL            nothing
//!   PAYLOAD           META, data
//!   ERROR             code 4, message
//!   METADATA_PUSH     metadata
//!   RESUME            major 2, minor 2, token behind u16, server position 8, client position 8
//!   RESUME_OK         client position 8
//!   EXT               extended type 4, rest
//!
//!   META              M clear: nothing; M set: metadata behind u24, be it empty (R-META-1)
//! ```
//!
//! A field without a width runs to the end of the frame. There is no state: which frame may come
//! when is `protocol`'s matter, and so is what a malformed one leads to.

use bytes::{Buf, BufMut, Bytes, BytesMut};

use super::header::{HEADER_LEN, MAX_31, MAX_63, flags};
use super::{
    Body, DecodeError, ErrorCode, Ext, Frame, FrameType, Keepalive, Lease, Malformed, Payload,
    PayloadFlags, Resume, Setup, StreamId,
};

/// Length of the field that precedes metadata where both metadata and data may come (R-META-1).
const METADATA_LEN: usize = 3;

// ---- decoding ----------------------------------------------------------------------------------

/// Decodes one frame; what it carries are slices of `frame`, without a copy.
///
/// Undefined flags and reserved bits have no effect (R-HDR-1 to R-HDR-3), and surplus bytes after
/// the last field of a fixed-size frame are passed over (R-HDR-4).
///
/// # Errors
/// [`DecodeError`] when the frame is malformed or of an unknown type; the caller decides what that
/// means for the connection.
pub fn decode(mut frame: Bytes) -> Result<Frame, DecodeError> {
    if frame.len() < HEADER_LEN {
        return Err(DecodeError {
            kind: Malformed::Truncated,
            stream_id: None,
            frame_type: None,
            ignorable: false,
        });
    }
    let stream_id = StreamId::new(frame.get_u32());
    let type_and_flags = frame.get_u16();
    let [high, _] = type_and_flags.to_be_bytes();
    let frame_type = FrameType::from_code(high >> 2);
    let body = decode_body(frame_type, Flags(type_and_flags), frame).map_err(|kind| {
        let ignorable = Flags(type_and_flags).has(flags::IGNORE);
        DecodeError { kind, stream_id: Some(stream_id), frame_type: Some(frame_type), ignorable }
    })?;
    Ok(Frame { stream_id, body })
}

#[derive(Clone, Copy)]
struct Flags(u16);

impl Flags {
    const fn has(self, flag: u16) -> bool {
        self.0 & flag != 0
    }
}

fn decode_body(frame_type: FrameType, bits: Flags, mut rest: Bytes) -> Result<Body, Malformed> {
    let follows = bits.has(flags::FOLLOWS);
    let complete = bits.has(flags::COMPLETE);
    Ok(match frame_type {
        FrameType::Payload => {
            let next = bits.has(flags::NEXT);
            Body::Payload { follows, complete, next, payload: get_payload(bits, rest)? }
        }
        FrameType::RequestN => Body::RequestN { n: get_u31(&mut rest)? },
        FrameType::Cancel => Body::Cancel,
        FrameType::RequestResponse => {
            Body::RequestResponse { follows, payload: get_payload(bits, rest)? }
        }
        FrameType::RequestFireAndForget => {
            Body::RequestFireAndForget { follows, payload: get_payload(bits, rest)? }
        }
        FrameType::RequestStream => {
            let initial_n = get_u31(&mut rest)?;
            Body::RequestStream { follows, initial_n, payload: get_payload(bits, rest)? }
        }
        FrameType::RequestChannel => {
            let initial_n = get_u31(&mut rest)?;
            let payload = get_payload(bits, rest)?;
            Body::RequestChannel { follows, complete, initial_n, payload }
        }
        FrameType::Error => {
            let code = ErrorCode(rest.try_get_u32().map_err(truncated)?);
            Body::Error { code, message: rest }
        }
        FrameType::Keepalive => {
            let position = get_u63(&mut rest)?;
            Body::Keepalive(Keepalive { respond: bits.has(flags::RESPOND), position, data: rest })
        }
        FrameType::Lease => {
            let ttl_ms = get_u31(&mut rest)?;
            let requests = get_u31(&mut rest)?;
            let metadata = bits.has(flags::METADATA).then_some(rest);
            Body::Lease(Lease { ttl_ms, requests, metadata })
        }
        // M may be clear: the rest is metadata all the same (R-MP-3).
        FrameType::MetadataPush => Body::MetadataPush { metadata: rest },
        FrameType::Setup => Body::Setup(get_setup(bits, rest)?),
        FrameType::Resume => Body::Resume(get_resume(rest)?),
        FrameType::ResumeOk => Body::ResumeOk { position: get_u63(&mut rest)? },
        FrameType::Ext => {
            let extended_type = get_u31(&mut rest)?;
            if extended_type == 0 {
                return Err(Malformed::ReservedExtension);
            }
            let (ignorable, metadata) = (bits.has(flags::IGNORE), bits.has(flags::METADATA));
            Body::Ext(Ext { ignorable, metadata, extended_type, rest })
        }
        FrameType::Unknown(_) => return Err(Malformed::UnknownType),
    })
}

fn get_payload(bits: Flags, mut rest: Bytes) -> Result<Payload, Malformed> {
    if !bits.has(flags::METADATA) {
        return Ok(Payload { metadata: None, data: rest });
    }
    if rest.len() < METADATA_LEN {
        return Err(Malformed::MetadataOverrun);
    }
    let len = usize::try_from(rest.get_uint(METADATA_LEN)).unwrap_or(usize::MAX);
    if len > rest.len() {
        return Err(Malformed::MetadataOverrun);
    }
    Ok(Payload { metadata: Some(rest.split_to(len)), data: rest })
}

fn get_setup(bits: Flags, mut rest: Bytes) -> Result<Setup, Malformed> {
    let version = get_version(&mut rest)?;
    let keepalive_ms = get_u31(&mut rest)?;
    let lifetime_ms = get_u31(&mut rest)?;
    let resume_token = if bits.has(flags::RESUME) { Some(get_token(&mut rest)?) } else { None };
    let metadata_mime = get_short(&mut rest)?;
    let data_mime = get_short(&mut rest)?;
    let lease = bits.has(flags::LEASE);
    let payload = get_payload(bits, rest)?;
    Ok(Setup {
        version,
        keepalive_ms,
        lifetime_ms,
        lease,
        resume_token,
        metadata_mime,
        data_mime,
        payload,
    })
}

fn get_resume(mut rest: Bytes) -> Result<Resume, Malformed> {
    let version = get_version(&mut rest)?;
    let token = get_token(&mut rest)?;
    let server_position = get_u63(&mut rest)?;
    let client_position = get_u63(&mut rest)?;
    Ok(Resume { version, token, server_position, client_position })
}

fn get_version(rest: &mut Bytes) -> Result<(u16, u16), Malformed> {
    let major = rest.try_get_u16().map_err(truncated)?;
    let minor = rest.try_get_u16().map_err(truncated)?;
    Ok((major, minor))
}

fn get_u31(rest: &mut Bytes) -> Result<u32, Malformed> {
    Ok(rest.try_get_u32().map_err(truncated)? & MAX_31)
}

fn get_u63(rest: &mut Bytes) -> Result<u64, Malformed> {
    Ok(rest.try_get_u64().map_err(truncated)? & MAX_63)
}

fn get_token(rest: &mut Bytes) -> Result<Bytes, Malformed> {
    let len = rest.try_get_u16().map_err(truncated)?;
    take(rest, len.into())
}

/// Bytes behind a one-byte length, unsigned (R-SETUP-6).
fn get_short(rest: &mut Bytes) -> Result<Bytes, Malformed> {
    let len = rest.try_get_u8().map_err(truncated)?;
    take(rest, len.into())
}

fn take(rest: &mut Bytes, len: usize) -> Result<Bytes, Malformed> {
    if len > rest.len() {
        return Err(Malformed::Truncated);
    }
    Ok(rest.split_to(len))
}

fn truncated(_: bytes::TryGetError) -> Malformed {
    Malformed::Truncated
}

// ---- encoding ----------------------------------------------------------------------------------

/// Length of a PAYLOAD frame's header and metadata length field, without metadata and data.
#[must_use]
pub const fn payload_header_len(has_metadata: bool) -> usize {
    HEADER_LEN + if has_metadata { METADATA_LEN } else { 0 }
}

/// The header of a PAYLOAD frame; the caller appends metadata and data.
#[inline]
pub fn put_payload_header(
    out: &mut BytesMut,
    stream_id: StreamId,
    payload_flags: PayloadFlags,
    metadata_len: Option<usize>,
) {
    let bits = payload_flags.bits() | metadata_flag(metadata_len.is_some());
    put_header(out, stream_id, FrameType::Payload, bits);
    if let Some(len) = metadata_len {
        out.put_uint(len as u64, METADATA_LEN);
    }
}

impl Frame {
    /// Appends the frame to `out`, without framing: [`Frame::encoded_len`] bytes.
    ///
    /// Fields of 31 and 63 bits are masked. A token or MIME type longer than its length field can
    /// say is cut, so that the frame stays well-formed; whoever takes such a string from a user
    /// refuses it there.
    pub fn encode(&self, out: &mut BytesMut) {
        let put = |out: &mut BytesMut, bits: u16| {
            put_header(out, self.stream_id, self.frame_type(), bits);
        };
        match &self.body {
            Body::Payload { follows, complete, next, payload } => {
                let flags = PayloadFlags { follows: *follows, complete: *complete, next: *next };
                put(out, flags.bits() | payload_bits(payload));
                put_payload(out, payload);
            }
            Body::RequestResponse { follows, payload }
            | Body::RequestFireAndForget { follows, payload } => {
                put(out, follows_flag(*follows) | payload_bits(payload));
                put_payload(out, payload);
            }
            Body::RequestStream { follows, initial_n, payload } => {
                put(out, follows_flag(*follows) | payload_bits(payload));
                out.put_u32(initial_n & MAX_31);
                put_payload(out, payload);
            }
            Body::RequestChannel { follows, complete, initial_n, payload } => {
                let complete = if *complete { flags::COMPLETE } else { 0 };
                put(out, follows_flag(*follows) | complete | payload_bits(payload));
                out.put_u32(initial_n & MAX_31);
                put_payload(out, payload);
            }
            Body::RequestN { n } => {
                put(out, 0);
                out.put_u32(n & MAX_31);
            }
            Body::Cancel => put(out, 0),
            Body::Error { code, message } => {
                put(out, 0);
                out.put_u32(code.0);
                out.extend_from_slice(message);
            }
            Body::Setup(setup) => {
                put(out, setup_bits(setup));
                put_setup(out, setup);
            }
            Body::Lease(lease) => {
                put(out, metadata_flag(lease.metadata.is_some()));
                put_lease(out, lease);
            }
            Body::Keepalive(keepalive) => {
                put(out, if keepalive.respond { flags::RESPOND } else { 0 });
                out.put_u64(keepalive.position & MAX_63);
                out.extend_from_slice(&keepalive.data);
            }
            Body::MetadataPush { metadata } => {
                put(out, flags::METADATA);
                out.extend_from_slice(metadata);
            }
            Body::Resume(resume) => {
                put(out, 0);
                put_resume(out, resume);
            }
            Body::ResumeOk { position } => {
                put(out, 0);
                out.put_u64(position & MAX_63);
            }
            Body::Ext(ext) => {
                let ignore = if ext.ignorable { flags::IGNORE } else { 0 };
                put(out, ignore | metadata_flag(ext.metadata));
                out.put_u32(ext.extended_type & MAX_31);
                out.extend_from_slice(&ext.rest);
            }
        }
    }

    /// Length of the encoded frame, bytes, without framing.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let body = match &self.body {
            Body::Payload { payload, .. }
            | Body::RequestResponse { payload, .. }
            | Body::RequestFireAndForget { payload, .. } => payload_len(payload),
            Body::RequestStream { payload, .. } | Body::RequestChannel { payload, .. } => {
                4 + payload_len(payload)
            }
            Body::RequestN { .. } => 4,
            Body::Cancel => 0,
            Body::Error { message, .. } => 4 + message.len(),
            Body::Setup(setup) => {
                let token = setup.resume_token.as_ref().map_or(0, |token| 2 + token_len(token));
                let mimes = 2 + short_len(&setup.metadata_mime) + short_len(&setup.data_mime);
                12 + token + mimes + payload_len(&setup.payload)
            }
            Body::Lease(lease) => 8 + lease.metadata.as_ref().map_or(0, Bytes::len),
            Body::Keepalive(keepalive) => 8 + keepalive.data.len(),
            Body::MetadataPush { metadata } => metadata.len(),
            Body::Resume(resume) => 4 + 2 + token_len(&resume.token) + 16,
            Body::ResumeOk { .. } => 8,
            Body::Ext(ext) => 4 + ext.rest.len(),
        };
        HEADER_LEN + body
    }
}

#[inline]
fn put_header(out: &mut BytesMut, stream_id: StreamId, frame_type: FrameType, bits: u16) {
    let id = u64::from(stream_id.get());
    let type_and_flags = (u64::from(frame_type.code()) << 10) | u64::from(bits);
    out.put_uint((id << 16) | type_and_flags, HEADER_LEN);
}

fn put_payload(out: &mut BytesMut, payload: &Payload) {
    if let Some(metadata) = &payload.metadata {
        out.put_uint(metadata.len() as u64, METADATA_LEN);
        out.extend_from_slice(metadata);
    }
    out.extend_from_slice(&payload.data);
}

fn payload_len(payload: &Payload) -> usize {
    payload.len() + if payload.metadata.is_some() { METADATA_LEN } else { 0 }
}

fn put_setup(out: &mut BytesMut, setup: &Setup) {
    put_version(out, setup.version);
    out.put_u32(setup.keepalive_ms & MAX_31);
    out.put_u32(setup.lifetime_ms & MAX_31);
    if let Some(token) = &setup.resume_token {
        put_token(out, token);
    }
    put_short(out, &setup.metadata_mime);
    put_short(out, &setup.data_mime);
    put_payload(out, &setup.payload);
}

fn put_lease(out: &mut BytesMut, lease: &Lease) {
    out.put_u32(lease.ttl_ms & MAX_31);
    out.put_u32(lease.requests & MAX_31);
    out.extend_from_slice(lease.metadata.as_deref().unwrap_or_default());
}

fn put_resume(out: &mut BytesMut, resume: &Resume) {
    put_version(out, resume.version);
    put_token(out, &resume.token);
    out.put_u64(resume.server_position & MAX_63);
    out.put_u64(resume.client_position & MAX_63);
}

fn put_version(out: &mut BytesMut, (major, minor): (u16, u16)) {
    out.put_u16(major);
    out.put_u16(minor);
}

fn put_token(out: &mut BytesMut, token: &[u8]) {
    let len = u16::try_from(token.len()).unwrap_or(u16::MAX);
    out.put_u16(len);
    out.extend_from_slice(token.get(..len.into()).unwrap_or(token));
}

/// What [`put_token`] writes of it.
fn token_len(token: &[u8]) -> usize {
    token.len().min(u16::MAX.into())
}

fn put_short(out: &mut BytesMut, text: &[u8]) {
    let len = u8::try_from(text.len()).unwrap_or(u8::MAX);
    out.put_u8(len);
    out.extend_from_slice(text.get(..len.into()).unwrap_or(text));
}

/// What [`put_short`] writes of it.
fn short_len(text: &[u8]) -> usize {
    text.len().min(u8::MAX.into())
}

fn setup_bits(setup: &Setup) -> u16 {
    let resume = if setup.resume_token.is_some() { flags::RESUME } else { 0 };
    let lease = if setup.lease { flags::LEASE } else { 0 };
    payload_bits(&setup.payload) | resume | lease
}

fn payload_bits(payload: &Payload) -> u16 {
    metadata_flag(payload.metadata.is_some())
}

const fn metadata_flag(present: bool) -> u16 {
    if present { flags::METADATA } else { 0 }
}

const fn follows_flag(follows: bool) -> u16 {
    if follows { flags::FOLLOWS } else { 0 }
}
