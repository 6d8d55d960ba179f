//! Every entry of `tests/vectors/frame-vectors.json` decodes as its `fields` say, and encodes to
//! the same bytes. The file comes from an encoder written from the layouts and from four other
//! implementations.

use bytes::{BufMut, Bytes, BytesMut};
use serde_json::Value;

use super::{encoded, unhex};
use crate::wire::{
    Auth, Body, CompositeBuilder, Deframer, Entries, ErrorCode, Ext, Frame, FrameType,
    FramingError, Inbound, Keepalive, Lease, Malformed, Mime, Payload, Resume, Sampling, Setup,
    StreamId, Tags, TraceContext, decode,
};

/// What a kind of vector is called, and how many there are.
const KINDS: [(&str, usize); 12] = [
    ("frame", 95),
    ("fragment", 20),
    ("invalid", 5),
    ("tcp", 3),
    ("composite", 9),
    ("composite_invalid", 3),
    ("routing", 5),
    ("routing_invalid", 1),
    ("auth", 4),
    ("mime_type", 2),
    ("accept_mime_types", 1),
    ("zipkin", 5),
];

/// The frames that no conforming sender emits and whose deviation a value does not keep: what they
/// encode to instead. Other frames that must not be sent (N=0, F with C, no flag at all) are left
/// to the layer above: they encode as they came.
const NOT_KEPT: [(&str, &str); 4] = [
    // Reserved top bit of N (R-HDR-3).
    ("request_n_high_bit", "00000001200000000005"),
    // Reserved top bit of the stream id (R-HDR-1).
    ("header_reserved_stream_bit", "00000001286064"),
    // Undefined flags (R-HDR-2).
    ("header_undefined_flags", "000000012400"),
    // METADATA_PUSH is sent with M (R-MP-1).
    ("metadata_push_no_m_flag", "0000000031006d64"),
];

pub(super) struct Vector {
    pub(super) name: String,
    pub(super) bytes: Bytes,
    fields: Value,
}

pub(super) fn all() -> Vec<Vector> {
    let text = include_str!("../../../tests/vectors/frame-vectors.json");
    let Value::Array(list) = serde_json::from_str(text).expect("valid JSON") else {
        panic!("not a list");
    };
    let vector = |entry: &Value| Vector {
        name: entry["name"].as_str().expect("a name").to_owned(),
        bytes: unhex(entry["hex"].as_str().expect("hex")),
        fields: entry["fields"].clone(),
    };
    list.iter().map(vector).collect()
}

fn of_kind(kind: &str) -> Vec<Vector> {
    all().into_iter().filter(|vector| vector.text("kind") == kind).collect()
}

pub(super) fn named(name: &str) -> Bytes {
    all().into_iter().find(|vector| vector.name == name).expect(name).bytes
}

impl Vector {
    fn text(&self, field: &str) -> &str {
        self.fields[field].as_str().unwrap_or_else(|| panic!("{}: {field}", self.name))
    }

    fn number<T: TryFrom<u64>>(&self, field: &str) -> T {
        let number =
            self.fields[field].as_u64().unwrap_or_else(|| panic!("{}: {field}", self.name));
        T::try_from(number).ok().expect("the number fits its field")
    }

    fn flag(&self, flag: &str) -> bool {
        self.fields["flags"][flag].as_bool().unwrap_or_else(|| panic!("{}: flag {flag}", self.name))
    }

    /// `null` is absent, `""` present and empty.
    fn hex(&self, field: &str) -> Option<Bytes> {
        match &self.fields[field] {
            Value::Null => None,
            Value::String(text) => Some(unhex(text)),
            other => panic!("{}: {field}: {other}", self.name),
        }
    }

    fn bytes_of(&self, field: &str) -> Bytes {
        self.hex(field).unwrap_or_else(|| panic!("{}: {field}", self.name))
    }

    fn text_bytes(&self, field: &str) -> Bytes {
        Bytes::copy_from_slice(self.text(field).as_bytes())
    }

