//! Any value encodes to as many bytes as it says and decodes to itself.

use bytes::{Bytes, BytesMut};
use proptest::prelude::*;

use super::encoded;
use crate::wire::{
    Auth, Body, CompositeBuilder, Entries, ErrorCode, Ext, Frame, Keepalive, Lease, Mime, Payload,
    PayloadFlags, Resume, Sampling, Setup, StreamId, Tags, TraceContext, TraceIds, decode,
    payload_header_len, put_payload_header,
};

const MAX_31: u32 = 0x7FFF_FFFF;
const MAX_63: u64 = 0x7FFF_FFFF_FFFF_FFFF;

fn bytes(len_max: usize) -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..=len_max).prop_map(Bytes::from)
}

fn payload() -> impl Strategy<Value = Payload> {
    (prop::option::of(bytes(300)), bytes(300))
        .prop_map(|(metadata, data)| Payload { metadata, data })
}

fn setup() -> impl Strategy<Value = Body> {
    let numbers = (any::<(u16, u16)>(), 0..=MAX_31, 0..=MAX_31, any::<bool>());
    let strings = (prop::option::of(bytes(400)), bytes(255), bytes(255));
    (numbers, strings, payload()).prop_map(|(numbers, strings, payload)| {
        let (version, keepalive_ms, lifetime_ms, lease) = numbers;
        let (resume_token, metadata_mime, data_mime) = strings;
        Body::Setup(Setup {
            version,
            keepalive_ms,
            lifetime_ms,
            lease,
            resume_token,
            metadata_mime,
            data_mime,
            payload,
        })
    })
}

fn of_connection() -> impl Strategy<Value = Body> {
    prop_oneof![
        setup(),
        (0..=MAX_31, 0..=MAX_31, prop::option::of(bytes(64))).prop_map(
            |(ttl_ms, requests, metadata)| Body::Lease(Lease { ttl_ms, requests, metadata })
        ),
        (any::<bool>(), 0..=MAX_63, bytes(64)).prop_map(|(respond, position, data)| {
            Body::Keepalive(Keepalive { respond, position, data })
        }),
        bytes(64).prop_map(|metadata| Body::MetadataPush { metadata }),
        (any::<(u16, u16)>(), bytes(400), 0..=MAX_63, 0..=MAX_63).prop_map(
            |(version, token, server_position, client_position)| {
                Body::Resume(Resume { version, token, server_position, client_position })
            }
        ),
        (0..=MAX_63).prop_map(|position| Body::ResumeOk { position }),
        (any::<bool>(), any::<bool>(), 1..=MAX_31, bytes(64)).prop_map(
            |(ignorable, metadata, extended_type, rest)| {
                Body::Ext(Ext { ignorable, metadata, extended_type, rest })
            }
        ),
    ]
}

fn of_stream() -> impl Strategy<Value = Body> {
    let flags = any::<(bool, bool, bool)>();
    prop_oneof![
        (any::<bool>(), payload())
            .prop_map(|(follows, payload)| Body::RequestResponse { follows, payload }),
        (any::<bool>(), payload())
            .prop_map(|(follows, payload)| Body::RequestFireAndForget { follows, payload }),
        (any::<bool>(), 0..=MAX_31, payload()).prop_map(|(follows, initial_n, payload)| {
            Body::RequestStream { follows, initial_n, payload }
        }),
        (any::<(bool, bool)>(), 0..=MAX_31, payload()).prop_map(
            |((follows, complete), initial_n, payload)| {
                Body::RequestChannel { follows, complete, initial_n, payload }
            }
        ),
        (0..=MAX_31).prop_map(|n| Body::RequestN { n }),
        Just(Body::Cancel),
        (flags, payload()).prop_map(|((follows, complete, next), payload)| Body::Payload {
            follows,
            complete,
            next,
            payload
        }),
        (any::<u32>(), bytes(64))
            .prop_map(|(code, message)| Body::Error { code: ErrorCode(code), message }),
    ]
}

fn frame() -> impl Strategy<Value = Frame> {
    let body = prop_oneof![of_connection(), of_stream()];
    (0..=MAX_31, body).prop_map(|(id, body)| Frame::new(StreamId::new(id), body))
}

