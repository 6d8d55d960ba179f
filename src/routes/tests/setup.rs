use super::*;

/// The rejection of a SETUP with this metadata and data.
fn reject(data_mime: &str, metadata: Option<Bytes>, data: &'static [u8]) -> SetupRejection {
    let payload = Payload { metadata, data: Bytes::from_static(data) };
    let service = service();
    let rejection = Client::open(&service, setup_of(COMPOSITE, data_mime, payload)).err().unwrap();
    assert_eq!(service.totals().setups_rejected(), 1);
    rejection
}

#[tokio::test]
async fn r_setup_6_any_mime_types_are_accepted() {
    let service = service();
    for (metadata, data) in [("", ""), ("text/plain", "application/cbor"), (ROUTING, "x/y")] {
        assert!(Client::open(&service, setup_of(metadata, data, Payload::default())).is_ok());
    }
    assert_eq!(service.totals().setups_rejected(), 0);
}

#[tokio::test]
async fn setup_data_that_is_no_identity_is_rejected_with_what_is_wrong() {
    let rejection = reject(JSON, None, br#"{"user":7}"#);
    assert_eq!(rejection.code, ErrorCode::REJECTED_SETUP);
    let text = rejection.message;
    assert!(text.starts_with("SETUP data must be empty or {user, device?} in JSON: "), "{text}");
    assert!(text.contains("field user: invalid type: integer `7`, expected a string"), "{text}");
    let text = reject(MSGPACK, None, b"{\"user\":\"ada\"}").message;
    assert!(text.contains("in MessagePack"), "{text}");
}

#[tokio::test]
async fn r_comp_8_setup_metadata_that_cannot_be_read_is_rejected() {
    let rejection = reject(JSON, Some(Bytes::from_static(b"\xFE\0\0")), b"");
    assert_eq!(rejection.code, ErrorCode::REJECTED_SETUP);
    assert!(rejection.message.starts_with("SETUP metadata: "), "{}", rejection.message);
}

#[tokio::test]
async fn a_handler_receives_the_principal_of_the_setup() {
    let whoami = |call: Call| {
        let Principal { user, device, manage } = &*call.principal;
        Ok::<_, RouteError>(Payload::new(format!("{user:?} {device:?} {manage}")))
    };
    let router = Routes::new().request_response("whoami", Access::Read, whoami).build().unwrap();
    let open = Open::new(Some("s3cret"));
    let service = Arc::new(Service::new(router, open, ServiceLimits::default()));
    let ask = |data_mime: &str, payload: Payload| {
        let mut client = Client::open(&service, setup_of(COMPOSITE, data_mime, payload)).unwrap();
        let Some(Got::Last(answer)) = client.send(&respond(1, to("whoami", ""))).pop() else {
            panic!("no answer")
        };
        String::from_utf8(answer.data.to_vec()).unwrap()
    };
    let ada = r#"{"user":"ada","device":"tab"}"#;
    assert_eq!(ask(JSON, Payload::new(ada)), r#"Some("ada") Some("tab") false"#);
    assert_eq!(ask("application/octet-stream", Payload::new(ada)), ask(JSON, Payload::new(ada)));
    assert_eq!(
        ask(MSGPACK, Payload::new(&b"\x81\xA4user\xA3bob"[..])),
        r#"Some("bob") None false"#
    );
    assert_eq!(ask(MSGPACK, Payload::default()), "None None false");
    let key = CompositeBuilder::default().entry(&Mime::AUTHENTICATION, &bearer("s3cret")).unwrap();
    let manager = Payload { metadata: Some(key.build()), data: Bytes::new() };
    assert_eq!(ask(JSON, manager), "None None true");
}
