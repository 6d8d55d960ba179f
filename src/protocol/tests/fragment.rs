//! Section 3.9: fragments, sent and received.

use std::time::Duration;

use bytes::{Bytes, BytesMut};

use crate::protocol::{Event, Interaction, Limits, NewRequest, Next, StreamKey};
use crate::testkit::{
    Script, cancel, channel, error, fnf, follows, item, keepalive, payload, request, request_n,
    stream, tagged, text,
};
use crate::wire::{Body, Deframer, ErrorCode, Frame, Inbound, Payload, decode};

/// Limits under which everything larger than `fragment` times two is cut into such fragments.
fn cutting(fragment: usize) -> Limits {
    Limits { write_budget: fragment * 2, ..Limits::default() }
}

fn bytes(len: usize, first: u8) -> Vec<u8> {
    (0..len).map(|i| first.wrapping_add(u8::try_from(i % 23).unwrap())).collect()
}

/// A client with a subscription on stream 1 for `n` items.
fn subscribing(limits: Limits, n: u32) -> (Script, StreamKey) {
    let mut client = Script::client(limits);
    let key = client.ask(Interaction::RequestStream, n);
    (client, key)
}

fn is_clean(script: &Script) -> bool {
    script.connection.held_bytes == 0 && script.connection.reassemblies.is_empty()
}

/// The fragment's share of the payload, and whether more follow.
fn part(frame: &Frame) -> (&Payload, bool) {
    let (Body::RequestResponse { follows, payload }
    | Body::RequestFireAndForget { follows, payload }
    | Body::RequestStream { follows, payload, .. }
    | Body::RequestChannel { follows, payload, .. }
    | Body::Payload { follows, payload, .. }) = &frame.body
    else {
        panic!("{frame:?} is never fragmented")
    };
    (payload, *follows)
}

/// What every sequence of fragments that we send must look like; `len` is that of a full one.
fn check_fragments(frames: &[Frame], len: usize) {
    let mut data_began = false;
    for (i, frame) in frames.iter().enumerate() {
        let (payload, follows) = part(frame);
        let last = i + 1 == frames.len();
        assert_eq!(follows, !last, "F on all but the last");
        if i > 0 {
            assert!(matches!(frame.body, Body::Payload { next: true, .. }), "N on each");
        }
        if last {
            assert!(!payload.is_empty(), "the last one is not empty");
        } else {
            assert_eq!(frame.encoded_len(), len, "full but for the last");
            let complete = matches!(frame.body, Body::Payload { complete: true, .. });
            assert!(!complete, "C on the last only");
        }
        assert!(!(data_began && payload.metadata.is_some()), "metadata before data");
        data_began |= !payload.data.is_empty();
    }
    assert!(frames.len() > 1);
}

// ---- sent --------------------------------------------------------------------------------------

#[test]
fn r_frag_1_r_frag_3_every_request_is_cut_and_joined() {
    for interaction in Interaction::ALL {
        let mut client = Script::client(cutting(64));
        let large =
            Payload { metadata: Some(bytes(100, b'a').into()), data: bytes(200, b'A').into() };
        let payload = large.clone();
        let request = NewRequest { interaction, payload, initial_n: 7, complete: false };
        client.connection.request(client.now, &request).unwrap();
        let frames = client.sent();
        check_fragments(&frames, 64);
        let ns = frames.iter().filter(|frame| text(frame).contains(" 7 ")).count();
        let counted =
            matches!(interaction, Interaction::RequestStream | Interaction::RequestChannel);
        assert_eq!(ns, usize::from(counted), "initial n is in the first frame only");

        let mut server = Script::server(Limits::default());
        frames.iter().for_each(|frame| server.receive(frame));
        match &server.events()[..] {
            [Event::Request(_, request) | Event::FireAndForget(request)] => {
                assert_eq!(request.payload, large);
                assert_eq!(request.interaction, interaction);
            }
            events => panic!("{events:?}"),
        }
        assert!(is_clean(&server));
    }
}

