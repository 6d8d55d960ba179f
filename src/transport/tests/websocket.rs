//! The same driver behind WebSocket frames.

use super::*;
use crate::testkit::{request, stream};

#[tokio::test(start_paused = true)]
async fn r_wire_2_zm_3_a_websocket_is_served_by_the_same_driver() {
    let (mut peer, _driver) = Peer::start(&Options::default(), Kind::WebSocketServer, None);
    peer.send(&[setup(), request(1, "hello"), stream(3, 5)]).await;
    peer.items(6).await;
    assert!(peer.is_silent(Duration::from_secs(2)).await);
}

#[tokio::test(start_paused = true)]
async fn r_ws_5_a_text_message_closes_with_1003() {
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::WebSocketServer, None);
    peer.send(&[setup()]).await;
    // A masked text frame of two bytes, with a mask of zeros.
    peer.socket.write_all(&[0x81, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    assert_eq!(close_code(&mut peer).await, Some(1003));
    drop(peer);
    assert!(matches!(driver.await.unwrap(), Cause::Violation { .. }));
}

#[tokio::test(start_paused = true)]
async fn r_ws_5_t_67_ping_is_answered_and_close_is_returned() {
    let (mut peer, driver) = Peer::start(&Options::default(), Kind::WebSocketServer, None);
    peer.send(&[setup()]).await;
    peer.socket.write_all(&[0x89, 0x82, 0, 0, 0, 0, b'h', b'i']).await.unwrap();
    let mut pong = [0; 4];
    peer.socket.read_exact(&mut pong).await.unwrap();
    assert_eq!(pong, [0x8A, 2, b'h', b'i']);
    peer.socket.write_all(&[0x88, 0x82, 0, 0, 0, 0, 0x03, 0xE8]).await.unwrap();
    assert_eq!(close_code(&mut peer).await, Some(1000));
    drop(peer);
    assert_eq!(driver.await.unwrap(), Cause::PeerClosed);
}

async fn close_code(peer: &mut Peer) -> Option<u16> {
    loop {
        match peer.deframer.next(&mut peer.buffer).unwrap() {
            Some(Inbound::Close(code)) => return code,
            Some(_) => {}
            None => {
                if peer.socket.read_buf(&mut peer.buffer).await.unwrap() == 0 {
                    return None;
                }
            }
        }
    }
}
