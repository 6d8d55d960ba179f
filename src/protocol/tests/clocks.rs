//! Keepalive and leases in time, against models of what they promise.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use proptest::collection::vec;
use proptest::prelude::*;

use super::try_ask;
use crate::protocol::{Event, LeaseGrant, Limits, RequestRefused};
use crate::testkit::{Script, keepalive, setup};
use crate::wire::{Body, Frame, Lease, StreamId};

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

/// A server that accepted a SETUP with these times.
fn accepted(keepalive_ms: u32, lifetime_ms: u32, lease: Option<LeaseGrant>) -> Script {
    let mut frame = setup();
    if let Body::Setup(setup) = &mut frame.body {
        (setup.keepalive_ms, setup.lifetime_ms) = (keepalive_ms, lifetime_ms);
        setup.lease = lease.is_some();
    }
    let mut script = Script::raw_server(Limits::default(), lease);
    script.receive(&frame);
    script.events();
    script.connection.accept(script.now);
    script
}

/// What a peer does, and when.
#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Hear,
}

fn steps(longest: u64) -> impl Strategy<Value = Vec<Step>> {
    vec(prop_oneof![(1..longest).prop_map(Step::Pass), Just(Step::Hear)], 1..40)
}

/// A requester that reads the clock of its link: frames take `delay` each way.
struct Link {
    client: Script,
    server: Script,
    delay: Duration,
    to_client: VecDeque<(Instant, Frame)>,
    to_server: VecDeque<(Instant, Frame)>,
}

impl Link {
    fn new(grant: LeaseGrant, delay: Duration) -> Self {
        let mut client = Script::raw_client(Limits::default(), true, None);
        client.sent();
        let mut server = accepted(20_000, 90_000, Some(grant));
        server.now = client.now;
        server.connection.accept(server.now);
        let (to_client, to_server) = (VecDeque::new(), VecDeque::new());
        Self { client, server, delay, to_client, to_server }
    }

    /// A millisecond passes on both sides and on the way between them.
    fn tick(&mut self) {
        self.client.pass(ms(1));
        self.server.pass(ms(1));
        let now = self.client.now;
        while self.to_client.front().is_some_and(|(due, _)| *due <= now) {
            let (_, frame) = self.to_client.pop_front().unwrap();
            assert!(!matches!(frame.body, Body::Error { .. }), "rejected: {frame:?}");
            self.client.receive(&frame);
        }
        while self.to_server.front().is_some_and(|(due, _)| *due <= now) {
            let (_, frame) = self.to_server.pop_front().unwrap();
            self.server.receive(&frame);
        }
        self.carry();
    }

    fn carry(&mut self) {
        let due = self.client.now + self.delay;
        self.to_server.extend(self.client.sent().into_iter().map(|frame| (due, frame)));
        self.to_client.extend(self.server.sent().into_iter().map(|frame| (due, frame)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn r_ka_9_a_server_closes_after_the_silence_that_was_announced_and_no_sooner(
        interval in 1..3_000_u32,
        lifetime in 1..9_000_u32,
        steps in steps(9_000),
    ) {
        let mut script = accepted(interval, lifetime, None);
        let silence_max = ms(u64::from(lifetime.max(2 * interval).max(1_000)));
        let mut heard = script.now;
        for step in steps {
            match step {
                Step::Hear => {
                    script.receive(&keepalive(false, ""));
                    heard = script.now;
                }
                Step::Pass(time) => script.pass(ms(time)),
            }
            let dead = script.now >= heard + silence_max;
            prop_assert_eq!(script.connection.is_closed(), dead);
            if dead {
                prop_assert_eq!(script.said(), ["0 ERROR CONNECTION_ERROR"]);
                prop_assert_eq!(script.connection.poll_timeout(), None);
                break;
            }
            prop_assert!(script.sent().is_empty());
            prop_assert!(script.connection.poll_timeout() > Some(script.now), "a clock stands");
        }
    }

    #[test]
    fn r_ka_2_a_client_sends_one_per_interval_until_its_server_is_silent(steps in steps(60_000)) {
        let mut script = Script::client(Limits::default());
        let start = script.now;
        let mut heard = start;
        let mut count = 0;
        for step in steps {
            match step {
                Step::Hear => {
                    script.receive(&keepalive(false, ""));
                    heard = script.now;
                }
                Step::Pass(time) => script.pass(ms(time)),
            }
            let frames = script.sent();
            count += frames.iter().filter(|frame| matches!(frame.body, Body::Keepalive(_))).count();
            let death = heard + Duration::from_secs(90);
            prop_assert_eq!(script.connection.is_closed(), script.now >= death);
            let alive = script.now.min(death) - start;
            let due = usize::try_from(alive.as_secs() / 20).unwrap();
            // At the moment of death nothing else is sent.
            let closed = script.connection.is_closed();
            let at_death = closed && alive.as_millis().is_multiple_of(20_000);
            prop_assert_eq!(count, due - usize::from(at_death));
            if closed {
                break;
            }
        }
    }

    #[test]
    fn r_lease_4_r_lease_5_r_lease_7_a_requester_spends_what_it_holds_and_no_more(
        steps in vec((0..4_u8, 0..400_u32, 0..4_u32), 1..60),
    ) {
        let mut script = Script::raw_client(Limits::default(), true, None);
        script.sent();
        let (mut remaining, mut expires) = (0, script.now);
        for (step, time, requests) in steps {
            match step {
                0 => {
                    let lease = Lease { ttl_ms: time, requests, metadata: None };
                    script.receive(&Frame::new(StreamId::CONNECTION, Body::Lease(lease)));
                    (remaining, expires) = (requests, script.now + ms(time.into()));
                }
                1 => script.pass(ms(time.into())),
                _ => {
                    let allowed = remaining > 0 && script.now < expires;
                    let asked = try_ask(&mut script);
                    prop_assert_eq!(asked == Err(RequestRefused::NoLease), !allowed);
                    remaining -= u32::from(allowed);
                    prop_assert_eq!(script.sent().len(), usize::from(allowed));
                }
            }
        }
    }

    #[test]
    fn r_lease_6_r_lease_11_who_keeps_to_its_lease_is_never_rejected(
        requests in 1..5_u32,
        ttl in 40..200_u64,
        delay in 0..10_u64,
        asks in vec(0..4_u8, 400),
    ) {
        let mut link = Link::new(LeaseGrant { requests, ttl: ms(ttl) }, ms(delay));
        let (mut asked, mut served) = (0, 0);
        for ask in asks {
            if ask == 0 && try_ask(&mut link.client).is_ok() {
                asked += 1;
            }
            link.tick();
            let arrived = link.server.events();
            served += arrived.iter().filter(|event| matches!(event, Event::Request(..))).count();
        }
        for _ in 0..=delay {
            link.tick();
            served += link.server.events().len();
        }
        prop_assert_eq!(asked, served);
    }
}
