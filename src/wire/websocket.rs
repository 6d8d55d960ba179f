//! WebSocket framing (RFC 6455 section 5): the codec beside the length prefix.
//!
//! ```text
//!   FIN RSV×3 opcode×4 | MASK len×7 | len: u16 or u64 | mask: 4 bytes | payload
//! ```

use bytes::{Buf, BufMut, BytesMut};

use super::framing::{FramingError, Inbound};

/// Longest payload of a control frame.
const CONTROL_LEN_MAX: usize = 125;

/// Whether outbound frames carry a mask: a client's must, a server's must not.
#[derive(Clone, Debug)]
pub enum Masking {
    /// A server's frames.
    None,
    /// A client's frames; the seed feeds the masks and should be unpredictable (RFC 6455 section
    /// 10.3).
    Client {
        /// Any value.
        seed: u64,
    },
}

impl Masking {
    pub(super) const fn is_client(&self) -> bool {
        match self {
            Self::None => false,
            Self::Client { .. } => true,
        }
    }

    /// The next mask: splitmix64, seeded once per connection.
    fn next_mask(&mut self) -> Option<[u8; 4]> {
        let Self::Client { seed } = self else { return None };
        *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = *seed;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^= mixed >> 31;
        let [a, b, c, d, ..] = mixed.to_be_bytes();
        Some([a, b, c, d])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    const fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    const fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    const fn is_control(self) -> bool {
        match self {
            Self::Close | Self::Ping | Self::Pong => true,
            Self::Continuation | Self::Text | Self::Binary => false,
        }
    }
}

pub(super) const fn header_len(payload_len: usize, masked: bool) -> usize {
    let len = match payload_len {
        0..126 => 2,
        126..=0xFFFF => 4,
        _ => 10,
    };
    len + if masked { 4 } else { 0 }
}

/// Appends one final frame whose payload `write` appends.
#[inline]
pub(super) fn encode(
    masking: &mut Masking,
    out: &mut BytesMut,
    opcode: Opcode,
    payload_len: usize,
    write: impl FnOnce(&mut BytesMut),
) {
    const FIN: u8 = 0x80;
    let mask = masking.next_mask();
    let mask_bit = if mask.is_some() { 0x80 } else { 0 };
    out.reserve(header_len(payload_len, mask.is_some()) + payload_len);
    out.put_u8(FIN | opcode.bits());
    match (u8::try_from(payload_len), u16::try_from(payload_len)) {
        (Ok(len), _) if len < 126 => out.put_u8(mask_bit | len),
        (_, Ok(len)) => {
            out.put_u8(mask_bit | 126);
            out.put_u16(len);
        }
        (_, Err(_)) => {
            out.put_u8(mask_bit | 127);
            out.put_u64(payload_len as u64);
        }
    }
    out.extend_from_slice(mask.as_ref().map_or(&[], |mask| &mask[..]));
    let start = out.len();
    write(out);
    debug_assert_eq!(out.len() - start, payload_len, "the declared length");
    if let (Some(mask), Some(payload)) = (mask, out.get_mut(start..)) {
        apply_mask(mask, payload);
    }
}

/// Masks or unmasks, eight bytes at a time.
fn apply_mask(mask: [u8; 4], payload: &mut [u8]) {
    let [a, b, c, d] = mask;
    let word = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (chunks, rest) = payload.as_chunks_mut::<8>();
    for chunk in chunks {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, mask) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= mask;
    }
}

/// Inbound messages: frames unmasked, continuations joined (R-WS-2).
#[derive(Debug)]
pub(super) struct Messages {
    expect_mask: bool,
    message_len_max: usize,
    /// A binary message whose last part has not come; grows with what came, up to
    /// `message_len_max`.
    parts: Option<BytesMut>,
}

struct Header {
    fin: bool,
    opcode: Opcode,
    mask: Option<[u8; 4]>,
    header_len: usize,
    payload_len: usize,
}

impl Messages {
    pub(super) const fn new(expect_mask: bool, message_len_max: usize) -> Self {
        Self { expect_mask, message_len_max, parts: None }
    }

    pub(super) fn next(&mut self, buffer: &mut BytesMut) -> Result<Option<Inbound>, FramingError> {
        loop {
            let Some(header) = self.header(buffer)? else { return Ok(None) };
            if buffer.len() - header.header_len < header.payload_len {
                return Ok(None);
            }
            buffer.advance(header.header_len);
            let mut payload = buffer.split_to(header.payload_len);
            if let Some(mask) = header.mask {
                apply_mask(mask, &mut payload);
            }
            if let Some(inbound) = self.take(&header, payload) {
                return Ok(Some(inbound));
            }
        }
    }