/// Sends one item from a server to a client; the frames of it.
fn deliver(fragment: usize, large: &Payload) -> Vec<Frame> {
    let mut server = Script::server(cutting(fragment));
    let served = server.open(&stream(1, 1));
    assert_eq!(server.put(served, large, 1), 1);
    server.complete(served);
    let frames = server.sent();
    let (mut client, key) = subscribing(Limits::default(), 1);
    frames.iter().for_each(|frame| client.receive(frame));
    let mut items = Vec::new();
    client.connection.drain(key, |input| {
        loop {
            match input.next() {
                Next::Item(item) => items.push(item),
                Next::Pending | Next::Complete | Next::Failed(_) => return,
            }
        }
    });
    assert_eq!(items, std::slice::from_ref(large));
    assert_eq!(client.connection.live_streams(), 0, "it completed too");
    assert!(is_clean(&client));
    frames
}

#[test]
fn r_frag_2_t_41_metadata_ends_anywhere_about_a_fragment_boundary() {
    // 55 bytes of metadata fill the first fragment of 64: 6 of header, 3 of length.
    for metadata_len in [0, 1, 54, 55, 56, 57, 109, 110, 111, 112, 200] {
        for data_len in [0, 1, 2, 57, 58, 59, 200] {
            let metadata = Some(bytes(metadata_len, b'a').into());
            let large = Payload { metadata, data: bytes(data_len, b'A').into() };
            let frames = deliver(64, &large);
            if metadata_len + data_len > 128 {
                check_fragments(&frames, 64);
            }
        }
    }
}

#[test]
fn r_frag_15_r_frag_20_t_42_fragments_are_full_and_the_last_is_not_empty() {
    for fragment in [64, 65, 100] {
        for len in 0..fragment * 5 {
            let frames = deliver(fragment, &Payload::new(bytes(len, b'a')));
            let framed = len + 6 + 3;
            if framed <= fragment * 2 {
                // What fits one frame is never fragmented; then C has a frame of its own.
                assert_eq!(frames.len(), 2, "{len}");
                assert!(!part(&frames[0]).1);
            } else {
                check_fragments(&frames, fragment);
            }
        }
    }
}

#[test]
fn r_frag_15_a_fragment_is_never_smaller_than_64_bytes() {
    for write_budget in [1, 64, 100, 127] {
        let mut server = Script::server(Limits { write_budget, ..Limits::default() });
        let key = server.open(&stream(1, 1));
        server.put(key, &Payload::new(bytes(500, b'a')), 1);
        check_fragments(&server.sent(), 64);
    }
    let limits = Limits { fragment_bytes: 100, write_budget: 1_000, ..Limits::default() };
    let mut server = Script::server(limits);
    let key = server.open(&stream(1, 1));
    server.put(key, &Payload::new(bytes(2_000, b'a')), 1);
    check_fragments(&server.sent(), 100);
}

#[test]
fn r_frag_4_other_streams_go_between_the_fragments() {
    let mut server = Script::server(Limits { write_budget: 1_024, ..Limits::default() });
    let large = server.open(&stream(1, 1));
    let small = server.open(&stream(3, 1_000));
    server.put(large, &Payload::new(bytes(10_000, b'a')), 1);
    let mut said = Vec::new();
    while server.connection.is_congested() {
        server.connection.flush();
        server.put(small, &payload("x"), 3);
        server.receive(&keepalive(true, ""));
        // A socket that takes all of it, but no flush of the rest of the turn.
        said.extend(take_output(&mut server));
    }
    let last = said.iter().rposition(|line| line.starts_with("1 ")).unwrap();
    assert!(said[..last].iter().filter(|line| line.starts_with("3 ")).count() > 10, "{said:?}");
    assert!(said[..last].iter().filter(|line| line.starts_with("0 ")).count() > 10);
}

/// What is in the output now, as text.
fn take_output(script: &mut Script) -> Vec<String> {
    let mut bytes = BytesMut::from(script.connection.output());
    script.connection.advance(bytes.len());
    let mut deframer = Deframer::length_prefix(1 << 24);
    std::iter::from_fn(|| {
        let inbound = deframer.next(&mut bytes).unwrap()?;
        let Inbound::Frame(frame) = inbound else { panic!("{inbound:?}") };
        Some(text(&decode(frame).unwrap()))
    })
    .collect()
}

