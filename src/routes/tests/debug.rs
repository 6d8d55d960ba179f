use std::collections::BTreeMap;

use super::*;

const DONE: Duration = Duration::from_secs(2);

fn client() -> Client {
    Client::connect(&service())
}

fn client_of(data_mime: &str) -> Client {
    Client::open(&service(), setup_of(COMPOSITE, data_mime, Payload::default())).unwrap()
}

fn complete(id: u32) -> Frame {
    let payload = Payload::default();
    let body = Body::Payload { follows: false, complete: true, next: false, payload };
    Frame::new(StreamId::new(id), body)
}

fn texts(all: &[Got]) -> Vec<&str> {
    let text = |got: &'_ Got| match got {
        Got::Item(payload) => std::str::from_utf8(&payload.data).unwrap().to_owned().leak() as &str,
        other => panic!("not an item: {other:?}"),
    };
    all.iter().map(text).collect()
}

#[tokio::test]
async fn debug_routes_are_served_only_when_asked_for() {
    let router = router(&topics(), false, 4).unwrap();
    let service = Arc::new(Service::new(router, Open::default(), ServiceLimits::default()));
    let answer = Client::connect(&service).send(&respond(1, to("debug.echo", "x")));
    assert_eq!(error(&answer), (ErrorCode::INVALID, "no route 'debug.echo'"));
}

#[tokio::test]
async fn echo_returns_data_and_metadata_whatever_the_type() {
    for mime in [JSON, "application/cbor", ""] {
        let echo = to("debug.echo", &b"\x00\xFF"[..]);
        assert_eq!(client_of(mime).send(&respond(1, echo.clone())), [Got::Last(echo)]);
    }
}

// ---- echo as a channel -------------------------------------------------------------------------

fn verbatim(text: &'static str) -> Payload {
    Payload {
        metadata: Some(Bytes::from_static(b"\x00meta")),
        data: Bytes::from_static(text.as_bytes()),
    }
}

#[tokio::test]
async fn r_chn_5_an_echo_channel_grants_its_window_less_the_opening_item() {
    let mut client = client();
    let first = to("debug.echo", "a");
    // The opening item is back at once, and its unit with it.
    let mut answer = client.send(&channel(1, 100, first.clone()));
    assert_eq!(answer.remove(0), Got::Item(first));
    assert_eq!(answer, [Got::RequestN(3), Got::RequestN(1)]);
    let answer = client.send(&data(1, verbatim("b")));
    assert_eq!(answer, [Got::Item(verbatim("b")), Got::RequestN(1)]);
    assert_eq!(client.send(&complete(1)), [Got::Complete]);
    assert!(client.works.is_empty());
}

/// The sum of what was granted; nothing else came.
fn granted(all: &[Got]) -> u32 {
    let n = |got: &Got| match got {
        Got::RequestN(n) => *n,
        other => panic!("not a REQUEST_N: {other:?}"),
    };
    all.iter().map(n).sum()
}

#[tokio::test]
async fn r_chn_17_an_echo_goes_on_with_one_unit_of_credit_on_each_side() {
    let router = debug_router(1);
    let service = Arc::new(Service::new(router, Open::default(), ServiceLimits::default()));
    let mut client = Client::connect(&service);
    let first = to("debug.echo", "0");
    let answer = client.send(&channel(1, 1, first.clone()));
    assert_eq!(answer, [Got::Item(first), Got::RequestN(1)]);
    for _ in 0..100 {
        // Our credit is used up: the item waits, and so does the client's next one.
        assert_eq!(client.send(&data(1, verbatim("n"))), []);
        let answer = client.send(&testkit::request_n(1, 1));
        assert_eq!(answer, [Got::Item(verbatim("n")), Got::RequestN(1)]);
    }
}

fn debug_router(window: u32) -> Router {
    router(&topics(), true, window).unwrap()
}