    /// The header at the front, checked as soon as its bytes are there: before the payload is.
    fn header(&self, buffer: &[u8]) -> Result<Option<Header>, FramingError> {
        let [first, second, rest @ ..] = buffer else { return Ok(None) };
        let fin = first & 0x80 != 0;
        if first & 0x70 != 0 {
            return Err(FramingError::Reserved);
        }
        let opcode = Opcode::from_bits(first & 0x0F).ok_or(FramingError::Reserved)?;
        let masked = second & 0x80 != 0;
        if masked != self.expect_mask {
            return Err(FramingError::Masking);
        }
        let (declared, len_bytes) = match (second & 0x7F, rest) {
            (126, [a, b, ..]) => (u64::from(u16::from_be_bytes([*a, *b])), 2),
            (127, [a, b, c, d, e, f, g, h, ..]) => {
                (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), 8)
            }
            (126 | 127, _) => return Ok(None),
            (len, _) => (u64::from(len), 0),
        };
        self.check(opcode, fin, declared)?;
        let mask = match (masked, rest.get(len_bytes..)) {
            (true, Some([a, b, c, d, ..])) => Some([*a, *b, *c, *d]),
            (true, _) => return Ok(None),
            (false, _) => None,
        };
        let header_len = 2 + len_bytes + if masked { 4 } else { 0 };
        let payload_len = usize::try_from(declared).unwrap_or(usize::MAX);
        Ok(Some(Header { fin, opcode, mask, header_len, payload_len }))
    }

    fn check(&self, opcode: Opcode, fin: bool, declared: u64) -> Result<(), FramingError> {
        if opcode.is_control() {
            let fits = declared <= CONTROL_LEN_MAX as u64;
            // A close with a body begins it with a code of two bytes.
            let half_code = opcode == Opcode::Close && declared == 1;
            return if fin && fits && !half_code { Ok(()) } else { Err(FramingError::Control) };
        }
        match (opcode, &self.parts) {
            (Opcode::Text, _) => return Err(FramingError::Text),
            (Opcode::Continuation, None) | (Opcode::Binary, Some(_)) => {
                return Err(FramingError::Continuation);
            }
            (
                Opcode::Continuation | Opcode::Binary | Opcode::Close | Opcode::Ping | Opcode::Pong,
                _,
            ) => {}
        }
        let gathered = self.parts.as_ref().map_or(0, BytesMut::len);
        let len = declared.saturating_add(gathered as u64);
        if len > self.message_len_max as u64 {
            return Err(FramingError::TooLong { len, max: self.message_len_max });
        }
        Ok(())
    }

    /// What one whole frame completes; `None` for a part of a message.
    fn take(&mut self, header: &Header, payload: BytesMut) -> Option<Inbound> {
        match header.opcode {
            Opcode::Ping => Some(Inbound::Ping(payload.freeze())),
            Opcode::Pong => Some(Inbound::Pong),
            Opcode::Close => Some(Inbound::Close(close_code(&payload))),
            Opcode::Text | Opcode::Binary | Opcode::Continuation => {
                let parts = match self.parts.take() {
                    None if header.fin => return Some(Inbound::Frame(payload.freeze())),
                    // In memory of its own, which does not keep the read buffer.
                    None => BytesMut::from(&payload[..]),
                    // Grown in place: a copy for each part would be quadratic.
                    Some(mut parts) => {
                        parts.extend_from_slice(&payload);
                        parts
                    }
                };
                if header.fin {
                    return Some(Inbound::Frame(parts.freeze()));
                }
                self.parts = Some(parts);
                None
            }
        }
    }
}

fn close_code(payload: &[u8]) -> Option<u16> {
    payload.first_chunk().map(|code| u16::from_be_bytes(*code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_ws_5_half_a_close_code_is_malformed() {
        let next = |bytes: &[u8]| Messages::new(false, 100).next(&mut BytesMut::from(bytes));
        assert_eq!(next(&[0x88, 0]), Ok(Some(Inbound::Close(None))));
        assert_eq!(next(&[0x88, 1, 3]), Err(FramingError::Control));
        assert_eq!(next(&[0x88, 2, 3, 0xE8]), Ok(Some(Inbound::Close(Some(1000)))));
        // A Ping of one byte is a Ping.
        let ping = Inbound::Ping(bytes::Bytes::from_static(&[3]));
        assert_eq!(next(&[0x89, 1, 3]), Ok(Some(ping)));
    }

    #[test]
    fn r_ws_2_an_empty_part_behind_a_large_one_moves_nothing() {
        let mut messages = Messages::new(false, 1 << 20);
        let mut first = BytesMut::from(&[0x02, 127, 0, 0, 0, 0, 0, 0x0F, 0xFF, 0xFF][..]);
        first.resize(10 + 0x0F_FFFF, 7);
        assert_eq!(messages.next(&mut first), Ok(None));
        let place = |messages: &Messages| messages.parts.as_ref().map(|parts| parts.as_ptr());
        let gathered = place(&messages);
        assert!(gathered.is_some());
        for _ in 0..3 {
            assert_eq!(messages.next(&mut BytesMut::from(&[0x00, 0][..])), Ok(None));
            // Asked each time: a copy of a copy may come back to where the first one was.
            assert_eq!(place(&messages), gathered);
        }
    }
}
