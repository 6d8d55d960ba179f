use super::*;
use crate::engine::TallyLimits;

const WINDOW: Duration = Duration::from_millis(500);

fn react(event: &str, emoji: &str, count: u64) -> Payload {
    to(&format!("event.{event}.react"), format!(r#"{{"emoji":"{emoji}","count":{count}}}"#))
}

fn reactions(event: &str, options: &'static str) -> Payload {
    to(&format!("event.{event}.reactions"), options)
}

/// Sends a reaction, which has no answer.
fn fire_at(client: &mut Client, payload: Payload) {
    assert_eq!(client.send(&fire(99, payload)), []);
}

fn sum(items: &[Value], field: &str) -> u64 {
    items.iter().map(|item| item[field].as_u64().unwrap()).sum()
}

#[tokio::test(start_paused = true)]
async fn a_reader_sees_each_window_once_with_counts_and_totals() {
    let mut client = Client::connect(&service());
    assert_eq!(client.send(&stream(1, 100, reactions("7", ""))), []);
    fire_at(&mut client, react("7", "🎉", 3));
    fire_at(&mut client, to("event.7.react", r#"{"emoji":"🔥"}"#));
    fire_at(&mut client, react("8", "🎉", 9));
    let first = json(&client.wait(WINDOW).await);
    assert_eq!(first.len(), 1);
    let item = &first[0];
    assert_eq!(
        item["counts"],
        serde_json::json!([
            {"emoji": "🎉", "count": 3}, {"emoji": "🔥", "count": 1}
        ])
    );
    assert_eq!((&item["total"], &item["other"], &item["shed"]), (&4.into(), &0.into(), &0.into()));
    assert_eq!((&item["windows"], &item["totals"]["total"]), (&1.into(), &4.into()));
    assert_eq!(item["first_window"], item["last_window"]);
    let span = item["end_ms"].as_u64().unwrap() - item["start_ms"].as_u64().unwrap();
    assert_eq!(span, 500);
    assert!(item.get("gap").is_none());
    // A window in which nothing happened sends nothing.
    assert_eq!(client.wait(4 * WINDOW).await, []);
    fire_at(&mut client, react("7", "🔥", 2));
    let second = json(&client.wait(WINDOW).await);
    assert_eq!(second[0]["counts"], serde_json::json!([{"emoji": "🔥", "count": 2}]));
    assert_eq!(second[0]["totals"]["total"], 6);
    assert!(second[0]["first_window"].as_u64() > item["last_window"].as_u64());
}

#[tokio::test(start_paused = true)]
async fn hot_5_a_reader_without_credit_gets_one_item_for_all_that_it_missed() {
    let mut client = Client::connect(&service());
    client.send(&stream(1, 1, reactions("7", "")));
    let mut early = Vec::new();
    for _ in 0..5 {
        fire_at(&mut client, react("7", "🎉", 10));
        early.extend(client.wait(WINDOW).await);
    }
    assert_eq!(json(&early)[0]["total"], 10);
    assert_eq!(early.len(), 1);
    let late = json(&client.send(&testkit::request_n(1, 10)));
    assert_eq!(late.len(), 1);
    assert_eq!((&late[0]["windows"], &late[0]["total"]), (&4.into(), &40.into()));
    assert_eq!(late[0]["totals"]["total"], 50);
}

#[tokio::test(start_paused = true)]
async fn a_reader_goes_on_after_the_window_that_it_has_seen() {
    let service = service();
    let mut client = Client::connect(&service);
    client.send(&stream(1, 1, reactions("7", "")));
    fire_at(&mut client, react("7", "🎉", 1));
    let seen = json(&client.wait(WINDOW).await)[0]["last_window"].as_u64().unwrap();
    drop(client);
    let mut client = Client::connect(&service);
    fire_at(&mut client, react("7", "🎉", 2));
    client.wait(WINDOW).await;
    let after = to("event.7.reactions", format!(r#"{{"after":{seen}}}"#));
    let missed = json(&client.send(&stream(1, 1, after)));
    assert_eq!(missed[0]["total"], 2);
    // Without `after` it begins with the next window.
    assert_eq!(client.send(&stream(3, 1, reactions("7", ""))), []);
}

#[tokio::test(start_paused = true)]
async fn a_reader_may_lengthen_the_interval_and_loses_nothing() {
    let mut client = Client::connect(&service());
    client.send(&stream(1, 1_000, reactions("7", r#"{"window_ms":2000}"#)));
    let mut all = Vec::new();
    for _ in 0..40 {
        fire_at(&mut client, react("7", "🎉", 1));
        all.extend(client.wait(WINDOW).await);
    }
    let items = json(&all);
    // 20 s: the first at once, then one every two seconds.
    assert_eq!(items.len(), 10);
    assert!(items[1..].iter().all(|item| item["windows"] == 4), "{items:?}");
    assert_eq!(sum(&items, "total"), 1 + 9 * 4);
}

#[tokio::test(start_paused = true)]
async fn top_names_the_most_frequent_and_sums_up_the_others() {
    let mut client = Client::connect(&service());
    client.send(&stream(1, 1, reactions("7", r#"{"top":2}"#)));
    for (emoji, count) in [("a", 1), ("b", 5), ("c", 3), ("d", 2)] {
        fire_at(&mut client, react("7", emoji, count));
    }
    let item = json(&client.wait(WINDOW).await).remove(0);
    let top = serde_json::json!([{"emoji": "b", "count": 5}, {"emoji": "c", "count": 3}]);
    assert_eq!((&item["counts"], &item["totals"]["counts"]), (&top, &top));
    assert_eq!((&item["other"], &item["total"]), (&3.into(), &11.into()));
}

#[tokio::test(start_paused = true)]
async fn both_encodings_say_the_same() {
    let topics = topics();
    let service = service_of(&topics);
    let open =
        |mime: &str| Client::open(&service, setup_of(COMPOSITE, mime, Payload::default())).unwrap();
    let (mut plain, mut packed) = (open(JSON), open(MSGPACK));
    plain.send(&stream(1, 1, reactions("7", "")));
    packed.send(&stream(1, 1, reactions("7", "")));
    // {"emoji": "x", "count": 5} of the MessagePack specification.
    let data = &b"\x82\xA5emoji\xA1x\xA5count\x05"[..];
    fire_at(&mut packed, to("event.7.react", data));
    plain.wait(WINDOW).await;
    let (read, answer) = (topics.stats().encodes, packed.turn());
    assert_eq!((read, topics.stats().encodes), (1, 2));
    let [Got::Item(item)] = &answer[..] else { panic!("not one item: {answer:?}") };
    let item: Value = Encoding::MessagePack.decode(&item.data).unwrap();
    assert_eq!(item["counts"], serde_json::json!([{"emoji": "x", "count": 5}]));
    assert_eq!(item["totals"]["total"], 5);
}

#[tokio::test(start_paused = true)]
async fn a_reaction_out_of_range_is_dropped_and_counted() {
    let service = service();
    let mut client = Client::connect(&service);
    client.send(&stream(1, 1, reactions("7", "")));
    let long = "x".repeat(65);
    for payload in
        [react("7", "🎉", 0), react("7", "🎉", 1_001), react("7", "", 1), react("7", &long, 1)]
    {
        fire_at(&mut client, payload);
    }
    assert_eq!(service.totals().dropped(Class::Data), 4);
    assert_eq!(client.wait(2 * WINDOW).await, []);
    fire_at(&mut client, react("7", "🎉", 1_000));
    assert_eq!(json(&client.wait(WINDOW).await)[0]["total"], 1_000);
}

#[tokio::test(start_paused = true)]
async fn hot_1_every_reaction_is_counted_once() {
    const KINDS: [&str; 8] = ["🎉", "🔥", "👍", "👎", "😂", "😮", "😢", "🙏"];
    let service = service();
    let mut reader = Client::connect(&service);
    reader.send(&stream(1, 0x7FFF_FFFF, reactions("final", "")));
    let mut clients: Vec<_> = (0..100).map(|_| Client::connect(&service)).collect();
    let mut all = Vec::new();
    for round in 0..1_000 {
        for (index, client) in clients.iter_mut().enumerate() {
            fire_at(client, react("final", KINDS[(index + round) % KINDS.len()], 1));
        }
        // 100,000 over two seconds.
        all.extend(reader.wait(Duration::from_millis(2)).await);
    }
    all.extend(reader.wait(2 * WINDOW).await);
    let items = json(&all);
    assert!((4..=6).contains(&items.len()), "{} windows", items.len());
    assert_eq!(sum(&items, "total"), 100_000);
    let totals = &items.last().unwrap()["totals"];
    assert_eq!((&totals["total"], &totals["shed"]), (&100_000.into(), &0.into()));
    for count in totals["counts"].as_array().unwrap() {
        assert_eq!(count["count"], 12_500);
    }
    // No window twice.
    let last = |item: &Value| item["last_window"].as_u64().unwrap();
    assert!(
        items.windows(2).all(|pair| last(&pair[0]) < pair[1]["first_window"].as_u64().unwrap())
    );
}

#[tokio::test(start_paused = true)]
async fn hot_3_accepted_and_shed_are_all_that_was_sent() {
    let topics = topics();
    let limits = ServiceLimits { effects_per_second: 100, ..ServiceLimits::default() };
    let router = router(&topics, false, 4).unwrap();
    let service = Arc::new(Service::new(router, Open::default(), limits));
    let mut reader = Client::connect(&service);
    reader.send(&stream(1, 1_000, reactions("7", "")));
    let mut client = Client::connect(&service);
    let mut all = Vec::new();
    // 5 s at five times the budget.
    for _ in 0..2_500 {
        fire_at(&mut client, react("7", "🎉", 2));
        all.extend(reader.wait(Duration::from_millis(2)).await);
    }
    all.extend(reader.wait(2 * WINDOW).await);
    let items = json(&all);
    let (accepted, shed) = (sum(&items, "total"), sum(&items, "shed"));
    assert_eq!(accepted + shed, 5_000);
    // 100 at once and 100 a second, in twos.
    assert_eq!(accepted, 2 * (100 + 499));
    assert_eq!(service.totals().shed() * 2, shed);
    let stats = topics.stats();
    assert_eq!((stats.reactions, stats.shed), (accepted, shed));
    assert_eq!(items.last().unwrap()["totals"]["shed"], shed);
}

#[tokio::test(start_paused = true)]
async fn a_client_with_a_lease_has_no_budget_beside_it() {
    let topics = topics();
    let limits = ServiceLimits { effects_per_second: 1, ..ServiceLimits::default() };
    let service =
        Arc::new(Service::new(router(&topics, false, 4).unwrap(), Open::default(), limits));
    let setup = Setup { lease: true, ..setup_of(COMPOSITE, JSON, Payload::default()) };
    let mut client = Client::open(&service, setup).unwrap();
    for _ in 0..100 {
        fire_at(&mut client, react("7", "🎉", 1));
    }
    assert_eq!((topics.stats().reactions, service.totals().shed()), (100, 0));
}

#[tokio::test(start_paused = true)]
async fn hot_6_an_item_is_no_larger_for_ten_thousand_kinds() {
    let service = service();
    let mut lens = Vec::new();
    for (event, kinds) in [("few", 10), ("many", 10_000)] {
        let mut reader = Client::connect(&service);
        reader.send(&stream(1, 1_000, reactions(event, "")));
        let mut client = Client::connect(&service);
        // As many reactions each, so that only the number of kinds differs.
        for n in 0..10_000 {
            fire_at(&mut client, react(event, &format!("kind-{:05}", n % kinds), 1));
        }
        let answer = reader.wait(2 * WINDOW).await;
        let [Got::Item(item)] = &answer[..] else { panic!("not one item: {answer:?}") };
        let value: Value = serde_json::from_slice(&item.data).unwrap();
        assert_eq!(value["total"], 10_000);
        assert_eq!(value["counts"].as_array().unwrap().len(), 10);
        lens.push(item.data.len());
    }
    assert!(lens[1] * 10 <= lens[0] * 11, "{lens:?}");
}

#[tokio::test]
async fn a_topic_without_room_is_refused_for_a_retry() {
    let config =
        TopicsConfig { topics_max: 1, tally: TallyLimits::default(), ..TopicsConfig::default() };
    let topics = Topics::start(config).unwrap();
    let service = service_of(&topics);
    let mut client = Client::connect(&service);
    client.send(&stream(1, 1, reactions("7", "")));
    let answer = client.send(&stream(3, 1, reactions("8", "")));
    let text = "there are 1 live topics already, no room for another: retry later";
    assert_eq!(error(&answer), (ErrorCode::REJECTED, text));
    fire_at(&mut client, react("8", "🎉", 1));
    assert_eq!(service.totals().dropped(Class::Overload), 1);
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_cancels_leaves_nothing() {
    let topics = topics();
    let mut client = Client::connect(&service_of(&topics));
    client.send(&stream(1, 1, reactions("7", "")));
    assert_eq!(topics.stats().subscriptions, 1);
    client.send(&testkit::cancel(1));
    assert_eq!(topics.stats().subscriptions, 0);
}
