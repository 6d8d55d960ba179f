//! The application of the fuzzed connection: answers, fills, drains and asks as the input says.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use tidegate::protocol::{
    Connection, Event, Interaction, NewRequest, Next, Pause, Pushed, StreamError, StreamKey,
};

use super::{content, len, payload};
use crate::reader::Reader;

/// Streams that the application itself opens at once.
pub(super) const OWN_MAX: usize = 8;
/// Keys that are remembered after their stream has gone.
const STALE_MAX: usize = 4;

/// The streams that it knows of.
#[derive(Default)]
pub(super) struct App {
    live: Vec<Live>,
    stale: Vec<StreamKey>,
}

#[derive(Clone, Copy)]
struct Live {
    key: StreamKey,
    own: bool,
    interaction: Interaction,
    /// Items that it granted, [`u64::MAX`] for all, and those that it got.
    granted: u64,
    taken: u64,
}

impl App {
    pub(super) fn own(&self) -> usize {
        self.live.iter().filter(|live| live.own).count()
    }

    pub(super) fn live(&self) -> usize {
        self.live.len()
    }

    pub(super) fn hear(&mut self, event: Event) {
        match event {
            Event::Request(key, request) => {
                self.add(Live {
                    key,
                    own: false,
                    interaction: request.interaction,
                    granted: 0,
                    taken: 0,
                });
            }
            Event::Ended(key) => {
                // A request that never became whole ends unheard of.
                self.live.retain(|live| live.key != key);
                self.stale.retain(|stale| *stale != key);
                self.stale.insert(0, key);
                self.stale.truncate(STALE_MAX);
            }
            Event::FireAndForget(request) => {
                assert_eq!(request.interaction, Interaction::FireAndForget);
            }
            Event::Credit(_)
            | Event::Input(_)
            | Event::OutboundCancelled(_)
            | Event::MetadataPush(_)
            | Event::Lease => {}
            Event::Setup(_) | Event::Closed(_) => unreachable!("the driver's matter"),
        }
    }

    fn add(&mut self, live: Live) {
        assert!(!self.live.iter().any(|other| other.key == live.key), "a key that is in use");
        self.live.push(live);
    }

    /// A stream that is there, now and then one that was.
    fn pick(&self, input: &mut Reader<'_>, suits: impl Fn(&Live) -> bool) -> Option<StreamKey> {
        let choice = usize::from(input.byte());
        let is_live = |key: &StreamKey| self.live.iter().any(|live| live.key == *key);
        if choice >= 240 {
            return self.stale.get(choice % STALE_MAX).copied().filter(|key| !is_live(key));
        }
        let suited: Vec<StreamKey> =
            self.live.iter().filter(|live| suits(live)).map(|live| live.key).collect();
        suited.get(choice % suited.len().max(1)).copied()
    }

    /// Carries out one of its operations, 22 to 30.
    pub(super) fn act(
        &mut self,
        choice: u8,
        connection: &mut Connection,
        now: Instant,
        input: &mut Reader<'_>,
    ) {
        match choice {
            22 => self.respond(connection, input),
            23 | 24 => self.fill(connection, now, input),
            25 | 26 => self.drain(connection, input),
            27 => self.request(connection, now, input),
            28 => {
                if let Some(key) = self.pick(input, |_| true) {
                    connection.complete_stream(key);
                }
            }
            29 => self.give_up(connection, input),
            _ => {
                let metadata = content(usize::from(input.byte()));
                if connection.room() > 0 {
                    connection.metadata_push(metadata);
                }
            }
        }
    }

    fn respond(&self, connection: &mut Connection, input: &mut Reader<'_>) {
        let suits = |live: &Live| !live.own && live.interaction == Interaction::RequestResponse;
        let Some(key) = self.pick(input, suits) else { return };
        let response = match input.byte() % 8 {
            0 => Err(StreamError::application(error_text(input))),
            1 => Ok(None),
            _ => Ok(Some(payload(input))),
        };
        connection.respond(key, response);
    }