    fn payload(&self) -> Payload {
        Payload { metadata: self.hex("metadata_hex"), data: self.bytes_of("data_hex") }
    }

    fn version(&self) -> (u16, u16) {
        (self.number("major"), self.number("minor"))
    }

    fn frame(&self) -> Frame {
        let body = match self.text("type") {
            "SETUP" => Body::Setup(self.setup()),
            "LEASE" => Body::Lease(Lease {
                ttl_ms: self.number("ttl_ms"),
                requests: self.number("number_of_requests"),
                metadata: self.hex("metadata_hex"),
            }),
            "KEEPALIVE" => Body::Keepalive(Keepalive {
                respond: self.flag("respond"),
                position: self.number("last_received_position"),
                data: self.bytes_of("data_hex"),
            }),
            "REQUEST_N" => Body::RequestN { n: self.number("request_n") },
            "CANCEL" => Body::Cancel,
            "ERROR" => {
                let message = self.bytes_of("data_hex");
                assert_eq!(message, self.text("message"), "{}", self.name);
                Body::Error { code: ErrorCode(self.number("error_code")), message }
            }
            "METADATA_PUSH" => Body::MetadataPush { metadata: self.bytes_of("metadata_hex") },
            "RESUME" => Body::Resume(Resume {
                version: self.version(),
                token: self.bytes_of("resume_token_hex"),
                server_position: self.number("last_received_server_position"),
                client_position: self.number("first_available_client_position"),
            }),
            "RESUME_OK" => {
                Body::ResumeOk { position: self.number("last_received_client_position") }
            }
            "EXT" => Body::Ext(self.ext()),
            _ => self.body_with_payload(),
        };
        Frame { stream_id: StreamId::new(self.number("stream_id")), body }
    }

    fn body_with_payload(&self) -> Body {
        let (follows, payload) = (self.flag("follows"), self.payload());
        let initial_n = || self.number("initial_request_n");
        match self.text("type") {
            "REQUEST_RESPONSE" => Body::RequestResponse { follows, payload },
            "REQUEST_FNF" => Body::RequestFireAndForget { follows, payload },
            "REQUEST_STREAM" => Body::RequestStream { follows, initial_n: initial_n(), payload },
            "REQUEST_CHANNEL" => {
                let complete = self.flag("complete");
                Body::RequestChannel { follows, complete, initial_n: initial_n(), payload }
            }
            "PAYLOAD" => {
                let (complete, next) = (self.flag("complete"), self.flag("next"));
                Body::Payload { follows, complete, next, payload }
            }
            other => panic!("{}: {other}", self.name),
        }
    }

    fn setup(&self) -> Setup {
        let resume_token = self.hex("resume_token_hex");
        assert_eq!(self.flag("resume_enable"), resume_token.is_some(), "{}", self.name);
        Setup {
            version: self.version(),
            keepalive_ms: self.number("keepalive_ms"),
            lifetime_ms: self.number("lifetime_ms"),
            lease: self.flag("lease"),
            resume_token,
            metadata_mime: self.text_bytes("metadata_mime"),
            data_mime: self.text_bytes("data_mime"),
            payload: self.payload(),
        }
    }

    /// The file reads its extended types by the general convention: META, then DATA.
    fn ext(&self) -> Ext {
        let mut rest = BytesMut::new();
        if let Some(metadata) = self.hex("metadata_hex") {
            rest.put_uint(metadata.len() as u64, 3);
            rest.extend_from_slice(&metadata);
        }
        rest.extend_from_slice(&self.bytes_of("data_hex"));
        Ext {
            ignorable: self.flag("ignore"),
            metadata: self.flag("metadata"),
            extended_type: self.number("extended_type"),
            rest: rest.freeze(),
        }
    }
}

#[test]
fn the_file_holds_what_the_tests_below_go_through() {
    let vectors = all();
    assert_eq!(vectors.len(), 153);
    for (kind, count) in KINDS {
        assert_eq!(of_kind(kind).len(), count, "{kind}");
    }
    assert_eq!(KINDS.iter().map(|(_, count)| count).sum::<usize>(), vectors.len());
}

