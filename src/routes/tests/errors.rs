use super::*;

/// The error that a request/response gets, on a connection that goes on.
fn refuse(payload: Payload) -> (ErrorCode, String) {
    let service = service();
    let mut client = Client::connect(&service);
    let answer = client.send(&respond(1, payload.clone()));
    let (code, text) = error(&answer);
    let refused = Class::ALL.map(|class| service.totals().refused(class));
    assert_eq!(refused.iter().sum::<u64>(), 1);
    // The same request twice is the same error, and the next one is answered.
    assert_eq!(error(&client.send(&respond(3, payload))), (code, text));
    let echo = to("debug.echo", "x");
    assert_eq!(client.send(&respond(5, echo.clone())), [Got::Last(echo)]);
    (code, text.to_owned())
}

fn invalid(payload: Payload) -> String {
    let (code, text) = refuse(payload);
    assert_eq!(code, ErrorCode::INVALID);
    text
}

#[tokio::test]
async fn r_rte_6_unknown_and_missing_routes_are_invalid_and_say_what_to_do() {
    let text = invalid(to("debug.ecko", ""));
    assert_eq!(text, "no route 'debug.ecko'; did you mean debug.echo?");
    for payload in [Payload::new("x"), to("", "x")] {
        assert!(invalid(payload).starts_with("no route: send a message/x.rsocket.routing.v0"));
    }
}

#[tokio::test]
async fn a_wrong_interaction_is_invalid_and_names_the_right_one() {
    let text = invalid(to("event.7.reactions", ""));
    assert_eq!(text, "event.{id}.reactions takes request_stream, not request_response");
    let text = invalid(to("event.7.react", ""));
    assert_eq!(text, "event.{id}.react takes fire_and_forget, not request_response");
    let mut client = Client::connect(&service());
    let answer = client.send(&stream(1, 1, to("debug.echo", "")));
    let text = "debug.echo takes request_response or request_channel, not request_stream";
    assert_eq!(error(&answer), (ErrorCode::INVALID, text));
    let answer = client.send(&channel(3, 1, to("debug.count", "")));
    let text = "debug.count takes request_stream, not request_channel";
    assert_eq!(error(&answer), (ErrorCode::INVALID, text));
}

#[tokio::test]
async fn a_bad_id_is_invalid_and_says_what_it_may_be() {
    let text = invalid(to("event.a b.react", ""));
    assert!(text.ends_with("must be 1 to 64 of A-Z a-z 0-9 _ -, not 'a b'"), "{text}");
}

#[tokio::test]
async fn r_mime_3_a_typed_route_refuses_other_types_and_names_the_two() {
    for mime in ["text/plain", "application/octet-stream", "application/cbor"] {
        let setup = setup_of(COMPOSITE, mime, Payload::default());
        let mut client = Client::open(&service(), setup).unwrap();
        let answer = client.send(&stream(1, 1, to("event.7.reactions", "")));
        let text =
            format!("this route takes application/msgpack or application/json, not '{mime}'");
        assert_eq!(error(&answer), (ErrorCode::INVALID, &text[..]));
    }
}

#[tokio::test]
async fn r_mime_1_the_type_of_a_request_overrides_that_of_the_setup() {
    let with_type = |mime: &[u8]| {
        let metadata = route("event.7.reactions").entry(&Mime::MIME_TYPE, mime).unwrap().build();
        Payload { metadata: Some(metadata), data: Bytes::from_static(b"{\"top\":3}") }
    };
    let setup = setup_of(COMPOSITE, MSGPACK, Payload::default());
    let mut client = Client::open(&service(), setup).unwrap();
    // JSON by its id in the table (0x05): the data is read as such.
    assert_eq!(client.send(&stream(1, 1, with_type(b"\x85"))), []);
    let answer = client.send(&stream(3, 1, with_type(b"\xA1")));
    assert!(error(&answer).1.ends_with("not 'text/plain'"));
    // Without it SETUP's type applies, also after a request with one.
    let answer = client.send(&stream(5, 1, to("event.7.reactions", "{\"top\":3}")));
    assert!(error(&answer).1.starts_with("bad data: "));
    let answer = client.send(&stream(7, 1, with_type(b"\x05x")));
    assert_eq!(error(&answer).0, ErrorCode::INVALID);
}

