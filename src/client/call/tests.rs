//! Arguments in, lines and an exit code out, against the scripted responder.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use clap::Parser;

use super::super::tests::responder::{Seen, pair, pair_with};
use super::super::{CallArgs, Client, Options};
use super::data::{Lines, Source};
use super::exchange::Exchange;
use super::failure::Failure;
use super::printer::Printer;
use crate::client::media::Encoding;
use crate::protocol::SetupRejection;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    call: CallArgs,
}

fn arguments(line: &str) -> CallArgs {
    let words = line.split(' ').map(|word| word.replace('_', " "));
    let words = ["call".to_owned()].into_iter().chain(words);
    Arguments::try_parse_from(words).unwrap().call
}

async fn run_on(client: &Client, line: &str) -> (Result<(), Failure>, Vec<String>) {
    let args = arguments(line);
    match Source::open(&args, Encoding::of(&args.mime)) {
        Ok(source) => exchange(client, &args, source).await,
        Err(failure) => (Err(failure), Vec::new()),
    }
}

/// `tidegate call channel … --data -` with this on standard input.
async fn pipe(input: &'static str, line: &str) -> (Result<(), Failure>, Vec<String>, Arc<Seen>) {
    let (client, seen) = pair();
    let args = arguments(line);
    let lines = Lines::new(Box::new(input.as_bytes()), Encoding::of(&args.mime));
    let (result, lines) = exchange(&client, &args, Source::Lines(lines)).await;
    (result, lines, seen)
}

async fn exchange(
    client: &Client,
    args: &CallArgs,
    mut source: Source,
) -> (Result<(), Failure>, Vec<String>) {
    let mut out = Vec::new();
    let mut printer = Printer::new(&mut out, Encoding::of(&args.mime), false);
    let result = Exchange { client, args, printer: &mut printer }.run(&mut source).await;
    let lines = String::from_utf8(out).unwrap().lines().map(str::to_owned).collect();
    (result, lines)
}

async fn run(line: &str) -> (u8, Vec<String>, Arc<Seen>) {
    let (client, seen) = pair();
    let (result, lines) = run_on(&client, line).await;
    let code = result.err().map_or(0, |failure| failure.exit_code());
    (code, lines, seen)
}

const TEXT: &str = "tcp://h:1 r --mime text/plain";

