//! What `tidegate call` takes and refuses.

use super::*;

#[derive(Parser)]
struct Probe {
    #[command(flatten)]
    args: CallArgs,
}

fn parse(line: &[&str]) -> Result<CallArgs, clap::Error> {
    Probe::try_parse_from([&["call"], line].concat()).map(|probe| probe.args)
}

const URL: &str = "tcp://127.0.0.1:7000";

#[test]
fn the_least_call_has_json_and_no_credit() {
    let args = parse(&["request", URL, "debug.echo"]).unwrap();
    assert_eq!(args.interaction, CallInteraction::Request);
    assert_eq!(args.url.to_string(), URL);
    assert_eq!((args.route.as_str(), args.mime.as_str()), ("debug.echo", "application/json"));
    assert_eq!((args.n, args.data, args.follow, args.wait), (None, None, false, None));
}

#[test]
fn everything_that_the_help_names_is_taken() {
    let line = "stream ws://h/x?y debug.count -n 5 --data - --user ada --bearer k --mime \
                text/plain --follow --wait 0.5";
    let args = parse(&line.split_whitespace().collect::<Vec<_>>()).unwrap();
    assert_eq!(args.n, Some(5));
    assert_eq!(args.data, Some(CallData::Stdin));
    assert_eq!((args.user.as_deref(), args.bearer.as_deref()), (Some("ada"), Some("k")));
    assert_eq!((args.mime.as_str(), args.follow), ("text/plain", true));
    assert_eq!(args.wait, Some(Duration::from_millis(500)));
    args.check().unwrap();
}

#[test]
fn data_is_a_text_a_file_or_standard_input() {
    let data = |text: &str| parse(&["fnf", URL, "r", "--data", text]).map(|args| args.data);
    assert_eq!(data("{}").unwrap(), Some(CallData::Text("{}".to_owned())));
    assert_eq!(data("-5").unwrap(), Some(CallData::Text("-5".to_owned())));
    assert_eq!(data("").unwrap(), Some(CallData::Text(String::new())));
    assert_eq!(data("@a.json").unwrap(), Some(CallData::File("a.json".into())));
    assert!(data("@").is_err());
}

#[test]
fn urls_have_defaults_and_ipv6() {
    let url = |text: &str| text.parse::<CallUrl>();
    assert_eq!(url("tcp://host").unwrap().to_string(), "tcp://host:7000");
    assert_eq!(url("tcp://host/").unwrap().authority(), "host:7000");
    assert_eq!(url("tcp://[::1]:9").unwrap().authority(), "[::1]:9");
    assert_eq!(url("tcp://[::1]").unwrap(), CallUrl::Tcp { host: "::1".to_owned(), port: 7000 });
    assert_eq!(url("ws://host").unwrap().to_string(), "ws://host:80/rsocket");
    assert_eq!(url("ws://host:8080/").unwrap().to_string(), "ws://host:8080/");
    assert_eq!(url("ws://host:8080/a?b=c").unwrap().to_string(), "ws://host:8080/a?b=c");
    for wrong in [
        "",
        "host:7000",
        "http://host",
        "wss://host",
        "tcp://",
        "tcp://:7000",
        "tcp://host:0",
        "tcp://host:x",
        "tcp://host:65536",
        "tcp://host/path",
        "tcp://[::1",
        "tcp://[::1]7000",
        "tcp://me@host",
        "ws://host#x",
        "ws://host?x",
        "ws://ho st",
        "ws://h/\r\nX: y",
        "tcp://ö",
    ] {
        assert!(url(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn what_is_out_of_range_is_a_usage_error() {
    let long = "r".repeat(256);
    for extra in [
        &["-n", "0"][..],
        &["-n", "2147483648"],
        &["-n", "x"],
        &["--wait", "-1"],
        &["--wait", "NaN"],
        &["--wait", "inf"],
        &["--wait", "86401"],
        &["--mime", "json"],
        &["--mime", "a/ b"],
        &["--unknown"],
    ] {
        let Err(error) = parse(&[&["stream", URL, "r"], extra].concat()) else {
            panic!("{extra:?} is taken");
        };
        assert_eq!(error.exit_code(), 2, "{extra:?}");
    }
    assert!(parse(&["stream", URL, &long]).is_err());
    assert!(parse(&["stream", URL, ""]).is_err());
    assert!(parse(&["stream", URL, &long[..255], "-n", "2147483647"]).is_ok());
    assert!(parse(&["subscribe", URL, "r"]).is_err());
}

#[test]
fn credit_is_for_streams_and_channels() {
    for interaction in ["request", "fnf", "push"] {
        for extra in [&["-n", "5"][..], &["--follow"]] {
            let args = parse(&[&[interaction, URL, "r"], extra].concat()).unwrap();
            let error = args.check().unwrap_err();
            assert_eq!(error.exit_code(), 2);
            assert!(error.to_string().contains("is for `stream` and `channel` alone"), "{error}");
        }
        parse(&[interaction, URL, "r"]).unwrap().check().unwrap();
    }
    parse(&["channel", URL, "r", "-n", "5", "--follow"]).unwrap().check().unwrap();
}