#[tokio::test]
async fn bad_data_is_invalid_and_names_the_field() {
    let mut client = Client::connect(&service());
    let mut refuse = |id: u32, data: &'static str| {
        let answer = client.send(&stream(id, 1, to("event.7.reactions", data)));
        let (code, text) = error(&answer);
        assert_eq!(code, ErrorCode::INVALID);
        text.to_owned()
    };
    assert!(refuse(1, r#"{"top":"x"}"#).contains("field top: invalid type"));
    assert_eq!(refuse(3, r#"{"top":0}"#), "bad data: top must be 1 to 100, not 0");
    assert_eq!(refuse(5, r#"{"top":101}"#), "bad data: top must be 1 to 100, not 101");
    let text = refuse(7, r#"{"window_ms":99}"#);
    assert_eq!(text, "bad data: window_ms must be 100 to 60000, not 99");
    assert!(refuse(9, r#"{"tpo":3}"#).contains("unknown field `tpo`, expected one of `top`"));
    assert!(refuse(11, "{}{}").contains("text follows"));
}

#[tokio::test]
async fn r_comp_8_r_rte_3_metadata_that_cannot_be_read_is_invalid() {
    for metadata in [&b"\xFE\0\0\x05ab"[..], b"\xFE\0\0\x03\x05ab", b"\xFE\0\0\x02\x01\xFF"] {
        invalid(Payload { metadata: Some(metadata.to_vec().into()), data: Bytes::new() });
    }
    // A broken tail behind a good route.
    let mut metadata = route("debug.echo").build().to_vec();
    metadata.push(0xFE);
    invalid(Payload { metadata: Some(metadata.into()), data: Bytes::new() });
}

#[tokio::test]
async fn r_lim_19_too_many_entries_are_invalid() {
    let mut metadata = route("debug.echo");
    for _ in 0..256 {
        metadata = metadata.entry(&Mime::TRACING, b"").unwrap();
    }
    let text = invalid(Payload { metadata: Some(metadata.build()), data: Bytes::new() });
    assert!(text.contains("more than 256 entries"), "{text}");
}

#[tokio::test]
async fn r_fnf_1_a_refused_fire_and_forget_is_dropped_in_silence_and_counted() {
    let service = service();
    let mut client = Client::connect(&service);
    let refused = [
        (to("event.7.reakt", ""), Class::Unknown),
        (Payload::new("x"), Class::Missing),
        (to("debug.echo", ""), Class::Interaction),
        (to("event.%.react", ""), Class::Parameter),
        (to("event.7.react", ""), Class::Data),
        (
            Payload { metadata: Some(Bytes::from_static(b"\xFE")), data: Bytes::new() },
            Class::Metadata,
        ),
    ];
    for (index, (payload, class)) in (0..).zip(refused) {
        assert_eq!(client.send(&fire(2 * index + 1, payload)), []);
        assert_eq!(service.totals().dropped(class), 1, "{class:?}");
        assert_eq!(service.totals().refused(class), 0, "{class:?}");
    }
}

#[tokio::test]
async fn r_rte_5_routing_metadata_alone_is_the_list_of_tags() {
    let setup = setup_of(ROUTING, JSON, Payload::default());
    let mut client = Client::open(&service(), setup).unwrap();
    // The idiom of browsers: String.fromCharCode(route.length) + route.
    let echo = Payload { metadata: Some(Bytes::from_static(b"\x0Adebug.echo")), data: "x".into() };
    assert_eq!(client.send(&respond(1, echo.clone())), [Got::Last(echo)]);
    // The same idiom where the length takes two bytes of UTF-8 gets a helpful text.
    let wrong = format!("{}{}", '\u{C8}', "x".repeat(200));
    let answer =
        client.send(&respond(3, Payload { metadata: Some(wrong.into()), data: "".into() }));
    let (code, text) = error(&answer);
    assert_eq!(code, ErrorCode::INVALID);
    assert!(text.contains("one byte for its length"), "{text}");
    let answer = client.send(&respond(5, Payload::new("x")));
    assert!(error(&answer).1.starts_with("no route: send it as metadata"));
}

#[tokio::test]
async fn a_connection_with_other_metadata_is_told_how_to_open_one() {
    let setup = setup_of("text/plain", JSON, Payload::default());
    let mut client = Client::open(&service(), setup).unwrap();
    let answer = client.send(&respond(1, to("debug.echo", "")));
    let (code, text) = error(&answer);
    assert_eq!(code, ErrorCode::INVALID);
    assert!(text.contains("'text/plain'") && text.contains(COMPOSITE), "{text}");
}

/// A route that needs `manage`, and one that does not.
fn guarded(key: Option<&str>) -> Arc<Service> {
    let done = |_: Call| Ok::<_, RouteError>(Payload::new("done"));
    let router = Routes::new()
        .request_response("event.{id}.control", Access::Manage, done)
        .request_response("event.{id}.poll", Access::Read, done)
        .build()
        .unwrap();
    Arc::new(Service::new(router, Open::new(key), ServiceLimits::default()))
}

fn with_auth(name: &str, auth: &[u8]) -> Payload {
    let metadata = route(name).entry(&Mime::AUTHENTICATION, auth).unwrap().build();
    Payload { metadata: Some(metadata), data: Bytes::new() }
}

#[tokio::test]
async fn manage_needs_the_key_in_the_request_and_is_not_remembered() {
    let mut client = Client::connect(&guarded(Some("s3cret")));
    let done = [Got::Last(Payload::new("done"))];
    let plain = to("event.7.control", "");
    let answer = client.send(&respond(1, plain.clone()));
    let text = "managing needs the manage key as a bearer token; do not retry";
    assert_eq!(error(&answer), (ErrorCode::REJECTED, text));
    let right = with_auth("event.7.control", &bearer("s3cret"));
    assert_eq!(client.send(&respond(3, right.clone())), done);
    assert_eq!(client.send(&respond(11, right)), done);
    let answer = client.send(&respond(5, plain));
    assert_eq!(error(&answer), (ErrorCode::REJECTED, text));
    let wrong = with_auth("event.7.control", &bearer("s3crets"));
    assert_eq!(error(&client.send(&respond(7, wrong))), (ErrorCode::REJECTED, text));
    assert_eq!(client.send(&respond(9, with_auth("event.7.poll", &bearer("other")))), done);
}

#[tokio::test]
async fn manage_is_open_to_whom_setup_showed_the_key() {
    let key = CompositeBuilder::default().entry(&Mime::AUTHENTICATION, &bearer("s3cret")).unwrap();
    let payload = Payload { metadata: Some(key.build()), data: Bytes::new() };
    let setup = setup_of(COMPOSITE, JSON, payload);
    let mut client = Client::open(&guarded(Some("s3cret")), setup.clone()).unwrap();
    let done = [Got::Last(Payload::new("done"))];
    assert_eq!(client.send(&respond(1, to("event.7.control", ""))), done);
    // Without the flag nobody manages.
    let mut client = Client::open(&guarded(None), setup).unwrap();
    let answer = client.send(&respond(1, to("event.7.control", "")));
    let text = "managing is closed: the server runs without --manage-key; do not retry";
    assert_eq!(error(&answer), (ErrorCode::REJECTED, text));
}

#[tokio::test]
async fn r_auth_4_an_unreadable_credential_is_rejected_where_it_is_needed() {
    let mut client = Client::connect(&guarded(Some("s3cret")));
    for broken in [&b""[..], b"\x80\0\x09a", b"\x81\xFF"] {
        let answer = client.send(&respond(1, with_auth("event.7.control", broken)));
        assert_eq!(error(&answer).0, ErrorCode::REJECTED);
        let answer = client.send(&respond(3, with_auth("event.7.poll", broken)));
        let text = "the authentication entry cannot be read";
        assert_eq!(error(&answer), (ErrorCode::INVALID, text));
    }
}

#[tokio::test]
async fn a_handler_that_fails_is_an_application_error_and_overload_is_to_be_retried() {
    let fail = |_: Call| Err::<Payload, _>(RouteError::Failed("the store is gone".into()));
    let full = |_: Call| Err(RouteError::Overload("too many topics: retry later".into()));
    let router = Routes::new()
        .request_response("fail", Access::Read, fail)
        .request_stream("full", Access::Read, full)
        .build()
        .unwrap();
    let service = Arc::new(Service::new(router, Open::default(), ServiceLimits::default()));
    let mut client = Client::connect(&service);
    let answer = client.send(&respond(1, to("fail", "")));
    assert_eq!(error(&answer), (ErrorCode::APPLICATION_ERROR, "the store is gone"));
    let answer = client.send(&stream(3, 1, to("full", "")));
    assert_eq!(error(&answer), (ErrorCode::REJECTED, "too many topics: retry later"));
}