#[tokio::test]
async fn r_lim_14_an_echo_whose_reader_grants_nothing_holds_at_most_its_window() {
    let mut client = client();
    let answer = client.send(&channel(1, 1, to("debug.echo", "0")));
    assert_eq!(granted(&answer[1..]), 4);
    for text in ["1", "2", "3", "4"] {
        assert_eq!(client.send(&data(1, verbatim(text))), []);
    }
    assert_eq!(client.wait(DONE).await, []);
    // Beyond the window is beyond the credit (R-REQN-9): the stream ends.
    let answer = client.send(&data(1, verbatim("5")));
    assert_eq!(error(&answer).0, ErrorCode::CANCELED);
}

#[tokio::test]
async fn an_echo_returns_what_it_held_in_order_and_then_completes() {
    let mut client = client();
    client.send(&channel(1, 1, to("debug.echo", "0")));
    for text in ["1", "2", "3"] {
        client.send(&data(1, verbatim(text)));
    }
    assert_eq!(client.send(&complete(1)), []);
    let answer = client.send(&testkit::request_n(1, 2));
    assert_eq!(texts(&answer), ["1", "2"]);
    let answer = client.send(&testkit::request_n(1, 2));
    assert_eq!(answer, [Got::Item(verbatim("3")), Got::Complete]);
}

#[tokio::test]
async fn r_chn_14_an_echo_of_a_single_item_completes_with_it() {
    let mut client = client();
    let payload = to("debug.echo", "only");
    let body = Body::RequestChannel {
        follows: false,
        complete: true,
        initial_n: 5,
        payload: payload.clone(),
    };
    let answer = client.send(&Frame::new(StreamId::new(1), body));
    assert_eq!(answer, [Got::Item(payload), Got::Complete]);
}

#[tokio::test]
async fn an_echo_takes_items_larger_than_what_it_holds_ahead() {
    let mut client = client();
    client.send(&channel(1, 1, to("debug.echo", "0")));
    let large: Bytes = vec![b'x'; 40_000].into();
    for _ in 0..3 {
        assert_eq!(client.send(&data(1, Payload::new(large.clone()))), []);
    }
    // It holds one; the others stay with the connection, which bounds their bytes.
    assert!(client.script.connection.has_input(client.works[0].key));
    let answer = client.send(&testkit::request_n(1, 100));
    // Each comes back in fragments, whole and in order.
    let bytes = |got: &Got| match got {
        Got::Item(payload) => payload.data.len(),
        Got::RequestN(_) => 0,
        other => panic!("not expected: {other:?}"),
    };
    assert_eq!(answer.iter().map(bytes).sum::<usize>(), 3 * large.len());
    let n = |got: &Got| if let Got::RequestN(n) = got { *n } else { 0 };
    assert_eq!(answer.iter().map(n).sum::<u32>(), 3);
}

// ---- count -------------------------------------------------------------------------------------

#[tokio::test]
async fn count_gives_exactly_what_was_asked_for() {
    let mut client = client();
    assert_eq!(seqs(&client.send(&stream(1, 5, to("debug.count", "")))), [0, 1, 2, 3, 4]);
    assert_eq!(client.wait(DONE).await, []);
    assert_eq!(seqs(&client.send(&testkit::request_n(1, 3))), [5, 6, 7]);
    assert_eq!(client.send(&testkit::cancel(1)), []);
    assert!(client.works.is_empty());
}