#[test]
fn frames_decode_as_their_fields_say() {
    for vector in of_kind("frame") {
        let name = &vector.name;
        let decoded = decode(vector.bytes.clone());
        if matches!(vector.text("type"), "UNKNOWN" | "RESERVED") {
            let error = decoded.expect_err(name);
            assert_eq!(error.kind, Malformed::UnknownType, "{name}");
            assert_eq!(error.frame_type, Some(FrameType::Unknown(vector.bytes[4] >> 2)), "{name}");
            let stream_id = StreamId::new(vector.number("stream_id"));
            assert_eq!(error.stream_id, Some(stream_id), "{name}");
            assert_eq!(error.ignorable, vector.text("expect").starts_with("dropped"), "{name}");
            continue;
        }
        let frame = decoded.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(frame, vector.frame(), "{name}");
        assert_eq!(frame.frame_type().name(), vector.text("type"), "{name}");
        assert_eq!(frame.frame_type().code(), vector.number::<u8>("type_code"), "{name}");
    }
}

#[test]
fn frames_encode_to_the_bytes_of_the_file() {
    let mut not_kept = 0;
    for vector in of_kind("frame") {
        let name = &vector.name;
        let Ok(frame) = decode(vector.bytes.clone()) else { continue };
        let exception = NOT_KEPT.iter().find(|(exception, _)| exception == name);
        let wanted = exception.map_or(vector.bytes, |(_, hex)| unhex(hex));
        not_kept += usize::from(exception.is_some());
        assert_eq!(encoded(&frame), wanted, "{name}");
        assert_eq!(frame.encoded_len(), wanted.len(), "{name}");
    }
    assert_eq!(not_kept, NOT_KEPT.len());
}

#[test]
fn flags_of_the_file_are_the_ones_that_values_carry() {
    for vector in of_kind("frame") {
        if vector.fields["flags"].is_null() || vector.fields["undefined_flags"] == true {
            continue;
        }
        let flags = u16::from_str_radix(vector.text("flags_hex").trim_start_matches("0x"), 16);
        let raw = u16::from_be_bytes([vector.bytes[4], vector.bytes[5]]) & 0x03FF;
        assert_eq!(flags.expect("hex"), raw, "{}", vector.name);
        if vector.name == "metadata_push_no_m_flag" {
            continue;
        }
        let out = encoded(&vector.frame());
        assert_eq!(u16::from_be_bytes([out[4], out[5]]) & 0x03FF, raw, "{}", vector.name);
    }
}

#[test]
fn fragments_join_to_the_payload_of_the_file() {
    let fragments = of_kind("fragment");
    let sequences: Vec<&[Vector]> =
        fragments.chunk_by(|a, b| a.text("sequence") == b.text("sequence")).collect();
    assert_eq!(sequences.len(), 5);
    for sequence in sequences {
        let name = sequence[0].text("sequence");
        let (mut metadata, mut data) = (BytesMut::new(), BytesMut::new());
        for (index, vector) in (1usize..).zip(sequence) {
            assert_eq!(vector.number::<usize>("index"), index, "{name}");
            let last = index == vector.number::<usize>("count");
            let frame = decode(vector.bytes.clone()).expect(name);
            assert_eq!(encoded(&frame), vector.bytes, "{name} {index}");
            assert_eq!(frame.stream_id.get(), vector.number::<u32>("stream_id"), "{name}");
            assert_eq!(frame.frame_type().code(), vector.number::<u8>("type_code"), "{name}");
            let payload = fragment(vector, index == 1, last, frame.body);
            metadata.extend_from_slice(payload.metadata.as_deref().unwrap_or_default());
            data.extend_from_slice(&payload.data);
        }
        assert_eq!(metadata, sequence[0].bytes_of("reassembled_metadata_hex"), "{name}");
        assert_eq!(data, sequence[0].bytes_of("reassembled_data_hex"), "{name}");
    }
}