    fn fill(&self, connection: &mut Connection, now: Instant, input: &mut Reader<'_>) {
        let suits = |live: &Live| match live.interaction {
            Interaction::RequestChannel => true,
            Interaction::RequestStream => !live.own,
            Interaction::RequestResponse | Interaction::FireAndForget => false,
        };
        let Some(key) = self.pick(input, suits) else { return };
        let count = input.byte() % 16;
        let (share, end) = (len(input), input.byte());
        let item = payload(input);
        connection.fill(key, now, share, |quota, items| {
            let mut taken = 0;
            for _ in 0..count {
                let pushed = if end & 0x80 == 0 {
                    items.push(&item)
                } else {
                    items.push_parts(item.metadata.as_deref(), &[b"part", &item.data])
                };
                match pushed {
                    Pushed::Taken => taken += 1,
                    Pushed::NoCredit => return Pause::NoCredit,
                    Pushed::Congested => return Pause::Congested,
                }
            }
            assert!(taken <= quota.items, "{taken} items of {quota:?}");
            match end & 7 {
                0 => Pause::Done,
                1 => Pause::Failed(StreamError::application("as asked")),
                2 => Pause::Paced(now + Duration::from_secs(1)),
                _ => Pause::CaughtUp,
            }
        });
    }

    fn drain(&mut self, connection: &mut Connection, input: &mut Reader<'_>) {
        let suits = |live: &Live| live.interaction != Interaction::FireAndForget;
        let Some(key) = self.pick(input, suits) else { return };
        let live = self.live.iter_mut().find(|live| live.key == key);
        let (count, n, choice) = (input.byte() % 8, input.n(), input.byte());
        connection.drain(key, |inbound| {
            let live = live.expect("a stream that is over is not drained");
            if choice & 1 == 1 {
                inbound.request(n);
                let sum = live.granted.saturating_add(n.into());
                live.granted = if n == 0x7FFF_FFFF { u64::MAX } else { sum };
            }
            for _ in 0..count {
                match inbound.next() {
                    Next::Item(_) => {
                        live.taken += 1;
                        assert!(live.taken <= live.granted, "more items than were granted");
                    }
                    Next::Pending | Next::Complete | Next::Failed(_) => break,
                }
            }
            if choice >= 224 {
                inbound.cancel();
            }
        });
    }

    fn request(&mut self, connection: &mut Connection, now: Instant, input: &mut Reader<'_>) {
        let interaction = Interaction::ALL[usize::from(input.byte() % 4)];
        let (initial_n, complete) = (input.n(), input.byte() & 1 == 1);
        let request = NewRequest { interaction, payload: payload(input), initial_n, complete };
        if self.own() >= OWN_MAX {
            return;
        }
        if let Ok(Some(key)) = connection.request(now, &request) {
            let granted = match (interaction, initial_n) {
                (Interaction::RequestResponse, _) => 1,
                (_, 0x7FFF_FFFF) => u64::MAX,
                (_, n) => n.into(),
            };
            self.add(Live { key, own: true, interaction, granted, taken: 0 });
        }
    }

    fn give_up(&self, connection: &mut Connection, input: &mut Reader<'_>) {
        let suits = |live: &Live| live.interaction != Interaction::FireAndForget;
        let Some(key) = self.pick(input, suits) else { return };
        let error = StreamError::application(error_text(input));
        match input.byte() % 3 {
            0 => connection.cancel_inbound(key),
            _ => connection.give_up_stream(key, &error),
        }
    }

    /// After the end: takes the last word of every stream that it opened.
    pub(super) fn take_all(&mut self, connection: &mut Connection) {
        for live in std::mem::take(&mut self.live) {
            assert!(live.own, "a stream that was served outlived its connection");
            connection.drain(live.key, |input| {
                while !matches!(input.next(), Next::Pending) {}
                assert!(input.is_done());
            });
        }
    }
}

/// Of any length, with characters of two bytes for the cut to fall into.
fn error_text(input: &mut Reader<'_>) -> Cow<'static, str> {
    Cow::Owned("é".repeat(usize::from(input.byte() % 64)))
}