#[test]
fn r_frag_8_r_frag_9_r_frag_10_n_is_on_each_and_c_on_the_last_without_f() {
    let mut server = Script::server(cutting(64));
    let key = server.open(&stream(1, 2));
    server.put_last(key, &Payload::new(bytes(150, b'a')));
    assert_eq!(server.said(), ["1 FN 58B", "1 FN 58B", "1 CN 34B"]);
    server.events();
    let key = server.open(&request(3, "q"));
    server.connection.respond(key, Ok(Some(Payload::new(bytes(150, b'a')))));
    assert_eq!(server.said(), ["3 FN 58B", "3 FN 58B", "3 CN 34B"]);
    // Continuations of a request have N too.
    let mut client = Script::client(cutting(64));
    client.ask_with(Interaction::RequestResponse, 1, Payload::new(bytes(150, b'a')));
    assert_eq!(client.said(), ["1 REQUEST_RESPONSE F 58B", "1 FN 58B", "1 N 34B"]);
}

#[test]
fn r_frag_11_r_frag_21_nothing_of_the_same_stream_goes_between() {
    let mut client = Script::client(cutting(64));
    let key = client.ask(Interaction::RequestChannel, 5);
    client.receive(&request_n(1, 5));
    client.put(key, &Payload::new(bytes(150, b'a')), 1);
    client.grant(key, 3);
    assert_eq!(client.put(key, &payload("next"), 1), 0);
    assert_eq!(client.put(key, &Payload::new(bytes(150, b'b')), 1), 0);
    let said = client.said();
    assert_eq!(said, ["1 FN 58B", "1 FN 58B", "1 N 34B", "1 REQUEST_N 3"]);
    // CANCEL and ERROR may, and end it.
    for (stop, end) in [(true, "1 CANCEL"), (false, "1 ERROR APPLICATION_ERROR")] {
        let mut client = Script::client(cutting(64));
        let key = client.ask(Interaction::RequestChannel, 5);
        client.receive(&request_n(1, 5));
        client.put(key, &Payload::new(bytes(500, b'a')), 1);
        client.connection.flush();
        if stop {
            client.stop(key)
        } else {
            client.fail(key)
        }
        assert_eq!(client.said(), ["1 FN 58B", end]);
        assert!(!client.connection.is_congested());
    }
}

#[test]
fn r_frag_17_r_frag_18_metadata_begins_in_the_first_and_may_end_the_last() {
    for len in [200, 55 + 55 + 55, 55 * 4] {
        let metadata = Some(bytes(len, b'a').into());
        let frames = deliver(64, &Payload { metadata, data: Bytes::new() });
        check_fragments(&frames, 64);
        let (first, _) = part(&frames[0]);
        assert!(first.metadata.as_ref().is_some_and(|metadata| !metadata.is_empty()));
    }
}

// ---- received ----------------------------------------------------------------------------------

#[test]
fn r_frag_4_t_40_fifty_streams_and_keepalives_interleave() {
    let mut server = Script::server(Limits::default());
    let id = |i: u32| i * 2 + 1;
    for i in 0..50 {
        server.receive(&follows(request(id(i), "a")));
        server.receive(&keepalive(true, ""));
    }
    for flags in ["FN", "FN", "N"] {
        for i in (0..50).rev() {
            server.receive(&item(id(i), flags, "b"));
            server.receive(&keepalive(true, ""));
        }
    }
    let events = server.events();
    assert_eq!(events.len(), 50);
    for event in events {
        let Event::Request(_, request) = event else { panic!("{event:?}") };
        assert_eq!(&request.payload.data[..], b"abbb");
    }
    assert_eq!(server.said(), ["0 KEEPALIVE"; 200]);
    assert!(is_clean(&server));
}

#[test]
fn r_frag_4_both_directions_of_a_channel_reassemble_independently() {
    let mut client = Script::client(cutting(64));
    let key = client.ask(Interaction::RequestChannel, 5);
    client.receive(&request_n(1, 5));
    client.put(key, &Payload::new(bytes(500, b'a')), 1);
    client.receive(&item(1, "FN", "a"));
    client.connection.flush();
    client.receive(&item(1, "N", "b"));
    assert_eq!(client.take(key), ["ab"]);
    let said = client.said();
    assert!(said.last().is_some_and(|last| last.starts_with("1 N")), "{said:?}");
}

#[test]
fn r_frag_5_t_33_reassembly_works_where_nothing_is_cut() {
    let limits = Limits { write_budget: 1 << 20, ..Limits::default() };
    let (mut client, key) = subscribing(limits, 1);
    for flags in ["FN", "FN", "N"] {
        client.receive(&item(1, flags, "a"));
    }
    assert_eq!(client.take(key), ["aaa"]);
}