fn mime() -> impl Strategy<Value = Mime> {
    let name = prop::collection::vec(any::<u8>(), 1..=128);
    prop_oneof![(0..=127u8).prop_map(Mime::WellKnown), name.prop_map(|name| Mime::from_name(&name))]
}

fn auth() -> impl Strategy<Value = Auth> {
    let name = prop::collection::vec(any::<u8>(), 1..=128).prop_map(Bytes::from);
    prop_oneof![
        (".{0,40}", ".{0,40}").prop_map(|(username, password)| Auth::Simple { username, password }),
        ".{0,40}".prop_map(Auth::Bearer),
        (2..=127u8, bytes(40)).prop_map(|(id, payload)| Auth::WellKnown(id, payload)),
        (name, bytes(40)).prop_map(|(name, payload)| Auth::Custom(name, payload)),
    ]
}

fn trace_context() -> impl Strategy<Value = TraceContext> {
    let sampling = prop::sample::select(vec![
        Sampling::Undecided,
        Sampling::NotSampled,
        Sampling::Sampled,
        Sampling::Debug,
    ]);
    let ids = (any::<u128>(), any::<bool>(), any::<u64>(), any::<Option<u64>>());
    let ids = ids.prop_map(|(id, wide, span_id, parent_id)| {
        let trace_id = if wide { id } else { id & u128::from(u64::MAX) };
        TraceIds { trace_id, wide, span_id, parent_id }
    });
    (sampling, prop::option::of(ids)).prop_map(|(sampling, ids)| TraceContext { sampling, ids })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn frames(frame in frame()) {
        let out = encoded(&frame);
        prop_assert_eq!(out.len(), frame.encoded_len());
        prop_assert_eq!(out[4] >> 2, frame.frame_type().code());
        prop_assert_eq!(decode(out), Ok(frame));
    }

    #[test]
    fn payload_headers_are_those_of_whole_frames(
        id in 0..=MAX_31,
        flags in any::<(bool, bool, bool)>(),
        payload in payload(),
    ) {
        let stream_id = StreamId::new(id);
        let (follows, complete, next) = flags;
        let metadata_len = payload.metadata.as_ref().map(Bytes::len);
        let mut out = BytesMut::new();
        let flags = PayloadFlags { follows, complete, next };
        put_payload_header(&mut out, stream_id, flags, metadata_len);
        prop_assert_eq!(out.len(), payload_header_len(metadata_len.is_some()));
        out.extend_from_slice(payload.metadata.as_deref().unwrap_or_default());
        out.extend_from_slice(&payload.data);
        let frame = Frame::new(stream_id, Body::Payload { follows, complete, next, payload });
        prop_assert_eq!(out.freeze(), encoded(&frame));
    }

    #[test]
    fn composite_metadata(entries in prop::collection::vec((mime(), bytes(300)), 0..8)) {
        let mut builder = CompositeBuilder::default();
        for (mime, content) in &entries {
            builder = builder.entry(mime, content).expect("short enough");
        }
        let read: Result<Vec<_>, _> = Entries::new(builder.build()).collect();
        let read = read.expect("valid").into_iter().map(|entry| (entry.mime, entry.content));
        prop_assert_eq!(read.collect::<Vec<_>>(), entries);
    }

    #[test]
    fn routing_tags(tags in prop::collection::vec(".{0,60}", 0..8)) {
        let mut out = BytesMut::new();
        for tag in &tags {
            Tags::encode(tag, &mut out).expect("at most 240 bytes");
        }
        let read: Result<Vec<_>, _> = Tags::new(out.freeze()).collect();
        let read = read.expect("valid");
        prop_assert_eq!(read.iter().map(|tag| tag.as_str()).collect::<Vec<_>>(), tags);
    }

    #[test]
    fn authentication(auth in auth()) {
        let mut out = BytesMut::new();
        auth.encode(&mut out).expect("short enough");
        prop_assert!(Auth::decode(out.freeze()).as_ref() == Ok(&auth));
    }

    #[test]
    fn trace_contexts(context in trace_context()) {
        let mut out = BytesMut::new();
        context.encode(&mut out);
        prop_assert_eq!(TraceContext::decode(&out), Some(context));
    }

    #[test]
    fn payloads_in_memory_of_their_own_are_equal(payload in payload()) {
        prop_assert_eq!(payload.to_owned_memory(), payload);
    }
}
