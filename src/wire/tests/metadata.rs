//! The metadata extensions (conformance section 5), as far as their codecs show them.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};

use super::unhex;
use super::vectors::named;
use crate::wire::{
    Auth, CompositeBuilder, Entries, Entry, MetadataError, Mime, Sampling, Tags, TraceContext,
    TraceIds,
};

fn entries(metadata: Bytes) -> Result<Vec<Entry>, MetadataError> {
    Entries::new(metadata).collect()
}

fn composite(list: &[(Mime, &[u8])]) -> Bytes {
    let mut builder = CompositeBuilder::default();
    for (mime, content) in list {
        builder = builder.entry(mime, content).expect("short enough");
    }
    builder.build()
}

fn tags(routing: &[u8]) -> Result<Vec<String>, MetadataError> {
    let tags = Tags::new(Bytes::copy_from_slice(routing));
    tags.map(|tag| Ok(tag?.as_str().to_owned())).collect()
}

fn sent(mime: &Mime) -> Bytes {
    let mut out = BytesMut::new();
    mime.encode(&mut out).expect("short enough");
    out.freeze()
}

fn overrun<T>(result: &Result<T, MetadataError>) -> bool {
    matches!(result, Err(MetadataError::Overrun(_)))
}

/// The table of 5.2, from the page and not from the code.
fn table() -> BTreeMap<u8, String> {
    let page = include_str!("../../../docs/conformance.md");
    let start = page.find("### 5.2").expect("the section");
    let section = &page[start..start + page[start..].find("### 5.3").expect("the next one")];
    let mut table = BTreeMap::new();
    for line in section.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        for pair in cells.chunks_exact(2).filter(|pair| pair[1].contains('/')) {
            let id = u8::from_str_radix(pair[0], 16).expect("an id");
            assert_eq!(table.insert(id, pair[1].to_owned()), None);
        }
    }
    table
}

// ---- 5.1 composite metadata --------------------------------------------------------------------

#[test]
fn r_comp_1_entries_run_to_the_end_and_empty_metadata_has_none() {
    assert_eq!(entries(Bytes::new()), Ok(Vec::new()));
    assert_eq!(composite(&[]), Bytes::new());
    let many: Vec<(Mime, &[u8])> = (0..200).map(|_| (Mime::ROUTING, &b"\x01a"[..])).collect();
    assert_eq!(entries(composite(&many)).expect("valid").len(), 200);
}

#[test]
fn r_comp_2_the_top_bit_marks_a_well_known_id() {
    for id in 0..=127u8 {
        let metadata = Bytes::from(vec![0x80 | id, 0, 0, 1, b'x']);
        let content = Bytes::from_static(b"x");
        let entry = Entry { mime: Mime::WellKnown(id), content };
        assert_eq!(entries(metadata), Ok(vec![entry]));
    }
}

#[test]
fn r_comp_3_content_has_a_length_of_24_bits_without_itself() {
    let content = vec![9; 0x01_0203];
    let metadata = composite(&[(Mime::JSON, &content), (Mime::TEXT, b"")]);
    assert_eq!(metadata[..4], [0x85, 1, 2, 3]);
    assert_eq!(metadata[4 + content.len()..], [0xA1, 0, 0, 0]);
    let read = entries(metadata).expect("valid");
    assert!(read[0].content == content && read[1].content.is_empty());
    let error = CompositeBuilder::default().entry(&Mime::JSON, &vec![0; 1 << 24]).err();
    assert_eq!(error, Some(MetadataError::TooLong { what: "composite entry", max: 0xFF_FFFF }));
}