#[test]
fn r_frag_6_t_36_cancel_error_and_close_free_the_buffer() {
    let ends: [fn(&mut Script); 3] = [
        |script| script.receive(&cancel(1)),
        |script| script.receive(&error(1, ErrorCode::CANCELED, "")),
        |script| script.connection.handle_eof(),
    ];
    for end in ends {
        for asked in [request(1, "a"), fnf(1, "a"), stream(1, 1), channel(1, 1, "a")] {
            let mut server = Script::server(Limits::default());
            server.receive(&follows(asked));
            server.receive(&item(1, "FN", "0123456789"));
            assert!(server.connection.held_bytes >= 10);
            end(&mut server);
            assert!(is_clean(&server));
            assert_eq!(server.connection.live_streams(), 0);
            assert!(!server.heard().contains(&"ended"), "nobody knew of it");
        }
        let mut server = Script::server(Limits::default());
        let key = server.open(&channel(1, 1, "a"));
        server.grant(key, 5);
        server.said();
        server.receive(&item(1, "FN", "0123456789"));
        end(&mut server);
        assert!(is_clean(&server));
        assert_eq!(server.heard().iter().filter(|kind| **kind == "ended").count(), 1);
    }
    let (mut client, key) = subscribing(Limits::default(), 1);
    client.receive(&item(1, "FN", "0123456789"));
    client.connection.handle_eof();
    assert!(is_clean(&client));
    assert_eq!(client.take(key), ["failed CONNECTION_CLOSE"]);
}

#[test]
fn r_frag_7_metadata_is_joined_and_never_follows_data() {
    let (mut client, key) = subscribing(Limits::default(), 3);
    client.receive(&tagged(item(1, "FN", ""), "m1"));
    client.receive(&tagged(item(1, "FN", "a"), "m2"));
    client.receive(&item(1, "N", "b"));
    client.receive(&tagged(item(1, "FN", ""), ""));
    client.receive(&item(1, "N", "b"));
    client.receive(&item(1, "FN", ""));
    client.receive(&item(1, "N", "b"));
    assert_eq!(client.take(key), ["[m1m2]ab", "[]b", "b"]);

    let (mut client, key) = subscribing(Limits::default(), 3);
    client.receive(&item(1, "FN", "data"));
    client.receive(&tagged(item(1, "N", ""), "late"));
    assert_eq!(client.said(), ["1 CANCEL"]);
    assert_eq!(client.take(key), ["failed INVALID"]);
    assert!(is_clean(&client));

    let mut server = Script::server(Limits::default());
    server.receive(&follows(request(1, "data")));
    server.receive(&tagged(item(1, "N", ""), "late"));
    assert_eq!(server.said(), ["1 ERROR INVALID"]);
    assert_eq!(server.heard(), [""; 0]);
    assert!(is_clean(&server));
}

#[test]
fn r_frag_8_t_43_fragments_without_n_are_accepted() {
    for flags in [["FN", "F", "C"], ["F", "F", "N"], ["F", "FN", ""], ["F", "F", ""]] {
        let (mut client, key) = subscribing(Limits::default(), 3);
        for flags in flags {
            client.receive(&item(1, flags, "a"));
        }
        assert_eq!(client.take(key)[0], "aaa", "{flags:?}");
        assert_eq!(client.said(), [""; 0]);
    }
    let mut server = Script::server(Limits::default());
    server.receive(&follows(request(1, "a")));
    server.receive(&item(1, "F", "b"));
    server.open(&item(1, "", "c"));
}

#[test]
fn r_frag_10_t_44_f_with_c_is_the_last_fragment() {
    for last in ["FC", "FCN"] {
        let (mut client, key) = subscribing(Limits::default(), 3);
        client.receive(&item(1, "FN", "a"));
        client.receive(&item(1, last, "b"));
        assert_eq!(client.take(key), ["ab", "complete"]);
        let mut server = Script::server(Limits::default());
        server.receive(&follows(channel(1, 1, "a")));
        let key = server.open(&item(1, last, "b"));
        assert!(!server.connection.is_draining(key), "the inbound half is complete");
    }
}