/// Checks the flags of one fragment and hands out what it carries.
fn fragment(vector: &Vector, first: bool, last: bool, body: Body) -> Payload {
    let name = &vector.name;
    let (follows, payload) = match body {
        Body::Payload { follows, complete, next, payload } => {
            assert!(next, "{name}: N on every fragment (R-FRAG-8)");
            assert_eq!(complete, last && vector.fields["reassembled_complete"] == true, "{name}");
            (follows, payload)
        }
        Body::RequestResponse { follows, payload }
        | Body::RequestFireAndForget { follows, payload } => (follows, payload),
        Body::RequestStream { follows, initial_n, payload }
        | Body::RequestChannel { follows, initial_n, payload, complete: false } => {
            assert_eq!(initial_n, vector.number::<u32>("initial_request_n"), "{name}");
            (follows, payload)
        }
        other => panic!("{name}: {other:?}"),
    };
    assert_eq!(follows, !last, "{name}");
    assert!(first || vector.bytes[4] >> 2 == FrameType::Payload.code(), "{name}");
    payload
}

#[test]
fn invalid_frames_are_refused_with_what_their_header_says() {
    let overrun = (Malformed::MetadataOverrun, Some((1, FrameType::RequestResponse)));
    for vector in of_kind("invalid") {
        let name = vector.name.as_str();
        let (kind, header) = match name {
            "bad_metadata_length_overrun" | "bad_metadata_length_overrun_ignorable" => overrun,
            "bad_truncated_header" => (Malformed::Truncated, None),
            "bad_truncated_request_n" => (Malformed::Truncated, Some((1, FrameType::RequestN))),
            "bad_truncated_setup" => (Malformed::Truncated, Some((0, FrameType::Setup))),
            other => panic!("{other}"),
        };
        let error = decode(vector.bytes.clone()).expect_err(name);
        assert_eq!(error.kind, kind, "{name}");
        assert_eq!(
            error.stream_id.zip(error.frame_type),
            header.map(|(id, t)| (StreamId::new(id), t))
        );
        assert_eq!(error.ignorable, vector.text("expect").starts_with("dropped"), "{name}");
    }
}

#[test]
fn prefixed_frames_are_cut_apart() {
    for vector in of_kind("tcp") {
        let mut buffer = BytesMut::from(&vector.bytes[..]);
        let mut deframer = Deframer::length_prefix(1 << 20);
        for wanted in vector.fields["frames_hex"].as_array().expect("frames") {
            let next = deframer.next(&mut buffer);
            match unhex(wanted.as_str().expect("hex")) {
                frame if frame.is_empty() => assert_eq!(next, Err(FramingError::TooShort(0))),
                frame => assert_eq!(next, Ok(Some(Inbound::Frame(frame))), "{}", vector.name),
            }
        }
        assert!(vector.fields["expect"].is_string() || buffer.is_empty(), "{}", vector.name);
    }
}

#[test]
fn composite_entries_decode_and_encode() {
    for vector in of_kind("composite") {
        let name = &vector.name;
        let entries: Result<Vec<_>, _> = Entries::new(vector.bytes.clone()).collect();
        let entries = entries.expect(name);
        let wanted = vector.fields["entries"].as_array().expect("entries");
        assert_eq!(entries.len(), wanted.len(), "{name}");
        let mut builder = CompositeBuilder::default();
        for (entry, wanted) in entries.iter().zip(wanted) {
            assert_eq!(entry.mime.name(), wanted["mime"].as_str().map(str::as_bytes), "{name}");
            match (&entry.mime, wanted["mime_id"].as_u64()) {
                (Mime::WellKnown(id), Some(wanted)) => assert_eq!(u64::from(*id), wanted, "{name}"),
                (Mime::Custom(_), None) => {}
                (mime, wanted) => panic!("{name}: {mime}, {wanted:?}"),
            }
            assert_eq!(
                entry.content,
                unhex(wanted["content_hex"].as_str().expect("hex")),
                "{name}"
            );
            builder = builder.entry(&entry.mime, &entry.content).expect(name);
        }
        assert_eq!(builder.build(), vector.bytes, "{name}");
    }
}

