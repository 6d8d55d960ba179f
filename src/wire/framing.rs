//! What surrounds a frame on the transport: a length prefix, or a WebSocket frame.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use thiserror::Error;

use super::websocket::{self, Masking, Messages};

/// Length of the prefix on a byte stream (R-WIRE-1).
const PREFIX_LEN: usize = 3;
/// No frame is longer than this, on any transport (R-WIRE-3).
const FRAME_LEN_MAX: usize = 0xFF_FFFF;
/// What rsocket-java takes over TCP: its limit includes the prefix (R-WIRE-8).
const FRAME_LEN_MAX_TCP: usize = FRAME_LEN_MAX - PREFIX_LEN;
/// The shortest frame is its header (R-WIRE-5).
const FRAME_LEN_MIN: usize = 6;

/// How outbound frames are framed.
#[derive(Clone, Debug)]
pub enum Framing {
    /// A u24 length before each frame: TCP and other byte streams (R-WIRE-1).
    LengthPrefix,
    /// One final binary WebSocket frame for each (R-WIRE-2, R-WS-3).
    WebSocket(Masking),
}

impl Framing {
    /// Bytes that framing adds to a frame of this length.
    #[must_use]
    pub const fn overhead(&self, frame_len: usize) -> usize {
        match self {
            Self::LengthPrefix => PREFIX_LEN,
            Self::WebSocket(masking) => websocket::header_len(frame_len, masking.is_client()),
        }
    }

    /// Longest frame to send, bytes (R-WIRE-3, R-WIRE-8).
    #[must_use]
    pub const fn frame_len_max(&self) -> usize {
        match self {
            Self::LengthPrefix => FRAME_LEN_MAX_TCP,
            Self::WebSocket(_) => FRAME_LEN_MAX,
        }
    }

    /// Appends one frame: `write` must append exactly `frame_len` bytes.
    #[inline]
    pub fn encode(
        &mut self,
        out: &mut BytesMut,
        frame_len: usize,
        write: impl FnOnce(&mut BytesMut),
    ) {
        match self {
            Self::LengthPrefix => {
                out.reserve(PREFIX_LEN + frame_len);
                out.put_uint(frame_len as u64, PREFIX_LEN);
                let start = out.len();
                write(out);
                debug_assert_eq!(out.len() - start, frame_len, "the declared length");
            }
            Self::WebSocket(masking) => {
                websocket::encode(masking, out, websocket::Opcode::Binary, frame_len, write);
            }
        }
    }

    /// Answers a Ping; nothing on a byte stream (R-WS-5).
    pub fn pong(&mut self, out: &mut BytesMut, data: &[u8]) {
        if let Self::WebSocket(masking) = self {
            let write = |out: &mut BytesMut| out.extend_from_slice(data);
            websocket::encode(masking, out, websocket::Opcode::Pong, data.len(), write);
        }
    }

    /// Begins or answers the close handshake; nothing on a byte stream (R-WS-5).
    pub fn close(&mut self, out: &mut BytesMut, code: u16) {
        if let Self::WebSocket(masking) = self {
            let write = |out: &mut BytesMut| out.put_u16(code);
            websocket::encode(masking, out, websocket::Opcode::Close, 2, write);
        }
    }
}

/// The next whole thing that arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    /// An RSocket frame, of at least six bytes.
    Frame(Bytes),
    /// A WebSocket Ping, to be answered with its data.
    Ping(Bytes),
    /// A WebSocket Pong, which means nothing (R-WS-5).
    Pong,
    /// The peer's WebSocket Close, with its code.
    Close(Option<u16>),
}

/// The bytes cannot be cut into frames any more: the connection is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Error)]
pub enum FramingError {
    /// A frame or message is longer than allowed; said before its body is read (R-WIRE-6).
    #[error("frame of {len} bytes is longer than the limit of {max}")]
    TooLong {
        /// The declared length.
        len: u64,
        /// The limit.
        max: usize,
    },
    /// Too short to hold a header (R-WIRE-5, R-WS-4).
    #[error("frame of {0} bytes is shorter than its header")]
    TooShort(usize),
    /// A WebSocket text message (R-WS-5).
    #[error("a text message; RSocket frames are binary messages")]
    Text,
    /// A client's WebSocket frame without a mask, or a server's with one (RFC 6455 section 5.1).
    #[error("WebSocket frame with the wrong masking for its sender")]
    Masking,
    /// Reserved bits or opcodes without an extension (RFC 6455 section 5.2).
    #[error("WebSocket frame with reserved bits or opcode")]
    Reserved,
    /// A control frame that is fragmented or too long, or a Close with half a code (RFC 6455
    /// section 5.5).
    #[error("malformed WebSocket control frame")]
    Control,
    /// A continuation of nothing, or a new message within another (RFC 6455 section 5.4).
    #[error("WebSocket continuation out of place")]
    Continuation,
}

impl FramingError {
    /// The WebSocket close code that says so (R-WS-5).
    #[must_use]
    pub const fn close_code(&self) -> u16 {
        match self {
            Self::TooLong { .. } => 1009,
            Self::Text => 1003,
            Self::TooShort(_)
            | Self::Masking
            | Self::Reserved
            | Self::Control
            | Self::Continuation => 1002,
        }
    }
}

/// Cuts what arrives into frames, however it was chunked (R-WIRE-4). It holds nothing but the parts
/// of a fragmented WebSocket message, which grow with the bytes that came.
#[derive(Debug)]
pub struct Deframer {
    frame_len_max: usize,
    kind: Kind,
}

#[derive(Debug)]
enum Kind {
    LengthPrefix,
    WebSocket(Messages),
}

impl Deframer {
    /// For a byte stream.
    #[must_use]
    pub const fn length_prefix(frame_len_max: usize) -> Self {
        Self { frame_len_max, kind: Kind::LengthPrefix }
    }

    /// For a WebSocket; a server expects masked frames, a client unmasked ones.
    #[must_use]
    pub fn websocket(masked: bool, frame_len_max: usize) -> Self {
        Self { frame_len_max, kind: Kind::WebSocket(Messages::new(masked, frame_len_max)) }
    }

    /// Takes the next whole unit off the front of `buffer`; `None` when more bytes are needed.
    /// Nothing is reserved for a declared length.
    ///
    /// # Errors
    /// [`FramingError`]; nothing after it can be read.
    pub fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Inbound>, FramingError> {
        let inbound = match &mut self.kind {
            Kind::LengthPrefix => next_prefixed(buffer, self.frame_len_max)?,
            Kind::WebSocket(messages) => messages.next(buffer)?,
        };
        match inbound {
            Some(Inbound::Frame(frame)) if frame.len() < FRAME_LEN_MIN => {
                Err(FramingError::TooShort(frame.len()))
            }
            inbound => Ok(inbound),
        }
    }
}

fn next_prefixed(buffer: &mut BytesMut, max: usize) -> Result<Option<Inbound>, FramingError> {
    let [a, b, c, ..] = buffer[..] else { return Ok(None) };
    let declared = u32::from_be_bytes([0, a, b, c]);
    let len = usize::try_from(declared).unwrap_or(usize::MAX);
    if len > max {
        return Err(FramingError::TooLong { len: declared.into(), max });
    }
    // Too short is said at once: its body may never come.
    if len < FRAME_LEN_MIN {
        return Err(FramingError::TooShort(len));
    }
    if buffer.len() < PREFIX_LEN + len {
        return Ok(None);
    }
    buffer.advance(PREFIX_LEN);
    Ok(Some(Inbound::Frame(buffer.split_to(len).freeze())))
}
