//! Two connections back to back, over a link that cuts frames anywhere.

use std::collections::VecDeque;

use crate::protocol::{Event, Interaction, Limits, NewRequest, Next, Pause, StreamKey};
use crate::testkit::{Pair, Random, Script, payload};
use crate::wire::Payload;

/// The key of the one request that arrived, and its payload.
fn requested(script: &mut Script) -> Option<(StreamKey, Payload)> {
    script.events().into_iter().find_map(|event| {
        let Event::Request(key, request) = event else { return None };
        Some((key, request.payload))
    })
}

/// Takes what is there; whether the peer's half ended.
fn collect(script: &mut Script, key: StreamKey, items: &mut Vec<Payload>) -> bool {
    let mut ended = false;
    script.connection.drain(key, |input| {
        loop {
            match input.next() {
                Next::Item(item) => items.push(item),
                Next::Pending => return,
                Next::Complete => ended = true,
                Next::Failed(error) => panic!("{error}"),
            }
        }
    });
    ended
}

/// Memory that both sides give back.
fn is_clean(pair: &Pair) -> bool {
    [&pair.client, &pair.server].iter().all(|script| {
        let connection = &script.connection;
        connection.live_streams() == 0
            && connection.held_bytes == 0
            && connection.responses_bytes == 0
            && connection.reassemblies.is_empty()
            && connection.table.keys().count() == 0
            && !connection.is_congested()
    })
}

fn large(len: usize, step: usize) -> Payload {
    let data: Vec<u8> = (0..len).map(|i| u8::try_from(i * step % 251).unwrap()).collect();
    Payload { metadata: Some(data[..data.len() / 3].to_vec().into()), data: data.into() }
}

#[test]
fn r_frag_1_r_frag_5_three_megabytes_each_way() {
    for seed in 0..3 {
        let mut pair = Pair::new(seed, Limits::default(), Limits::default());
        let (question, answer) = (large(3_000_000, 7), large(3_000_000, 11));
        let call = pair.client.ask_with(Interaction::RequestResponse, 1, question.clone());
        let (served, received) = loop {
            if let Some(found) = requested(&mut pair.server) {
                break found;
            }
            assert!(pair.pass(), "the request does not arrive");
        };
        assert!(received == question);
        pair.server.connection.respond(served, Ok(Some(answer.clone())));
        let mut items = Vec::new();
        while !collect(&mut pair.client, call, &mut items) {
            assert!(pair.pass(), "the response does not arrive");
            assert!(pair.server.connection.output().len() <= 2 * (32 << 10));
        }
        assert!(items == [answer]);
        pair.settle();
        assert!(is_clean(&pair));
    }
}

/// One side of an echo: `count` items to send, one unit of credit at a time.
struct Echo {
    key: StreamKey,
    queue: VecDeque<Payload>,
    received: usize,
    completes_after: usize,
    completed: bool,
}

impl Echo {
    /// Sends what waits and takes what came, granting one unit for each; what was taken.
    fn turn(&mut self, script: &mut Script) -> Vec<Payload> {
        let mut taken = Vec::new();
        collect(script, self.key, &mut taken);
        let granted = u32::try_from(taken.len()).unwrap();
        script.connection.drain(self.key, |input| input.request(granted));
        self.received += taken.len();
        script.connection.fill(self.key, script.now, usize::MAX, |_, items| {
            while let Some(item) = self.queue.front() {
                if let Some(pause) = items.push(item).pause() {
                    return pause;
                }
                self.queue.pop_front();
            }
            if self.received >= self.completes_after && !self.completed {
                self.completed = true;
                return Pause::Done;
            }
            Pause::CaughtUp
        });
        taken
    }
}

