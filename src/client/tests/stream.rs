use std::sync::atomic::Ordering;
use std::time::Duration;

use super::responder::{pair, pair_with, soon};
use crate::client::{CallError, Options, Subscription};
use crate::protocol::{Cause, RequestRefused, SetupRejection};
use crate::wire::{ErrorCode, Payload};

fn number(item: &Payload) -> u64 {
    u64::from_be_bytes(item.data[..8].try_into().unwrap())
}

async fn take(items: &mut Subscription, count: u64, from: u64) {
    for expected in from..from + count {
        assert_eq!(number(&soon(items.next()).await.unwrap().unwrap()), expected);
    }
}

async fn is_silent(items: &mut Subscription) -> bool {
    tokio::time::timeout(Duration::from_secs(2), items.next()).await.is_err()
}

#[tokio::test(start_paused = true)]
async fn r_reqn_1_a_stream_gives_what_was_granted_and_no_more() {
    let (client, seen) = pair();
    let mut items = client.stream("r", "count", 5).await.unwrap();
    take(&mut items, 5, 0).await;
    assert!(is_silent(&mut items).await);
    assert_eq!(seen.written.load(Ordering::SeqCst), 5);
    items.request(2);
    items.request(1);
    take(&mut items, 3, 5).await;
    assert!(is_silent(&mut items).await);
    assert_eq!(seen.written.load(Ordering::SeqCst), 8);
}

