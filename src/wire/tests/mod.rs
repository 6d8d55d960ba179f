//! The wire layer against vectors of other implementations, mutations of them, an independent
//! WebSocket and random values.

#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "what a test does not expect is a failure, whatever it is"
)]

mod framing;
mod metadata;
mod mutations;
mod roundtrip;
mod rules;
mod vectors;
mod websocket;

use bytes::{Bytes, BytesMut};

use crate::wire::Frame;

/// The bytes that this hex text writes.
fn unhex(text: &str) -> Bytes {
    assert!(text.len().is_multiple_of(2), "an odd number of digits: {text}");
    let digit = |byte: u8| {
        char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok()).expect("a digit")
    };
    text.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect()
}

fn encoded(frame: &Frame) -> Bytes {
    let mut out = BytesMut::new();
    frame.encode(&mut out);
    out.freeze()
}

/// xorshift64*: the same numbers in every run.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// 0 to `end`, which it does not reach.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() >> 32).expect("32 bits") % end
    }

    fn byte(&mut self) -> u8 {
        self.next().to_be_bytes()[0]
    }
}