#[test]
fn r_comp_4_a_custom_string_has_its_length_less_one() {
    for len in [1u8, 2, 8, 127, 128] {
        let name = vec![b'x'; len.into()];
        let mime = Mime::from_name(&name);
        let metadata = composite(&[(mime.clone(), b"c")]);
        assert_eq!(metadata[0], len - 1);
        assert_eq!(metadata[1..=len.into()], name);
        assert_eq!(entries(metadata).expect("valid")[0].mime, mime);
    }
    let mut out = BytesMut::new();
    let long = Mime::Custom(Bytes::from(vec![b'x'; 129])).encode(&mut out);
    assert_eq!(long, Err(MetadataError::TooLong { what: "MIME type", max: 128 }));
    assert_eq!(Mime::Custom(Bytes::new()).encode(&mut out), Err(MetadataError::Empty("MIME type")));
    assert!(out.is_empty(), "nothing is written of what is refused");
}

#[test]
fn r_comp_5_order_is_kept_and_duplicates_are_presented() {
    let custom = Mime::from_name(b"custom/x");
    let list: [(Mime, &[u8]); 4] =
        [(custom.clone(), b"1"), (Mime::ROUTING, b"\x01a"), (custom, b"2"), (Mime::ROUTING, b"")];
    let read = entries(composite(&list)).expect("valid");
    let read: Vec<_> = read.iter().map(|entry| (entry.mime.clone(), &entry.content[..])).collect();
    assert_eq!(read, list);
}

#[test]
fn r_comp_6_what_is_not_understood_is_skipped_and_kept() {
    let metadata = named("composite_reserved_id");
    let read = entries(metadata.clone()).expect("valid");
    assert_eq!(read[0].mime.name(), None);
    assert_eq!(read[0].mime.to_string(), "MIME type id 0x50");
    assert_eq!(read[1].mime, Mime::ROUTING);
    let list: Vec<_> = read.iter().map(|entry| (entry.mime.clone(), &entry.content[..])).collect();
    assert_eq!(composite(&list), metadata, "passed through as it came");
}

#[test]
fn r_comp_7_a_string_that_names_a_well_known_type_is_its_id() {
    for (id, name) in table() {
        let mut metadata = vec![u8::try_from(name.len() - 1).expect("short")];
        metadata.extend_from_slice(name.as_bytes());
        metadata.extend_from_slice(&[0, 0, 0]);
        let read = entries(metadata.into()).expect("valid");
        assert_eq!(read[0].mime, Mime::WellKnown(id), "{name}");
    }
}

#[test]
fn r_comp_7_ids_are_sent_except_those_that_others_do_not_know() {
    for (id, name) in table() {
        let bytes = sent(&Mime::WellKnown(id));
        if matches!(id, 0x29 | 0x2A) {
            assert_eq!(usize::from(bytes[0]), name.len() - 1);
            assert_eq!(bytes[1..], *name.as_bytes());
        } else {
            assert_eq!(bytes[..], [0x80 | id], "{name}");
        }
    }
}

#[test]
fn r_comp_8_every_cut_between_entries_is_an_error_and_the_last_word() {
    let metadata = named("composite_route_auth_mime");
    let ends = [0, 14, 29, 34];
    assert_eq!(metadata.len(), 34);
    for len in 0..metadata.len() {
        let mut read = Entries::new(metadata.slice(..len));
        let whole = read.by_ref().take_while(Result::is_ok).count();
        assert_eq!(whole, ends.iter().filter(|end| **end <= len).count() - 1, "{len}");
        let all: Vec<_> = Entries::new(metadata.slice(..len)).collect();
        let broken = all.last().is_some_and(overrun);
        assert_eq!(broken, !ends.contains(&len), "cut after {len}");
        assert_eq!(all.len(), whole + usize::from(broken), "it ends after an error");
    }
    for broken in ["fe0000", "fe0000056162", "10616263", "07637573746f6d2f78", "fe", "feffffff"] {
        assert!(overrun(&entries(unhex(broken))), "{broken}");
    }
}

