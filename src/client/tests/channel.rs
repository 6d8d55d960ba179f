use std::sync::atomic::Ordering;
use std::time::Duration;

use super::responder::{pair, soon};
use crate::client::{CallError, SendError};
use crate::protocol::StreamError;
use crate::wire::Payload;

fn item(text: &str) -> Payload {
    Payload::new(text.to_owned())
}

#[tokio::test(start_paused = true)]
async fn r_chn_2_a_sender_waits_for_the_responders_credit() {
    let (client, seen) = pair();
    let (mut sender, _items) = client.channel("r", "sink 2", 1).await.unwrap();
    // The first item takes none of the two (R-CHN-3, R-CHN-5).
    for _ in 0..2 {
        soon(sender.send(item("x"))).await.unwrap();
    }
    let third = tokio::time::timeout(Duration::from_secs(2), sender.send(item("y"))).await;
    assert!(third.is_err());
    assert_eq!(seen.taken.load(Ordering::SeqCst), 3);
    seen.gate.notify_one();
    soon(sender.send(item("z"))).await.unwrap();
    seen.until(&seen.taken, 4).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_chn_17_an_echo_with_small_credit_on_both_sides_does_not_deadlock() {
    let (client, _) = pair();
    let (mut sender, mut items) = client.channel("r", "0", 1).await.unwrap();
    let sending = async {
        for index in 1..1_000u32 {
            sender.send(item(&index.to_string())).await.unwrap();
        }
        sender.complete();
    };
    let taking = async {
        let mut count = 0u32;
        while let Some(echo) = soon(items.next()).await {
            assert_eq!(echo.unwrap().data, count.to_string());
            count += 1;
            items.request(1);
        }
        count
    };
    let both =
        tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(sending, taking) });
    let ((), count) = both.await.unwrap();
    assert_eq!(count, 1_000);
}

#[tokio::test(start_paused = true)]
async fn r_chn_7_completing_our_half_leaves_the_other_untouched() {
    let (client, seen) = pair();
    let (sender, mut items) = client.channel("r", "one", 2).await.unwrap();
    drop(sender);
    assert_eq!(soon(items.next()).await.unwrap().unwrap().data, "one");
    assert!(soon(items.next()).await.is_none());
    seen.until(&seen.dropped, 1).await;
}

#[tokio::test(start_paused = true)]
async fn r_chn_14_a_channel_of_a_single_item_completes_with_it() {
    let (client, _) = pair();
    let mut items = client.single_item_channel(item("only"), 2).await.unwrap();
    assert_eq!(soon(items.next()).await.unwrap().unwrap().data, "only");
    assert!(soon(items.next()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn r_chn_12_a_responder_who_takes_no_more_goes_on_sending() {
    let (client, _) = pair();
    let (mut sender, mut items) = client.channel("r", "refuse", 2).await.unwrap();
    assert_eq!(soon(sender.send(item("x"))).await, Err(SendError::Cancelled));
    items.request(1);
    for _ in 0..3 {
        assert_eq!(soon(items.next()).await.unwrap().unwrap().data, "still");
    }
    assert!(soon(items.next()).await.is_none());
}

#[tokio::test(start_paused = true)]
async fn r_chn_8_a_failed_sender_ends_both_directions() {
    let (client, seen) = pair();
    let (sender, mut items) = client.channel("r", "sink 1", 2).await.unwrap();
    seen.until(&seen.taken, 1).await;
    sender.fail(StreamError::application("broken"));
    assert!(matches!(soon(items.next()).await, Some(Err(CallError::Failed(_)))));
    seen.until(&seen.dropped, 1).await;
}

#[tokio::test(start_paused = true)]
async fn r_chn_9_dropping_the_subscription_ends_the_sender_too() {
    let (client, seen) = pair();
    let (mut sender, items) = client.channel("r", "sink 1", 2).await.unwrap();
    seen.until(&seen.taken, 1).await;
    drop(items);
    // The one item that has credit may still be taken; nothing goes after it.
    let sent = [soon(sender.send(item("x"))).await, soon(sender.send(item("y"))).await];
    assert_eq!(sent[1], Err(SendError::Ended));
    seen.until(&seen.dropped, 1).await;
}