#[tokio::test(start_paused = true)]
async fn a_request_prints_its_response() {
    let (code, lines, _) = run("request tcp://h:1 r --data {\"b\":_1,\"a\":2}").await;
    assert_eq!((code, lines), (0, vec![r#"{"b":1,"a":2}"#.to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_stream_is_cancelled_after_n_items() {
    let (code, lines, seen) = run(&format!("stream {TEXT} --data count -n 5")).await;
    assert_eq!((code, lines.len()), (0, 5));
    seen.until(&seen.dropped, 1).await;
    assert_eq!(seen.written.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn wait_shows_that_no_more_come() {
    let start = tokio::time::Instant::now();
    let (code, lines, seen) = run(&format!("stream {TEXT} --data count -n 5 --wait 2")).await;
    assert_eq!((code, lines.len()), (0, 5));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    assert_eq!(seen.written.load(Ordering::SeqCst), 5);
}

#[tokio::test(start_paused = true)]
async fn wait_ends_with_the_stream() {
    let start = tokio::time::Instant::now();
    let (code, lines, _) = run(&format!("stream {TEXT} --data count_5 -n 5 --wait 2")).await;
    assert_eq!((code, lines.len(), start.elapsed()), (0, 5, Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn follow_asks_for_n_more_each_time_until_the_end() {
    let start = tokio::time::Instant::now();
    let line = format!("stream {TEXT} --data count_12 -n 5 --follow --wait 1");
    let (code, lines, _) = run(&line).await;
    assert_eq!((code, lines.len()), (0, 12));
    assert_eq!(start.elapsed(), Duration::from_secs(2));
    let (code, lines, _) = run(&format!("stream {TEXT} --data count_1000 --follow")).await;
    assert_eq!((code, lines.len()), (0, 1_000));
}

#[tokio::test(start_paused = true)]
async fn without_n_everything_comes_through_a_window() {
    let (code, lines, _) = run(&format!("stream {TEXT} --data count_5000")).await;
    assert_eq!((code, lines.len()), (0, 5_000));
}

#[tokio::test(start_paused = true)]
async fn a_channel_of_one_item_completes_its_half() {
    let (code, lines, _) = run(&format!("channel {TEXT} --data hello")).await;
    assert_eq!((code, lines), (0, vec!["hello".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_channel_sends_a_line_an_item_as_credit_allows() {
    let input = "1\n\n2\r\n3\n4\n5\n6\n7\n8\n9\n10";
    let (result, lines, seen) = pipe(input, "channel tcp://h:1 r --data -").await;
    assert!(result.is_ok());
    assert_eq!(lines, (1..=10).map(|number| number.to_string()).collect::<Vec<_>>());
    assert_eq!(seen.taken.load(Ordering::SeqCst), 10);
}

#[tokio::test(start_paused = true)]
async fn a_channel_is_over_after_n_items_whatever_is_left_to_send() {
    let input = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    let (result, lines, _) = pipe(input, "channel tcp://h:1 r --data - -n 2").await;
    assert!(result.is_ok());
    assert_eq!(lines, ["1", "2"]);
}

#[tokio::test(start_paused = true)]
async fn a_channel_goes_on_when_the_responder_takes_no_more() {
    let line = format!("channel {TEXT} --data -");
    let (result, lines, _) = pipe("refuse\nx\ny\nz\n", &line).await;
    assert!(result.is_ok());
    assert_eq!(lines, ["still", "still", "still"]);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_is_not_json_or_no_line_at_all_is_usage() {
    let (result, lines, _) = pipe("1\n2\n{\n", "channel tcp://h:1 r --data -").await;
    let failure = result.unwrap_err();
    assert_eq!(failure.exit_code(), 2);
    let text = failure.text().unwrap();
    assert!(text.starts_with("line 3 of standard input is not JSON"), "{text}");
    assert!(lines.len() <= 2);
    let (result, _, _) = pipe("\n", "channel tcp://h:1 r --data -").await;
    assert_eq!(result.unwrap_err().exit_code(), 2);
}

#[tokio::test(start_paused = true)]
async fn fnf_and_push_print_nothing() {
    let (code, lines, seen) = run(&format!("fnf {TEXT} --data x")).await;
    assert_eq!((code, lines.len()), (0, 0));
    assert_eq!(seen.fire_and_forget.load(Ordering::SeqCst), 1);
    let (code, lines, seen) = run(&format!("push {TEXT} --data x")).await;
    assert_eq!((code, lines.len()), (0, 0));
    assert_eq!(seen.pushed.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn an_error_frame_is_exit_1_with_code_and_message() {
    for interaction in ["request", "stream", "channel"] {
        let (client, _) = pair();
        let (result, lines) = run_on(&client, &format!("{interaction} {TEXT} --data fail")).await;
        let failure = result.unwrap_err();
        assert_eq!((failure.exit_code(), lines.len()), (1, 0));
        assert_eq!(failure.text().unwrap(), "INVALID: as you wish");
    }
}

#[tokio::test(start_paused = true)]
async fn data_that_is_not_json_is_usage_unless_the_type_is_raw() {
    for mime in ["application/json", "application/msgpack"] {
        let (code, _, _) = run(&format!("request tcp://h:1 r --data {{ --mime {mime}")).await;
        assert_eq!(code, 2);
    }
    let (code, _, _) = run("request tcp://h:1 r --data @/no/such/file").await;
    assert_eq!(code, 2);
    let (code, lines, _) = run(&format!("request {TEXT} --data {{")).await;
    assert_eq!((code, lines), (0, vec!["{".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_refused_setup_is_exit_3_for_every_interaction() {
    for interaction in ["request", "stream", "channel", "fnf", "push"] {
        let refusal = Some(SetupRejection::rejected("not today"));
        let (client, _, _task) = pair_with(&Options::default(), refusal);
        let (result, _) = run_on(&client, &format!("{interaction} {TEXT} --data x")).await;
        let failure = result.unwrap_err();
        assert_eq!(failure.exit_code(), 3, "{interaction}: {failure:?}");
        let text = failure.text().unwrap();
        assert!(text.ends_with("REJECTED_SETUP: not today"), "{text}");
    }
}

#[test]
fn an_output_that_nobody_reads_is_no_failure() {
    let gone = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
    assert_eq!(Failure::output(&gone).exit_code(), 0);
    let full = std::io::Error::from(std::io::ErrorKind::StorageFull);
    assert_eq!(Failure::output(&full).exit_code(), 2);
}