#[test]
fn r_comp_10_a_custom_string_that_is_not_ascii_is_opaque() {
    let metadata = unhex("02ff00c3000001617e0000");
    let read = Entries::new(metadata).next().expect("an entry").expect("valid");
    assert_eq!(read.mime, Mime::Custom(Bytes::from_static(b"\xFF\x00\xC3")));
    assert_eq!(read.mime.name(), Some(&b"\xFF\x00\xC3"[..]));
    assert_eq!(read.content, "a");
    assert!(format!("{:?}", read.mime).starts_with("Mime("));
}

// ---- 5.2 well-known MIME types -----------------------------------------------------------------

#[test]
fn r_wkm_1_names_and_ids_are_those_of_the_table() {
    let table = table();
    assert_eq!(table.len(), 0x2B + 6);
    for id in 0..=127u8 {
        let mime = Mime::WellKnown(id);
        assert_eq!(mime.name(), table.get(&id).map(String::as_bytes), "{id:#04x}");
    }
    for (id, name) in table {
        assert_eq!(Mime::from_name(name.as_bytes()), Mime::WellKnown(id));
        assert_eq!(Mime::from_name(name.to_uppercase().as_bytes()), Mime::WellKnown(id));
        let longer = format!("{name}x");
        assert_eq!(Mime::from_name(longer.as_bytes()), Mime::Custom(longer.into()));
    }
    let constants = [
        (Mime::JSON, "application/json"),
        (Mime::OCTET_STREAM, "application/octet-stream"),
        (Mime::TEXT, "text/plain"),
        (Mime::MIME_TYPE, "message/x.rsocket.mime-type.v0"),
        (Mime::ACCEPT_MIME_TYPES, "message/x.rsocket.accept-mime-types.v0"),
        (Mime::AUTHENTICATION, "message/x.rsocket.authentication.v0"),
        (Mime::TRACING, "message/x.rsocket.tracing-zipkin.v0"),
        (Mime::ROUTING, "message/x.rsocket.routing.v0"),
        (Mime::COMPOSITE, "message/x.rsocket.composite-metadata.v0"),
    ];
    for (mime, name) in constants {
        assert_eq!(mime.to_string(), name);
    }
}

// ---- 5.3 routing -------------------------------------------------------------------------------

#[test]
fn r_rte_1_r_rte_5_a_metadata_field_may_be_the_tags_themselves() {
    let read = tags(&named("routing_two_tags")).expect("valid");
    assert_eq!(read, ["chat.send", "region:eu"]);
    let entry = entries(named("composite_route")).expect("valid").remove(0);
    assert_eq!(tags(&entry.content).expect("valid"), ["chat.send"]);
}

#[test]
fn r_rte_1_a_tag_has_its_plain_length_in_bytes() {
    for len in [0u8, 1, 127, 128, 255] {
        let tag = "é".repeat(usize::from(len / 2)) + &"x".repeat(usize::from(len % 2));
        let mut out = BytesMut::new();
        Tags::encode(&tag, &mut out).expect("short enough");
        assert_eq!(out[0], len);
        assert_eq!(tags(&out).expect("valid"), [tag]);
    }
}

#[test]
fn r_rte_2_empty_tags_and_no_tags_are_legal() {
    assert_eq!(tags(&[0]), Ok(vec![String::new()]));
    assert_eq!(tags(&[0, 1, b'a', 0]), Ok(vec![String::new(), "a".to_owned(), String::new()]));
    assert_eq!(tags(&[]), Ok(Vec::new()));
}

#[test]
fn r_rte_3_overrun_and_broken_text_are_errors_and_the_last_word() {
    assert!(overrun(&tags(b"\x05ab")));
    assert!(overrun(&tags(b"\x01a\xFF")));
    assert_eq!(tags(b"\x02\xC3\x28"), Err(MetadataError::NotUtf8("routing metadata")));
    assert_eq!(tags(b"\x01\xC3\x01\xA9"), Err(MetadataError::NotUtf8("routing metadata")));
    let all: Vec<_> = Tags::new(Bytes::from_static(b"\x01\xFF\x01a")).collect();
    assert_eq!(all.len(), 1);
}