#[test]
fn t_17_r_chn_17_an_echo_of_a_thousand_items_with_credit_1_does_not_stall() {
    for seed in 0..10 {
        let mut pair = Pair::new(seed, Limits::default(), Limits::default());
        let key = pair.client.ask_with(Interaction::RequestChannel, 1, payload("0"));
        let queue = (1..1_000).map(|i| Payload::new(i.to_string())).collect();
        let mut ours = Echo { key, queue, received: 0, completes_after: 0, completed: false };
        let (key, first) = loop {
            if let Some(found) = requested(&mut pair.server) {
                break found;
            }
            assert!(pair.pass());
        };
        // The first item needed no credit; one unit lets the second come.
        pair.server.grant(key, 1);
        let queue = VecDeque::from([first]);
        let mut theirs = Echo { key, queue, received: 1, completes_after: 1_000, completed: false };
        let mut echoed = Vec::new();
        loop {
            echoed.extend(ours.turn(&mut pair.client));
            let taken = theirs.turn(&mut pair.server);
            theirs.queue.extend(taken);
            if !pair.pass() && ours.queue.is_empty() && theirs.queue.is_empty() {
                break;
            }
        }
        let expected: Vec<_> = (0..1_000).map(|i| Payload::new(i.to_string())).collect();
        assert_eq!(echoed, expected);
        assert!(ours.completed && theirs.completed);
        pair.client.take(ours.key);
        pair.server.take(theirs.key);
        assert!(is_clean(&pair));
    }
}

/// What one direction of a channel granted, sent and received.
#[derive(Default)]
struct Ledger {
    granted: u64,
    sent: u64,
    received: u64,
}

/// One side's random act: grant some, send some of some size, take all.
fn act(
    random: &mut Random,
    script: &mut Script,
    key: StreamKey,
    out: &mut Ledger,
    inward: &mut Ledger,
) {
    match random.below(4) {
        0 => {
            let n = u32::try_from(random.below(4)).unwrap();
            script.grant(key, n);
            inward.granted += u64::from(n);
        }
        1 | 2 => {
            let sizes = [0, 1, 50, 300, 2_000];
            let item = Payload::new(vec![b'x'; sizes[random.below(sizes.len())]]);
            out.sent += script.put(key, &item, random.below(6) as u64);
        }
        _ => {
            let mut items = Vec::new();
            collect(script, key, &mut items);
            inward.received += items.len() as u64;
        }
    }
    assert!(out.sent <= out.granted, "never beyond the credit");
    assert!(inward.received <= inward.granted);
}

#[test]
fn r_reqn_1_r_str_3_r_chn_6_random_interleavings_of_credit_are_exact() {
    for seed in 0..100 {
        let mut random = Random::new(seed);
        let limits = Limits { write_budget: 256, ..Limits::default() };
        let mut pair = Pair::new(seed, limits.clone(), limits);
        let key = pair.client.ask_with(Interaction::RequestChannel, 3, payload("first"));
        let served = loop {
            if let Some((served, _)) = requested(&mut pair.server) {
                break served;
            }
            assert!(pair.pass());
        };
        let mut outward = Ledger::default();
        let mut inward = Ledger { granted: 3, ..Ledger::default() };
        for _ in 0..300 {
            match random.below(3) {
                0 => act(&mut random, &mut pair.client, key, &mut outward, &mut inward),
                1 => act(&mut random, &mut pair.server, served, &mut inward, &mut outward),
                _ => {
                    pair.pass();
                }
            }
        }
        // Both sides send as long as they may: in the end exactly what was granted has arrived.
        let small = payload("y");
        loop {
            let sent = pair.client.put(key, &small, u64::MAX);
            let returned = pair.server.put(served, &small, u64::MAX);
            outward.sent += sent;
            inward.sent += returned;
            let mut items = Vec::new();
            collect(&mut pair.client, key, &mut items);
            inward.received += items.len() as u64;
            items.clear();
            collect(&mut pair.server, served, &mut items);
            outward.received += items.len() as u64;
            if !pair.pass() && sent == 0 && returned == 0 && items.is_empty() {
                break;
            }
        }
        for ledger in [&outward, &inward] {
            assert_eq!((ledger.sent, ledger.received), (ledger.granted, ledger.granted));
        }
        pair.client.complete(key);
        pair.server.complete(served);
        pair.settle();
        pair.client.take(key);
        pair.server.take(served);
        for script in [&mut pair.client, &mut pair.server] {
            assert_eq!(script.heard().iter().filter(|kind| **kind == "ended").count(), 1);
            assert_eq!(script.connection.take_stats().credit_violations, 0);
        }
        assert!(is_clean(&pair), "seed {seed}");
    }
}

