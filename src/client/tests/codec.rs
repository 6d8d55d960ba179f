//! Metadata against the vectors' bytes, data against what people type.

use crate::client::Metadata;
use crate::client::media::{Encoding, one_line};

#[test]
fn r_comp_1_entries_have_the_vectors_bytes() {
    let hex = |metadata: Metadata| {
        metadata.finish().unwrap().iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let new = Metadata::new;
    assert_eq!(hex(new()), "");
    assert_eq!(hex(new().route("chat.send")), "fe00000a09636861742e73656e64");
    assert_eq!(hex(new().bearer("t")), "fc0000028174");
    assert_eq!(hex(new().entry("custom/x", &[1, 2, 3])), "07637573746f6d2f78000003010203");
    assert_eq!(hex(new().entry("x", b"y")), "007800000179");
    let longest = format!("a/{}", "x".repeat(126));
    assert!(hex(new().entry(&longest, b"")).starts_with("7f612f78"));
    let mime = "fa000012106170706c69636174696f6e2f782e666f6f";
    assert_eq!(hex(new().data_mime("application/x.foo")), mime);
}

#[test]
fn r_rte_4_what_is_too_long_is_an_error_and_never_cut() {
    let new = Metadata::new;
    assert!(new().route(&"r".repeat(255)).finish().is_ok());
    assert!(new().route(&"r".repeat(256)).bearer("t").finish().is_err());
    assert!(new().data_mime(&"m".repeat(129)).finish().is_err());
    assert!(new().entry("", b"x").finish().is_err());
}

fn show(encoding: Encoding, data: &[u8]) -> String {
    String::from_utf8(encoding.print(data, false)).unwrap()
}

#[test]
fn json_is_shown_compact_or_pretty_in_the_order_it_came() {
    let data = br#" {"z": 1, "a": [1.5, null, "\u00e9"]} "#;
    assert_eq!(show(Encoding::Json, data), r#"{"z":1,"a":[1.5,null,"é"]}"#);
    let pretty = String::from_utf8(Encoding::Json.print(br#"{"z":[1]}"#, true)).unwrap();
    assert_eq!(pretty, "{\n  \"z\": [\n    1\n  ]\n}");
}

#[test]
fn message_pack_is_typed_and_shown_as_json() {
    let text = r#"{"emoji":"🎉","count":3,"deep":[{"x":-1}],"none":null,"real":0.5}"#;
    let packed = Encoding::MessagePack.parse(text.as_bytes()).unwrap();
    // A map of five named fields (MessagePack's fixmap).
    assert_eq!(packed[0], 0x85);
    assert_eq!(show(Encoding::MessagePack, &packed), text);
    let mut longer = packed.to_vec();
    longer.push(0);
    assert!(show(Encoding::MessagePack, &longer).starts_with("base64:"));
}

#[test]
fn what_is_not_json_is_refused_only_where_it_must_be() {
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        for text in ["", "{", "{} {}", "hello"] {
            assert!(encoding.parse(text.as_bytes()).is_err(), "{text}");
        }
    }
    assert_eq!(Encoding::Raw.parse(b"hello").unwrap(), "hello");
}

#[test]
fn other_bytes_are_shown_as_text_or_escaped_on_one_line() {
    assert_eq!(show(Encoding::Raw, b"42"), "42");
    assert_eq!(show(Encoding::Raw, b""), "");
    assert_eq!(show(Encoding::Raw, "größe".as_bytes()), "größe");
    assert_eq!(show(Encoding::Raw, b"a\nb\x1b[2J\"\\"), r#""a\nb\u001b[2J\"\\""#);
    assert_eq!(show(Encoding::Raw, &[0xff, 0]), "base64:/wA=");
    assert_eq!(show(Encoding::Json, b"not json"), "not json");
    // JSON lets the C1 controls pass, a terminal may not.
    assert_eq!(show(Encoding::Json, "\"\u{9b}2J\"".as_bytes()), r#""\u009b2J""#);
    assert_eq!(one_line("two\nlines\x1b"), "two lines ");
}

#[test]
fn media_types_are_recognised_with_parameters_and_suffixes() {
    for (mime, encoding) in [
        ("application/json", Encoding::Json),
        ("Application/JSON; charset=utf-8", Encoding::Json),
        ("application/problem+json", Encoding::Json),
        ("application/msgpack", Encoding::MessagePack),
        ("application/x-msgpack", Encoding::MessagePack),
        ("application/vnd.msgpack", Encoding::MessagePack),
        ("application/octet-stream", Encoding::Raw),
        ("text/plain", Encoding::Raw),
    ] {
        assert_eq!(Encoding::of(mime), encoding, "{mime}");
    }
}