#[tokio::test]
async fn count_goes_from_a_number_for_a_limit_and_completes() {
    let mut client = client();
    let mut answer = client.send(&stream(1, 100, to("debug.count", r#"{"from":8,"limit":4}"#)));
    assert_eq!(answer.pop(), Some(Got::Complete));
    assert_eq!(answer, [8, 9, 10, 11].map(|n| item(&format!(r#"{{"seq":{n}}}"#))));
    // COMPLETE needs no credit (R-STR-4).
    let mut answer = client.send(&stream(3, 4, to("debug.count", r#"{"limit":4}"#)));
    assert_eq!(answer.pop(), Some(Got::Complete));
    assert_eq!(seqs(&answer), [0, 1, 2, 3]);
    let answer = client.send(&stream(5, 1, to("debug.count", r#"{"limit":0}"#)));
    assert_eq!(answer, [Got::Complete]);
    let last = r#"{"from":9007199254740990}"#;
    let mut answer = client.send(&stream(7, 100, to("debug.count", last)));
    assert_eq!(answer.pop(), Some(Got::Complete));
    assert_eq!(seqs(&answer), [(1 << 53) - 2, (1 << 53) - 1]);
}

#[tokio::test]
async fn count_writes_in_the_type_of_the_request() {
    for mime in ["application/octet-stream", "text/plain", JSON] {
        let answer = client_of(mime).send(&stream(1, 1, to("debug.count", r#"{"from":7}"#)));
        assert_eq!(answer, [item(r#"{"seq":7}"#)]);
    }
    // {"from": 7} of the MessagePack specification.
    let answer =
        client_of(MSGPACK).send(&stream(1, 2, to("debug.count", &b"\x81\xA4from\x07"[..])));
    let numbers: Vec<BTreeMap<String, u64>> = answer
        .iter()
        .map(|got| match got {
            Got::Item(payload) => Encoding::MessagePack.decode(&payload.data).unwrap(),
            other => panic!("not an item: {other:?}"),
        })
        .collect();
    assert_eq!(numbers, [7, 8].map(|n| BTreeMap::from([("seq".to_owned(), n)])));
    let answer = client_of("application/cbor").send(&stream(1, 1, to("debug.count", "")));
    assert_eq!(error(&answer).0, ErrorCode::INVALID);
}

#[tokio::test]
async fn count_pads_its_items_also_beyond_the_write_budget() {
    let mut client = client();
    let answer = client.send(&stream(1, 3, to("debug.count", r#"{"size":128}"#)));
    assert_eq!(seqs(&answer), [0, 1, 2]);
    assert!(answer.iter().all(|got| matches!(got, Got::Item(item) if item.data.len() == 128)));
    let answer = client.send(&stream(3, 1, to("debug.count", r#"{"size":3000000}"#)));
    let parts = answer.iter().map(|got| match got {
        Got::Item(part) => &part.data[..],
        other => panic!("not an item: {other:?}"),
    });
    let whole = parts.collect::<Vec<_>>().concat();
    assert_eq!(whole.len(), 3_000_000);
    let value: Value = serde_json::from_slice(&whole).unwrap();
    assert_eq!(value["seq"], 0);
}

#[tokio::test(start_paused = true)]
async fn count_keeps_a_pace_and_does_not_catch_up() {
    let mut client = client();
    let paced = to("debug.count", r#"{"every_ms":100}"#);
    assert_eq!(seqs(&client.send(&stream(1, 5, paced))), [0]);
    assert_eq!(client.wait(Duration::from_millis(99)).await, []);
    assert_eq!(seqs(&client.wait(Duration::from_millis(1)).await), [1]);
    assert_eq!(seqs(&client.wait(Duration::from_millis(300)).await), [2, 3, 4]);
    assert_eq!(client.wait(DONE).await, []);
    // Two seconds late, it does not make up for them.
    assert_eq!(seqs(&client.send(&testkit::request_n(1, 10))), [5]);
    assert_eq!(seqs(&client.wait(Duration::from_millis(100)).await), [6]);
}

#[tokio::test]
async fn count_refuses_what_it_cannot_do() {
    let mut client = client();
    let mut refuse = |data: &'static str| {
        let answer = client.send(&stream(1, 1, to("debug.count", data)));
        let (code, text) = error(&answer);
        assert_eq!(code, ErrorCode::INVALID);
        text.to_owned()
    };
    assert!(refuse(r#"{"size":16777217}"#).contains("size is at most 16777216, not 16777217"));
    assert!(refuse(r#"{"from":9007199254740992}"#).contains("from is at most"));
    assert!(refuse(r#"{"every_ms":3600001}"#).contains("every_ms at most"));
    assert!(refuse(r#"{"from":-1}"#).contains("field from: invalid value"));
    assert!(refuse(r#"{"start":1}"#).contains("unknown field `start`"));
}

// ---- sink --------------------------------------------------------------------------------------

fn sunk(client: &mut Client) -> u64 {
    match &client.send(&respond(99, to("debug.sink.count", "")))[..] {
        [Got::Last(payload)] => std::str::from_utf8(&payload.data).unwrap().parse().unwrap(),
        other => panic!("no count: {other:?}"),
    }
}

#[tokio::test]
async fn sink_counts_fire_and_forget() {
    let service = service();
    let mut client = Client::connect(&service);
    for n in 0..20 {
        assert_eq!(client.send(&fire(2 * n + 1, to("debug.sink", "anything"))), []);
    }
    assert_eq!(sunk(&mut client), 20);
    // One count for all connections.
    assert_eq!(sunk(&mut Client::connect(&service)), 20);
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_slows_its_client_through_request_n_alone() {
    let mut client = client();
    let answer = client.send(&channel(1, 1, to("debug.sink", r#"{"delay_ms":100}"#)));
    // The window less the opening item, then its unit (R-CHN-5).
    assert_eq!(answer, [Got::RequestN(3), Got::RequestN(1)]);
    for _ in 0..4 {
        assert_eq!(client.send(&data(1, Payload::new("x"))), []);
    }
    // It is at the first item; each takes 100 ms, and gives one unit back.
    assert_eq!(sunk(&mut client), 1);
    assert_eq!(client.wait(Duration::from_millis(99)).await, []);
    assert_eq!(client.wait(Duration::from_millis(2)).await, [Got::RequestN(1)]);
    assert_eq!(sunk(&mut client), 2);
    let answer = client.wait(Duration::from_millis(310)).await;
    assert_eq!(answer, [Got::RequestN(1), Got::RequestN(1), Got::RequestN(1)]);
    assert_eq!(client.wait(DONE).await, []);
    assert_eq!(client.send(&complete(1)), [Got::Complete]);
    assert!(client.works.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_slow_sink_completes_when_it_has_taken_everything() {
    let mut client = client();
    client.send(&channel(1, 1, to("debug.sink", r#"{"delay_ms":100}"#)));
    client.send(&data(1, Payload::new("a")));
    client.send(&data(1, Payload::new("b")));
    assert_eq!(client.send(&complete(1)), []);
    assert_eq!(client.wait(Duration::from_millis(199)).await, []);
    assert_eq!(client.wait(Duration::from_millis(2)).await, [Got::Complete]);
    assert_eq!(sunk(&mut client), 2);
}

#[tokio::test]
async fn can_7_a_sink_never_sees_what_came_beyond_its_credit() {
    let mut client = client();
    client.send(&channel(1, 1, to("debug.sink", r#"{"delay_ms":100}"#)));
    let mut ends = Vec::new();
    for _ in 0..50_000 {
        ends.extend(client.send(&data(1, Payload::new("x"))));
    }
    assert_eq!(error(&ends).0, ErrorCode::CANCELED);
    assert_eq!(sunk(&mut client), 1);
    assert!(client.works.is_empty());
}

#[tokio::test]
async fn sink_refuses_a_delay_of_more_than_an_hour() {
    let answer = client().send(&channel(1, 1, to("debug.sink", r#"{"delay_ms":3600001}"#)));
    assert_eq!(error(&answer).0, ErrorCode::INVALID);
}

// ---- half-closed channels ----------------------------------------------------------------------

#[tokio::test]
async fn r_chn_18_first_completes_after_one_item_and_goes_on_taking() {
    let mut client = client();
    let first = to("debug.first", "a");
    let mut answer = client.send(&channel(1, 9, first.clone()));
    assert_eq!(granted(&answer.split_off(2)), 4);
    assert_eq!(answer, [Got::Item(first), Got::Complete]);
    for _ in 0..100 {
        assert_eq!(client.send(&data(1, Payload::new("x"))), [Got::RequestN(1)]);
    }
    assert_eq!(client.send(&complete(1)), []);
    assert!(client.works.is_empty());
}

#[tokio::test]
async fn r_chn_12_drop_cancels_the_clients_half_and_sends_three_items() {
    let mut client = client();
    let mut answer = client.send(&channel(1, 2, to("debug.drop", "a")));
    let cancel = answer.iter().position(|got| *got == Got::Cancel).unwrap();
    answer.remove(cancel);
    assert_eq!(seqs(&answer), [0, 1]);
    assert_eq!(client.send(&data(1, Payload::new("late"))), []);
    let answer = client.send(&testkit::request_n(1, 5));
    assert_eq!(answer, [item(r#"{"seq":2}"#), Got::Complete]);
    assert!(client.works.is_empty());
}
