//! Damaged input: nothing panics, nothing is invented, nothing is reserved for a length that was
//! only declared.

use std::thread;

use bytes::{Bytes, BytesMut};

use super::{Random, encoded, vectors};
use crate::wire::{
    Auth, Body, Deframer, Entries, Frame, Inbound, Mime, Tags, TraceContext, decode,
};

/// Random mutations of all vectors together.
const MUTATIONS: usize = 250_000;

/// Says what the input was when a check of it panics.
struct Shown<'a>(&'a [u8]);

impl Drop for Shown<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("the input was {:02x?}", self.0);
        }
    }
}

/// Gives one input to every decoder.
fn check(input: &[u8]) {
    let _shown = Shown(input);
    let input = Bytes::copy_from_slice(input);
    check_frame(&input);
    check_metadata(&input);
    check_deframer(Deframer::length_prefix(1 << 16), &input);
    check_deframer(Deframer::websocket(true, 1 << 16), &input);
    check_deframer(Deframer::websocket(false, 1 << 16), &input);
}

fn check_frame(input: &Bytes) {
    match decode(input.clone()) {
        Ok(frame) => {
            let parts = parts(&frame);
            assert!(parts.iter().map(|part| part.len()).sum::<usize>() <= input.len());
            for part in parts {
                assert_within(part, input);
            }
            // What was understood survives: the damage was at most dropped.
            let again = encoded(&frame);
            assert_eq!(again.len(), frame.encoded_len());
            assert!(again.len() <= input.len(), "longer than what it came from");
            assert_eq!(decode(again), Ok(frame));
        }
        Err(error) => {
            assert_eq!(error.stream_id.is_some(), input.len() >= 6);
            assert_eq!(error.frame_type.is_some(), input.len() >= 6);
            assert!(!error.to_string().is_empty());
        }
    }
}

/// The slice is a part of the input's own memory.
fn assert_within(part: &[u8], input: &[u8]) {
    let (part, input) = (part.as_ptr_range(), input.as_ptr_range());
    assert!(part.is_empty() || (input.start <= part.start && part.end <= input.end));
}

fn parts(frame: &Frame) -> Vec<&Bytes> {
    match &frame.body {
        Body::Setup(setup) => {
            let optional = setup.resume_token.iter().chain(&setup.payload.metadata);
            optional.chain([&setup.metadata_mime, &setup.data_mime, &setup.payload.data]).collect()
        }
        Body::Lease(lease) => lease.metadata.iter().collect(),
        Body::Keepalive(keepalive) => vec![&keepalive.data],
        Body::RequestResponse { payload, .. }
        | Body::RequestFireAndForget { payload, .. }
        | Body::RequestStream { payload, .. }
        | Body::RequestChannel { payload, .. }
        | Body::Payload { payload, .. } => payload.metadata.iter().chain([&payload.data]).collect(),
        Body::RequestN { .. } | Body::Cancel | Body::ResumeOk { .. } => Vec::new(),
        Body::Error { message, .. } => vec![message],
        Body::MetadataPush { metadata } => vec![metadata],
        Body::Resume(resume) => vec![&resume.token],
        Body::Ext(ext) => vec![&ext.rest],
    }
}

fn check_metadata(input: &Bytes) {
    let mut taken = 0;
    for entry in Entries::new(input.clone()).flatten() {
        assert_within(&entry.content, input);
        taken += 4 + entry.content.len();
    }
    assert!(taken <= input.len());
    let taken: usize = Tags::new(input.clone()).flatten().map(|tag| 1 + tag.as_str().len()).sum();
    assert!(taken <= input.len());
    if let Ok(types) = Mime::decode_all(input.clone(), 16) {
        assert!(types.len() <= 16);
    }
    if let Ok(auth) = Auth::decode(input.clone()) {
        let mut out = BytesMut::new();
        auth.encode(&mut out).expect("what was decoded can be sent");
        assert_eq!(out, *input);
    }
    if let Some(context) = TraceContext::decode(input) {
        let mut out = BytesMut::new();
        context.encode(&mut out);
        assert!(out.len() <= input.len());
        assert_eq!(TraceContext::decode(&out), Some(context));
    }
}

fn check_deframer(mut deframer: Deframer, input: &[u8]) {
    let mut buffer = BytesMut::from(input);
    // One unit takes a byte at least, so this ends.
    for _ in 0..=input.len() {
        let before = buffer.len();
        match deframer.next(&mut buffer) {
            Ok(Some(inbound)) => {
                let len = match &inbound {
                    Inbound::Frame(bytes) | Inbound::Ping(bytes) => bytes.len(),
                    Inbound::Pong | Inbound::Close(_) => 0,
                };
                assert!(buffer.len() < before);
                assert!(len <= input.len());
            }
            Ok(None) | Err(_) => return,
        }
    }
    panic!("more units than bytes");
}

#[test]
fn every_truncation_of_every_vector() {
    for vector in vectors::all() {
        for len in 0..=vector.bytes.len() {
            check(&vector.bytes[..len]);
        }
    }
}

#[test]
fn every_flipped_bit_of_every_vector() {
    for vector in vectors::all() {
        let mut bytes = vector.bytes.to_vec();
        for bit in 0..bytes.len() * 8 {
            bytes[bit / 8] ^= 1 << (bit % 8);
            check(&bytes);
            bytes[bit / 8] ^= 1 << (bit % 8);
        }
    }
}

#[test]
fn random_damage_to_many_bytes() {
    let vectors = vectors::all();
    let mut random = Random(0x7469_6465_6761_7465);
    for _ in 0..MUTATIONS {
        let mut bytes = vectors[random.below(vectors.len())].bytes.to_vec();
        for _ in 0..=random.below(8) {
            damage(&mut bytes, &vectors, &mut random);
        }
        check(&bytes);
    }
}

fn damage(bytes: &mut Vec<u8>, vectors: &[vectors::Vector], random: &mut Random) {
    let at = random.below(bytes.len() + 1);
    match (random.below(6), bytes.get_mut(at)) {
        (0, Some(byte)) => *byte = random.byte(),
        // Lengths live on extremes.
        (1, Some(byte)) => *byte = [0x00, 0x01, 0x7F, 0x80, 0xFE, 0xFF][random.below(6)],
        (2, Some(_)) => {
            bytes.remove(at);
        }
        (3, _) => bytes.insert(at, random.byte()),
        (4, _) => bytes.truncate(at),
        (_, _) => {
            let other = &vectors[random.below(vectors.len())].bytes;
            bytes.truncate(at);
            bytes.extend_from_slice(&other[random.below(other.len() + 1)..]);
        }
    }
}

#[test]
fn r_wire_6_a_declared_length_reserves_nothing() {
    const MAX: usize = 0xFF_FFFF;
    let masked = [0x82, 0xFF, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4];
    let plain = [0x82, 0x7F, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0xFF];
    let deframers = [
        (Deframer::length_prefix(MAX), &[0xFF, 0xFF, 0xFF][..]),
        (Deframer::websocket(true, MAX), &masked),
        (Deframer::websocket(false, MAX), &plain),
    ];
    for (mut deframer, header) in deframers {
        let mut buffer = BytesMut::with_capacity(64);
        let capacity = buffer.capacity();
        for bytes in [header, &[0; 16][..], &[0; 16][..]] {
            buffer.extend_from_slice(bytes);
            assert_eq!(deframer.next(&mut buffer), Ok(None));
            assert_eq!(buffer.capacity(), capacity);
        }
        assert_eq!(buffer.len(), header.len() + 32);
    }
}