#[test]
fn routing_tags_decode_and_encode() {
    for vector in of_kind("routing") {
        let mut out = BytesMut::new();
        let mut tags = Tags::new(vector.bytes.clone());
        for wanted in vector.fields["tags"].as_array().expect("tags") {
            let wanted = wanted.as_str().expect("text");
            assert_eq!(tags.next().expect("a tag").expect("valid").as_str(), wanted);
            Tags::encode(wanted, &mut out).expect("it came in one");
        }
        assert!(tags.next().is_none(), "{}", vector.name);
        assert_eq!(out, vector.bytes, "{}", vector.name);
    }
}

#[test]
fn broken_metadata_is_refused() {
    for vector in of_kind("composite_invalid") {
        let last = Entries::new(vector.bytes.clone()).last().expect("something is there");
        assert!(last.is_err(), "{}", vector.name);
    }
    for vector in of_kind("routing_invalid") {
        let last = Tags::new(vector.bytes.clone()).last().expect("something is there");
        assert!(last.is_err(), "{}", vector.name);
    }
}

#[test]
fn authentication_decodes_and_encodes() {
    for vector in of_kind("auth") {
        let wanted = match vector.text("auth_type") {
            "simple" => Auth::Simple {
                username: vector.text("username").to_owned(),
                password: vector.text("password").to_owned(),
            },
            "bearer" => Auth::Bearer(vector.text("token").to_owned()),
            _ => Auth::Custom(vector.text_bytes("auth_type"), vector.bytes_of("payload_hex")),
        };
        // Not assert_eq: Debug hides what may differ.
        assert!(Auth::decode(vector.bytes.clone()).as_ref() == Ok(&wanted), "{}", vector.name);
        let mut out = BytesMut::new();
        wanted.encode(&mut out).expect("it came in one");
        assert_eq!(out, vector.bytes, "{}", vector.name);
    }
}

#[test]
fn mime_types_decode_and_encode() {
    for vector in of_kind("mime_type").into_iter().chain(of_kind("accept_mime_types")) {
        let wanted = match &vector.fields["mimes"] {
            Value::Array(list) => list.clone(),
            _ => vec![vector.fields["mime"].clone()],
        };
        let types = Mime::decode_all(vector.bytes.clone(), 8).expect("valid");
        let names: Vec<_> = types.iter().filter_map(Mime::name).collect();
        let wanted: Vec<_> = wanted.iter().filter_map(Value::as_str).map(str::as_bytes).collect();
        assert_eq!(names, wanted, "{}", vector.name);
        let mut out = BytesMut::new();
        for mime in &types {
            mime.encode(&mut out).expect("it came in one");
        }
        assert_eq!(out, vector.bytes, "{}", vector.name);
    }
}

#[test]
fn trace_contexts_decode_and_encode() {
    for vector in of_kind("zipkin") {
        let name = &vector.name;
        let is = |field: &str| vector.fields[field] == true;
        let sampling = match () {
            () if is("debug") => Sampling::Debug,
            () if is("sampled") => Sampling::Sampled,
            () if is("not_sampled") => Sampling::NotSampled,
            () => Sampling::Undecided,
        };
        let context = TraceContext::decode(&vector.bytes).expect(name);
        assert_eq!(context.sampling, sampling, "{name}");
        assert_eq!(context.ids.is_some(), is("ids_set"), "{name}");
        if let Some(ids) = context.ids {
            let digits = if ids.wide { 32 } else { 16 };
            assert_eq!(format!("{:0digits$x}", ids.trace_id), vector.text("trace_id"), "{name}");
            assert_eq!(format!("{:016x}", ids.span_id), vector.text("span_id"), "{name}");
            let parent = ids.parent_id.map(|id| format!("{id:016x}"));
            assert_eq!(parent.as_deref(), vector.fields["parent_id"].as_str(), "{name}");
        }
        let mut out = BytesMut::new();
        context.encode(&mut out);
        assert_eq!(out, vector.bytes, "{name}");
    }
}