/// One side of a run of random verbs: what it asked and what it serves.
#[derive(Default)]
struct Actor {
    live: Vec<(StreamKey, Interaction)>,
    opened: usize,
    ended: usize,
}

impl Actor {
    /// Takes in what happened.
    fn listen(&mut self, script: &mut Script) {
        script.connection.assert_sound();
        for event in script.events() {
            match event {
                Event::Request(key, request) => self.add(key, request.interaction),
                Event::Ended(key) => {
                    let at = self.live.iter().position(|(live, _)| *live == key);
                    self.live.swap_remove(at.expect("it was live, and ends once"));
                    self.ended += 1;
                }
                Event::Setup(_)
                | Event::FireAndForget(_)
                | Event::Credit(_)
                | Event::Input(_)
                | Event::OutboundCancelled(_)
                | Event::MetadataPush(_)
                | Event::Lease => {}
                Event::Closed(cause) => panic!("{cause}"),
            }
        }
    }

    fn add(&mut self, key: StreamKey, interaction: Interaction) {
        self.live.push((key, interaction));
        self.opened += 1;
    }

    fn ask(&mut self, random: &mut Random, script: &mut Script) {
        let interaction = Interaction::ALL[random.below(4)];
        let len = [0, 10, 400, 3_000][random.below(4)];
        let initial_n = u32::try_from(random.below(3) + 1).unwrap();
        let request = NewRequest {
            interaction,
            payload: Payload::new(vec![b'q'; len]),
            initial_n,
            complete: random.below(4) == 0 && interaction == Interaction::RequestChannel,
        };
        if let Ok(Some(key)) = script.connection.request(script.now, &request) {
            self.add(key, interaction);
        }
    }

    fn act(&mut self, random: &mut Random, script: &mut Script, is_server: bool) {
        if random.below(5) == 0 || self.live.is_empty() {
            self.ask(random, script);
            self.listen(script);
            return;
        }
        let (key, interaction) = self.live[random.below(self.live.len())];
        let item = Payload::new(vec![b'x'; [0, 10, 400, 3_000][random.below(4)]]);
        let responds = interaction == Interaction::RequestResponse;
        match random.below(12) {
            0..=3 if responds => script.connection.respond(key, Ok(Some(item))),
            0..=3 => drop(script.put(key, &item, 3)),
            4..=6 => drop(script.take(key)),
            7..=8 => script.grant(key, 2),
            9 if !responds => script.complete(key),
            10 if !responds => script.fail(key),
            11 => script.stop(key),
            _ if is_server => script.connection.respond(key, Ok(None)),
            _ => {}
        }
        self.listen(script);
    }
}

#[test]
fn r_can_3_r_reqn_9_random_verbs_on_both_sides_never_break_a_rule() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let limits = Limits { write_budget: 512, ..Limits::default() };
        let mut pair = Pair::new(seed, limits.clone(), limits);
        let (mut client, mut server) = (Actor::default(), Actor::default());
        for _ in 0..400 {
            match random.below(4) {
                0 => client.act(&mut random, &mut pair.client, false),
                1 => server.act(&mut random, &mut pair.server, true),
                _ => {
                    pair.pass();
                    client.listen(&mut pair.client);
                    server.listen(&mut pair.server);
                }
            }
        }
        // Everybody gives up what it asked for: whatever crosses, each stream ends once.
        for _ in 0..100 {
            for (actor, script) in
                [(&mut client, &mut pair.client), (&mut server, &mut pair.server)]
            {
                for (key, _) in actor.live.clone() {
                    script.complete(key);
                    script.connection.respond(key, Ok(None));
                    script.stop(key);
                    script.take(key);
                }
                actor.listen(script);
            }
            pair.settle();
            client.listen(&mut pair.client);
            server.listen(&mut pair.server);
        }
        for (actor, script) in [(&client, &mut pair.client), (&server, &mut pair.server)] {
            assert_eq!(actor.opened, actor.ended, "seed {seed}");
            assert!(actor.opened > 10, "seed {seed}: {} streams", actor.opened);
            let stats = script.connection.take_stats();
            assert_eq!((stats.credit_violations, stats.refused), (0, 0), "seed {seed}");
            assert_eq!(stats.reassembly_limits, 0);
        }
        assert!(is_clean(&pair), "seed {seed}");
    }
}