#[tokio::test(start_paused = true)]
async fn r_reqn_5_grants_past_the_maximum_ask_for_everything() {
    let (client, _) = pair();
    let mut items = client.stream("r", "count 100000", 1).await.unwrap();
    items.request(u32::MAX);
    items.request(1);
    take(&mut items, 100_000, 0).await;
    assert!(soon(items.next()).await.is_none());
    assert!(soon(items.next()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_falls_behind_finds_everything_in_order() {
    let (client, seen) = pair();
    let mut items = client.stream("r", "count 50000", 0x7FFF_FFFF).await.unwrap();
    seen.until(&seen.written, 50_000).await;
    take(&mut items, 50_000, 0).await;
    assert!(soon(items.next()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn small_runs_that_pile_up_keep_their_order() {
    let (client, seen) = pair();
    let mut items = client.stream("r", "count", 3).await.unwrap();
    for granted in [3, 6, 9] {
        seen.until(&seen.written, granted).await;
        // Nothing is ready any more: both drivers have had their turn.
        tokio::time::sleep(Duration::from_millis(1)).await;
        items.request(3);
    }
    take(&mut items, 12, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_caller_who_takes_nothing_is_cut_off_within_its_bound() {
    let (client, seen) = pair();
    let mut items = client.stream("r", "large", 0x7FFF_FFFF).await.unwrap();
    seen.until(&seen.dropped, 1).await;
    let written = seen.written.load(Ordering::SeqCst);
    assert!((64..70).contains(&written), "{written}");
    let mut end = Ok(());
    while let Some(item) = soon(items.next()).await {
        end = item.map(|_| ());
    }
    assert!(matches!(end, Err(CallError::Failed(error)) if error.code == ErrorCode::CANCELED));
}

#[tokio::test(start_paused = true)]
async fn r_can_2_dropping_a_subscription_cancels() {
    let (client, seen) = pair();
    let mut items = client.stream("r", "count", 3).await.unwrap();
    take(&mut items, 3, 0).await;
    drop(items);
    seen.until(&seen.dropped, 1).await;
    assert_eq!(seen.written.load(Ordering::SeqCst), 3);
}

#[tokio::test(start_paused = true)]
async fn an_error_frame_ends_the_stream_once_and_the_connection_goes_on() {
    let (client, _) = pair();
    let mut items = client.stream("r", "fail", 5).await.unwrap();
    match soon(items.next()).await {
        Some(Err(CallError::Failed(error))) => {
            assert_eq!(error.to_string(), "INVALID: as you wish")
        }
        other => panic!("{other:?}"),
    }
    assert!(soon(items.next()).await.is_none());
    assert_eq!(client.request("r", "hi").await.unwrap().data, "hi");
}

#[tokio::test(start_paused = true)]
async fn responses_come_back_whole_empty_or_as_errors() {
    let (client, seen) = pair();
    let large = vec![7u8; 3_000_000];
    assert_eq!(client.request("r", large.clone()).await.unwrap().data, large);
    assert_eq!(client.request("r", "empty").await, Ok(Payload::default()));
    let failed = client.request("r", "fail").await.unwrap_err();
    assert_eq!(failed.stream_error().unwrap().code, ErrorCode::INVALID);
    let never = client.request("r", "never");
    assert!(tokio::time::timeout(Duration::from_secs(1), never).await.is_err());
    // Dropping it cancelled it.
    seen.until(&seen.dropped, 1).await;
}

#[tokio::test(start_paused = true)]
async fn many_requests_in_flight_each_find_their_response() {
    let (client, _) = pair();
    let client = std::sync::Arc::new(client);
    let calls =
        (0..2_000u32).map(|index| {
            let client = std::sync::Arc::clone(&client);
            async move {
                client.request("r", index.to_string()).await.unwrap().data == index.to_string()
            }
        });
    assert!(futures::future::join_all(calls).await.into_iter().all(|fits| fits));
}

#[tokio::test(start_paused = true)]
async fn what_needs_no_answer_is_delivered_before_close_returns() {
    let (client, seen) = pair();
    for _ in 0..100 {
        client.fire_and_forget("r", "x").await.unwrap();
    }
    client.metadata_push(client.metadata("r").finish().unwrap()).await.unwrap();
    assert_eq!(client.close().await, Cause::Closed);
    assert_eq!(seen.fire_and_forget.load(Ordering::SeqCst), 100);
    assert_eq!(seen.pushed.load(Ordering::SeqCst), 1);
}

#[tokio::test(start_paused = true)]
async fn close_lets_the_last_cancel_out() {
    let (client, seen) = pair();
    let items = client.stream("r", "count", 1).await.unwrap();
    drop(items);
    client.close().await;
    seen.until(&seen.dropped, 1).await;
}

#[tokio::test(start_paused = true)]
async fn r_setup_10_a_refused_setup_shows_in_every_call() {
    let refusal = Some(SetupRejection::rejected("not today"));
    let (client, _, _task) = pair_with(&Options::default(), refusal);
    for _ in 0..2 {
        match client.request("r", "hi").await {
            Err(CallError::ConnectionLost(error)) => {
                assert_eq!(error.to_string(), "REJECTED_SETUP: not today");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_connection_ends_what_is_under_way() {
    let (client, seen, task) = pair_with(&Options::default(), None);
    let mut items = client.stream("r", "count", 2).await.unwrap();
    let (_sender, mut channel) = client.channel("r", "sink 1", 1).await.unwrap();
    take(&mut items, 2, 0).await;
    seen.until(&seen.taken, 1).await;
    let never = client.request("r", "never");
    tokio::pin!(never);
    assert!(futures::poll!(&mut never).is_pending());
    tokio::task::yield_now().await;
    task.abort();
    for end in [soon(items.next()).await.unwrap(), soon(channel.next()).await.unwrap(), never.await]
    {
        assert!(matches!(end, Err(CallError::ConnectionLost(_))), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_sent_is_refused_here() {
    let (client, _) = pair();
    let refused = client.stream("r", "count", 0).await.unwrap_err();
    assert!(matches!(refused, CallError::NotSent(RequestRefused::Unsendable(_))), "{refused:?}");
    let cut = client.request(&"r".repeat(256), "x").await.unwrap_err();
    assert_eq!(cut.to_string(), "route is longer than 255 bytes");
}

#[tokio::test(start_paused = true)]
async fn setup_says_who_and_how() {
    let options = Options {
        user: Some("ada".into()),
        device: Some("tab-1".into()),
        bearer: Some("key".into()),
        ..Options::default()
    };
    let (client, seen, _task) = pair_with(&options, None);
    let echoed = client.request("chat.send", "x").await.unwrap();
    // Routing, then the bearer token.
    let bearer = b"\xfe\0\0\x0a\x09chat.send\xfc\0\0\x04\x81key";
    assert_eq!(echoed.metadata.unwrap().as_ref(), bearer);
    let setup = seen.setup.lock().unwrap().take().unwrap();
    assert_eq!(setup.payload.data, r#"{"user":"ada","device":"tab-1"}"#);
    assert_eq!(setup.payload.metadata.unwrap().as_ref(), b"\xfc\0\0\x04\x81key");
    assert_eq!(setup.data_mime, "application/json");
    assert_eq!(setup.metadata_mime, "message/x.rsocket.composite-metadata.v0");
    assert!(!format!("{options:?}").contains("key\""), "the token is redacted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_wake_is_lost_between_threads() {
    let (client, _) = pair();
    let client = std::sync::Arc::new(client);
    let readers = (1..=32u32).map(|step| {
        let client = std::sync::Arc::clone(&client);
        tokio::spawn(async move {
            let mut items = client.stream("r", "count 3000", step).await.unwrap();
            for first in (0..3_000).step_by(step as usize) {
                take(&mut items, u64::from(step).min(3_000 - first), first).await;
                items.request(step);
            }
            assert!(soon(items.next()).await.is_none());
        })
    });
    let readers = futures::future::join_all(readers);
    for reader in tokio::time::timeout(Duration::from_secs(60), readers).await.unwrap() {
        reader.unwrap();
    }
}