#[test]
fn r_rte_4_a_route_that_is_too_long_is_refused_and_never_cut() {
    let mut out = BytesMut::new();
    let error = Tags::encode(&"x".repeat(256), &mut out);
    assert_eq!(error, Err(MetadataError::TooLong { what: "route", max: 255 }));
    assert!(out.is_empty());
}

// ---- 5.4 authentication ------------------------------------------------------------------------

fn simple(username: &str, password: &str) -> Auth {
    Auth::Simple { username: username.to_owned(), password: password.to_owned() }
}

fn auth(bytes: &[u8]) -> Result<Auth, MetadataError> {
    Auth::decode(Bytes::copy_from_slice(bytes))
}

#[test]
fn r_auth_1_simple_has_a_user_name_of_16_bits_length() {
    let long = "u".repeat(0x0102);
    for (username, password) in [("", ""), ("", "p"), ("user", ""), ("ü", "pä"), (&long, "p")] {
        let mut out = BytesMut::new();
        simple(username, password).encode(&mut out).expect("short enough");
        let len = u16::try_from(username.len()).expect("short").to_be_bytes();
        assert_eq!(out[..3], [0x80, len[0], len[1]]);
        assert!(auth(&out) == Ok(simple(username, password)));
    }
    let mut out = BytesMut::new();
    let error = simple(&"u".repeat(1 << 16), "p").encode(&mut out);
    assert_eq!(error, Err(MetadataError::TooLong { what: "user name", max: 65_535 }));
    assert!(out.is_empty());
    for broken in [&b"\x80"[..], b"\x80\x00", b"\x80\x00\x01", b"\x80\x00\x05user"] {
        assert!(overrun(&auth(broken)), "{broken:02x?}");
    }
    for broken in [&b"\x80\x00\x01\xFFp"[..], b"\x80\x00\x01u\xFF"] {
        assert!(auth(broken) == Err(MetadataError::NotUtf8("authentication metadata")));
    }
}

#[test]
fn r_auth_2_bearer_is_a_token_to_the_end() {
    assert!(auth(b"\x81tok.en") == Ok(Auth::Bearer("tok.en".to_owned())));
    assert!(auth(b"\x81") == Ok(Auth::Bearer(String::new())));
    assert!(auth(b"\x81\xFF") == Err(MetadataError::NotUtf8("authentication metadata")));
}

#[test]
fn r_auth_4_debug_shows_no_secret() {
    let payload = Bytes::from_static(b"sesame");
    let all = [
        (simple("user", "sesame"), "Simple(user, …)"),
        (Auth::Bearer("sesame".to_owned()), "Bearer(…)"),
        (Auth::WellKnown(5, payload.clone()), "WellKnown(0x05, …)"),
        (Auth::Custom(Bytes::from_static(b"myauth"), payload), "Custom(myauth, …)"),
    ];
    for (auth, shown) in all {
        assert_eq!(format!("{auth:?}"), shown);
        assert_eq!(format!("{auth:#?}"), shown);
    }
}

#[test]
fn r_auth_5_custom_and_unassigned_types_are_kept() {
    let payload = Bytes::from_static(&[1, 2]);
    assert!(auth(b"\x82\x01\x02") == Ok(Auth::WellKnown(2, payload.clone())));
    assert!(auth(b"\xFF\x01\x02") == Ok(Auth::WellKnown(127, payload.clone())));
    for len in [1u8, 6, 128] {
        let name = Bytes::from(vec![b'n'; len.into()]);
        let wanted = Auth::Custom(name.clone(), payload.clone());
        let mut out = BytesMut::new();
        wanted.encode(&mut out).expect("short enough");
        assert_eq!(out[0], len - 1, "length less one");
        assert!(auth(&out) == Ok(wanted));
        assert!(overrun(&auth(&out[..usize::from(len)])));
    }
    assert!(auth(b"") == Err(MetadataError::Empty("authentication metadata")));
    let mut out = BytesMut::new();
    let long = Auth::Custom(Bytes::from(vec![b'n'; 129]), Bytes::new()).encode(&mut out);
    assert_eq!(long, Err(MetadataError::TooLong { what: "authentication type", max: 128 }));
}