#[test]
fn r_frag_9_t_37_the_last_fragment_completes_and_keeps_an_empty_end() {
    for data in ["b", ""] {
        let (mut client, key) = subscribing(Limits::default(), 3);
        client.receive(&item(1, "FN", "a"));
        client.receive(&item(1, "CN", data));
        assert_eq!(client.take(key), [&format!("a{data}"), "complete"]);
    }
    let (mut client, key) = subscribing(Limits::default(), 3);
    client.receive(&item(1, "FN", ""));
    client.receive(&item(1, "CN", ""));
    assert_eq!(client.take(key), ["", "complete"], "an empty item is an item");
}

#[test]
fn r_frag_12_t_39_credit_between_fragments_adds_up_and_ends_nothing() {
    for asked in [stream(1, 1), channel(1, 1, "")] {
        let mut server = Script::server(Limits::default());
        server.receive(&follows(asked));
        server.receive(&request_n(1, 2));
        server.receive(&item(1, "FN", "a"));
        server.receive(&request_n(1, 3));
        assert_eq!(server.heard(), [""; 0]);
        let key = server.open(&item(1, "N", "b"));
        assert_eq!(server.quota(key), Some(6));
    }
    let mut server = Script::server(Limits::default());
    let key = server.open(&channel(1, 1, "first"));
    server.grant(key, 1);
    server.said();
    server.receive(&item(1, "FN", "a"));
    server.receive(&request_n(1, 2));
    server.receive(&item(1, "N", "b"));
    assert_eq!(server.take(key), ["ab"]);
    assert_eq!(server.quota(key), Some(3));
}

#[test]
fn r_frag_13_t_38_c_alone_ends_the_reassembly_with_its_content() {
    for (data, joined) in [("", "a"), ("b", "ab")] {
        let (mut client, key) = subscribing(Limits::default(), 3);
        client.receive(&item(1, "FN", "a"));
        client.receive(&item(1, "C", data));
        assert_eq!(client.take(key), [joined, "complete"]);
        assert!(is_clean(&client));
    }
}

#[test]
fn r_frag_14_a_request_on_an_id_in_reassembly_is_ignored() {
    let mut server = Script::server(Limits::default());
    server.receive(&follows(request(1, "a")));
    for duplicate in [request(1, "x"), stream(1, 0), fnf(1, "x"), channel(1, 5, "x")] {
        server.receive(&duplicate);
    }
    assert_eq!(server.said(), [""; 0]);
    server.receive(&item(1, "N", "b"));
    let events = server.events();
    let [Event::Request(_, request)] = &events[..] else { panic!("{events:?}") };
    assert_eq!(&request.payload.data[..], b"ab");
}

#[test]
fn r_frag_16_small_fragments_are_accepted() {
    let (mut client, key) = subscribing(Limits::default(), 1);
    for _ in 0..1_000 {
        client.receive(&item(1, "FN", "a"));
    }
    client.receive(&item(1, "N", ""));
    assert_eq!(client.take(key), ["1000B"]);
}

#[test]
fn r_frag_20_an_empty_last_fragment_is_legal() {
    let (mut client, key) = subscribing(Limits::default(), 1);
    client.receive(&item(1, "FN", "a"));
    client.receive(&item(1, "N", ""));
    assert_eq!(client.take(key), ["a"]);
    let mut server = Script::server(Limits::default());
    server.receive(&follows(request(1, "a")));
    server.open(&item(1, "N", ""));
}

#[test]
fn r_frag_19_t_45_a_sequence_that_never_ends_is_given_up_in_time() {
    let (mut client, key) = subscribing(Limits::default(), 1);
    client.receive(&tagged(item(1, "FN", ""), "all of it"));
    client.pass(Duration::from_secs(31));
    let said = client.said();
    assert!(said.contains(&"1 CANCEL".to_owned()), "{said:?}");
    assert_eq!(client.take(key), ["failed CANCELED"]);
    assert!(is_clean(&client));
}

#[test]
fn r_frag_19_t_47_a_request_refused_on_its_first_fragment_has_one_error() {
    let limits = Limits { streams_max: 1, ..Limits::default() };
    let mut server = Script::server(limits);
    server.open(&stream(1, 1));
    server.receive(&follows(request(3, "a")));
    server.receive(&item(3, "FN", "b"));
    server.receive(&item(3, "N", "c"));
    assert_eq!(server.said(), ["3 ERROR REJECTED"]);
    assert_eq!(server.heard(), [""; 0]);
    assert!(is_clean(&server));
}
