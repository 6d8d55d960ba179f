//! The wire layer against vectors of other implementations, mutations of them, an independent
//! WebSocket and random values.

mod vectors;

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
