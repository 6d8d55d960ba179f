//! Bytes through every decoder of `wire`: what decodes survives a round trip, and framing does not
//! depend on how the bytes were chunked.

use bytes::{Bytes, BytesMut};
use tidegate::wire::{
    self, Auth, CompositeBuilder, Deframer, Entries, FramingError, Inbound, Mime, Tags,
    TraceContext,
};

/// Target `decode`.
pub fn decode(input: &[u8]) {
    let bytes = Bytes::copy_from_slice(input);
    frame(&bytes);
    composite(&bytes);
    tags(&bytes);
    auth(&bytes);
    mimes(&bytes);
    trace_context(input);
    let kinds: [fn(usize) -> Deframer; 3] = [
        Deframer::length_prefix,
        |max| Deframer::websocket(true, max),
        |max| Deframer::websocket(false, max),
    ];
    for kind in kinds {
        for frame_len_max in [40, 0xFF_FFFF] {
            deframe(kind(frame_len_max), kind(frame_len_max), input);
        }
    }
}

fn frame(bytes: &Bytes) {
    let Ok(frame) = wire::decode(bytes.clone()) else { return };
    let mut encoded = BytesMut::new();
    frame.encode(&mut encoded);
    assert_eq!(encoded.len(), frame.encoded_len(), "the length that was said of {frame:?}");
    assert!(encoded.len() <= bytes.len(), "{frame:?} is longer than what it came from");
    assert_eq!(wire::decode(encoded.freeze()), Ok(frame), "after a round trip");
}

fn composite(bytes: &Bytes) {
    let entries: Vec<_> = Entries::new(bytes.clone()).map_while(Result::ok).collect();
    let content: usize = entries.iter().map(|entry| entry.content.len() + 4).sum();
    assert!(content <= bytes.len(), "entries out of nothing");
    let build = |builder: CompositeBuilder, entry: &wire::Entry| {
        builder.entry(&entry.mime, &entry.content).expect("an entry that was decoded is sendable")
    };
    let encoded = entries.iter().fold(CompositeBuilder::default(), build).build();
    let again: Result<Vec<_>, _> = Entries::new(encoded).collect();
    assert_eq!(again.as_ref(), Ok(&entries), "after a round trip");
}

fn tags(bytes: &Bytes) {
    let tags: Vec<_> = Tags::new(bytes.clone()).map_while(Result::ok).collect();
    let mut encoded = BytesMut::new();
    for tag in &tags {
        Tags::encode(tag.as_str(), &mut encoded).expect("a tag that was decoded is sendable");
    }
    assert!(bytes.starts_with(&encoded), "tags are not what was sent");
}

fn auth(bytes: &Bytes) {
    let Ok(auth) = Auth::decode(bytes.clone()) else { return };
    let mut encoded = BytesMut::new();
    auth.encode(&mut encoded).expect("authentication that was decoded is sendable");
    assert_eq!(encoded, bytes, "after a round trip");
    let _ = format!("{auth:?}");
}

fn mimes(bytes: &Bytes) {
    const MAX: usize = 8;
    let Ok(mimes) = Mime::decode_all(bytes.clone(), MAX) else { return };
    assert!(mimes.len() <= MAX);
    let mut encoded = BytesMut::new();
    for mime in &mimes {
        mime.encode(&mut encoded).expect("a type that was decoded is sendable");
        let _ = mime.to_string();
    }
    assert_eq!(Mime::decode_all(encoded.freeze(), MAX), Ok(mimes), "after a round trip");
}

fn trace_context(input: &[u8]) {
    let Some(context) = TraceContext::decode(input) else { return };
    let mut encoded = BytesMut::new();
    context.encode(&mut encoded);
    assert!(encoded.len() <= input.len(), "{context:?} is longer than what it came from");
    assert_eq!(TraceContext::decode(&encoded), Some(context), "after a round trip");
}

type Cut = (Vec<Inbound>, Option<FramingError>);

fn deframe(mut whole: Deframer, mut chunked: Deframer, input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    let mut expected = Cut::default();
    take(&mut whole, &mut buffer, &mut expected);

    let mut buffer = BytesMut::new();
    let mut found = Cut::default();
    let mut rest = input;
    while !rest.is_empty() && found.1.is_none() {
        // The bytes to come choose how they are chunked.
        let (chunk, later) = rest.split_at(usize::from(rest[0] % 23 + 1).min(rest.len()));
        rest = later;
        buffer.extend_from_slice(chunk);
        take(&mut chunked, &mut buffer, &mut found);
        // BytesMut doubles; a declared length may be 2^63.
        let bound = 2 * input.len() + 64;
        assert!(buffer.capacity() <= bound, "{} bytes reserved", buffer.capacity());
    }
    assert_eq!(found, expected, "framing depends on the chunks");
}

fn take(deframer: &mut Deframer, buffer: &mut BytesMut, cut: &mut Cut) {
    loop {
        match deframer.next(buffer) {
            Ok(Some(inbound)) => cut.0.push(inbound),
            Ok(None) => return,
            Err(error) => {
                let _ = (error.close_code(), error.to_string());
                cut.1 = Some(error);
                return;
            }
        }
    }
}