// ---- 5.5 MIME types of one stream --------------------------------------------------------------

#[test]
fn r_mime_3_types_that_are_cut_short_are_errors() {
    for broken in [&b"\x10app"[..], b"\x00", b"\x85\x00"] {
        let all = Mime::decode_all(Bytes::copy_from_slice(broken), 8);
        assert!(overrun(&all), "{broken:02x?}");
    }
    assert_eq!(Mime::decode(&mut Bytes::new()), Err(MetadataError::Empty("MIME type")));
}

#[test]
fn the_number_of_types_is_bounded() {
    let types = Bytes::from(vec![0x85; 9]);
    assert_eq!(Mime::decode_all(types.slice(..8), 8), Ok(vec![Mime::JSON; 8]));
    let error = Mime::decode_all(types, 8);
    assert_eq!(error, Err(MetadataError::TooLong { what: "list of MIME types", max: 8 }));
}

#[test]
fn one_type_leaves_the_rest() {
    let mut rest = Bytes::from_static(b"\x81rest");
    assert_eq!(Mime::decode(&mut rest), Ok(Mime::WellKnown(1)));
    assert_eq!(rest, "rest");
}

// ---- 5.6 Zipkin --------------------------------------------------------------------------------

#[test]
fn r_zip_1_r_zip_4_lengths_follow_the_flags() {
    for (flags, len) in [(0x80u8, 17), (0x84, 25), (0x88, 25), (0x8C, 33), (0x00, 1)] {
        let mut entry = vec![0x11; len];
        entry[0] = flags;
        let context = TraceContext::decode(&entry).expect("whole");
        assert_eq!(context.ids.is_some(), flags != 0);
        if let Some(ids) = context.ids {
            assert_eq!(ids.wide, flags & 0x08 != 0);
            assert_eq!(ids.parent_id.is_some(), flags & 0x04 != 0);
        }
        let mut out = BytesMut::new();
        context.encode(&mut out);
        assert_eq!(out, entry);
        for short in 0..len {
            assert_eq!(TraceContext::decode(&entry[..short]), None, "{flags:#04x} of {short}");
        }
        entry.extend_from_slice(&[0xFF; 8]);
        assert_eq!(TraceContext::decode(&entry), Some(context), "surplus is ignored");
    }
}

#[test]
fn r_zip_2_debug_beats_sampled_beats_not_sampled() {
    for bits in 0..8u8 {
        let wanted = match bits {
            0 => Sampling::Undecided,
            1 => Sampling::NotSampled,
            2 | 3 => Sampling::Sampled,
            _ => Sampling::Debug,
        };
        let context = TraceContext::decode(&[bits << 4]).expect("whole");
        assert_eq!(context, TraceContext { sampling: wanted, ids: None }, "{bits:03b}");
    }
}

#[test]
fn r_zip_3_width_and_parent_mean_nothing_without_ids() {
    for flags in [0x2C, 0x28, 0x24, 0x2F] {
        let context = TraceContext { sampling: Sampling::Sampled, ids: None };
        assert_eq!(TraceContext::decode(&[flags]), Some(context));
    }
    // Unused bits.
    assert_eq!(TraceContext::decode(&[0x13]), TraceContext::decode(&[0x10]));
}

#[test]
fn r_zip_1_a_narrow_trace_id_is_sent_with_64_bits() {
    let ids = TraceIds { trace_id: u128::MAX, wide: false, span_id: 2, parent_id: None };
    let mut out = BytesMut::new();
    TraceContext { sampling: Sampling::Debug, ids: Some(ids) }.encode(&mut out);
    assert_eq!(out.freeze(), unhex("c0ffffffffffffffff0000000000000002"));
}
