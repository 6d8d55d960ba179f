//! Two connections joined back to back by a link that cuts and delays as it likes.

use bytes::BytesMut;

use super::Script;
use crate::protocol::{Event, Limits};
use crate::wire::{Deframer, Inbound};

/// A client and a server. What they send goes through a seeded link that passes on any number of
/// bytes at a time, so that frames arrive cut anywhere or many at once.
#[derive(Debug)]
pub struct Pair {
    /// The side that sent SETUP.
    pub client: Script,
    /// The side that accepted it.
    pub server: Script,
    to_server: Pipe,
    to_client: Pipe,
    random: Random,
}

/// One direction of the link.
#[derive(Debug)]
struct Pipe {
    bytes: BytesMut,
    deframer: Deframer,
}

/// A small generator: the same seed gives the same run.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The generator of this seed.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `bound`, which is above zero.
    pub fn below(&mut self, bound: usize) -> usize {
        // An odd step and a mix of the high bits into the low ones.
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 29)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        usize::try_from((mixed >> 33) % bound as u64).unwrap_or(0)
    }
}

impl Pipe {
    fn new() -> Self {
        Self { bytes: BytesMut::new(), deframer: Deframer::length_prefix(1 << 24) }
    }

    /// The socket of `from` takes some of its output.
    fn take(&mut self, from: &mut Script, random: &mut Random) -> bool {
        let waiting = from.connection.output().len();
        if waiting == 0 {
            return false;
        }
        let taken = random.below(waiting) + 1;
        self.bytes.extend_from_slice(&from.connection.output()[..taken]);
        from.connection.advance(taken);
        true
    }

    /// `to` reads the frames that are there whole, as far as it wants them.
    fn give(&mut self, to: &mut Script) -> bool {
        let mut moved = false;
        while to.connection.wants_frames() {
            match self.deframer.next(&mut self.bytes).expect("frames of ours") {
                Some(Inbound::Frame(frame)) => to.connection.handle_frame(to.now, frame),
                Some(inbound) => panic!("{inbound:?} on a byte stream"),
                None => break,
            }
            moved = true;
        }
        moved
    }
}

impl Pair {
    /// Two connections after their SETUP.
    #[must_use]
    pub fn new(seed: u64, client: Limits, server: Limits) -> Self {
        let mut pair = Self {
            client: Script::raw_client(client, false, None),
            server: Script::raw_server(server, None),
            to_server: Pipe::new(),
            to_client: Pipe::new(),
            random: Random::new(seed),
        };
        while !pair.server.events().iter().any(|event| matches!(event, Event::Setup(_))) {
            assert!(pair.pass(), "SETUP does not arrive");
        }
        pair.server.connection.accept(pair.server.now);
        pair
    }

    /// One turn of each side and of the link; whether anything moved. Sources are filled and
    /// drained by the caller between two of these.
    pub fn pass(&mut self) -> bool {
        let Self { client, server, to_server, to_client, random } = self;
        let mut moved = false;
        for (script, pipe) in [(client, to_server), (server, to_client)] {
            script.connection.flush();
            if random.below(2) == 0 {
                script.connection.flush_rest();
            }
            moved |= pipe.take(script, random);
        }
        moved |= self.to_server.give(&mut self.server);
        moved |= self.to_client.give(&mut self.client);
        moved || self.client.connection.is_congested() || self.server.connection.is_congested()
    }

    /// Until nothing moves any more.
    pub fn settle(&mut self) {
        while self.pass() {}
    }
}
