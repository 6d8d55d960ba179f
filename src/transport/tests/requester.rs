//! Both ends of the driver against each other.

use tokio::sync::mpsc;

use super::*;
use crate::protocol::{ClientSetup, NewRequest};

/// Hands what it drains to a channel; asks for `more` after each item.
struct Collect {
    to: mpsc::Sender<Option<Payload>>,
}

impl Source for Collect {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, _: &mut Items<'_>) -> Pause {
        Pause::CaughtUp
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        loop {
            let news = match input.next() {
                Next::Item(payload) => Some(payload),
                Next::Complete | Next::Failed(_) => None,
                Next::Pending => return,
            };
            if self.to.try_send(news).is_err() {
                return input.cancel();
            }
        }
    }
}

fn connect() -> (Requester, JoinHandle<Cause>, JoinHandle<Cause>) {
    let (near, far) = memory_pair(64 << 10);
    let options = Options::default();
    let none = BytesMut::new;
    let server = Driver::server(far, Kind::Stream, none(), &options, accept(), None);
    let setup = ClientSetup {
        keepalive: Duration::from_secs(20),
        lifetime: Duration::from_secs(90),
        lease: false,
        metadata_mime: "a/b".into(),
        data_mime: "a/b".into(),
        payload: Payload::default(),
    };
    let (requester, client) = Driver::client(near, Kind::Stream, none(), &options, &setup, None);
    (requester, tokio::spawn(client), tokio::spawn(server))
}

fn ask(interaction: Interaction, data: impl Into<bytes::Bytes>, initial_n: u32) -> NewRequest {
    NewRequest { interaction, payload: Payload::new(data), initial_n, complete: false }
}

#[tokio::test(start_paused = true)]
async fn a_3_mb_payload_travels_both_ways_in_fragments() {
    let (requester, _client, _server) = connect();
    let (to, mut collected) = mpsc::channel(4);
    let large: Vec<u8> = (0..3 << 20).map(|n: u32| n.to_le_bytes()[0]).collect();
    let request = ask(Interaction::RequestResponse, large.clone(), 1);
    requester.request(request, Box::new(Collect { to })).await.unwrap();
    assert_eq!(collected.recv().await.unwrap().unwrap().data, large);
    assert!(collected.recv().await.unwrap().is_none());
}

#[tokio::test(start_paused = true)]
async fn t_7_r_close_4_calls_under_way_fail_when_the_connection_ends() {
    let (requester, client, server) = connect();
    let (to, mut collected) = mpsc::channel(4);
    let request = ask(Interaction::RequestResponse, "never", 1);
    requester.request(request.clone(), Box::new(Collect { to: to.clone() })).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1)).await;
    server.abort();
    assert!(collected.recv().await.unwrap().is_none());
    assert_eq!(client.await.unwrap(), Cause::PeerClosed);
    assert_eq!(requester.closed().await, Cause::PeerClosed);
    let late = requester.request(request, Box::new(Collect { to })).await;
    assert_eq!(late.unwrap_err(), crate::protocol::RequestRefused::Closed);
}

#[tokio::test(start_paused = true)]
async fn the_last_requester_takes_the_connection_with_it() {
    let (requester, client, server) = connect();
    drop(requester);
    assert_eq!(client.await.unwrap(), Cause::Closed);
    assert_eq!(server.await.unwrap(), Cause::PeerClosed);
}

#[tokio::test(start_paused = true)]
async fn r_ka_2_keepalive_holds_an_idle_connection_open() {
    let (_requester, client, server) = connect();
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(!client.is_finished() && !server.is_finished());
}

#[tokio::test(start_paused = true)]
async fn a_stream_of_many_items_arrives_whole() {
    let (requester, _client, _server) = connect();
    let (to, mut collected) = mpsc::channel(100_000);
    let request = ask(Interaction::RequestStream, "endless", 50_000);
    requester.request(request, Box::new(Collect { to })).await.unwrap();
    for number in 0..50_000 {
        let item = collected.recv().await.unwrap().unwrap();
        assert_eq!(item.data, format!("{number:0128}"));
    }
}
