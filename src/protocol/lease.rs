//! LEASE: how many requests one side allows the other, in both directions (conformance 4.1).

use std::time::{Duration, Instant};

use super::setup::millis;
use crate::wire::Lease;

/// What a responder grants, again and again: `requests` per `ttl`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseGrant {
    /// Requests of any interaction, 1 to 2^31-1.
    pub requests: u32,
    /// How long the grant is good for, from its reception (R-LEASE-4); 1 ms to 2^31-1 ms.
    pub ttl: Duration,
}

impl LeaseGrant {
    /// Within what a LEASE can say; zero would stop every request (R-LEASE-8).
    fn clamped(self) -> Self {
        let ttl = Duration::from_millis(millis(self.ttl).into());
        Self { requests: self.requests.clamp(1, 0x7FFF_FFFF), ttl }
    }
}

/// The responder's side: enforces the count and renews before the grant ends, so that a client that
/// keeps to it is never without one. Only the count is enforced, not the time: the requester's TTL
/// starts later than ours (R-LEASE-11). At most two grants are honoured at once.
#[derive(Debug)]
pub(super) struct Granted {
    grant: LeaseGrant,
    remaining: u32,
    renew_at: Instant,
}

impl Granted {
    /// A grant, and the frame that tells the peer.
    pub(super) fn new(grant: LeaseGrant, now: Instant) -> (Self, Lease) {
        let grant = grant.clamped();
        let mut granted = Self { grant, remaining: 0, renew_at: now };
        let frame = granted.renew(now);
        (granted, frame)
    }

    /// The peer replaces what it had left when this arrives (R-LEASE-5), and may spend it until
    /// then: what was left of the last grant is honoured on top of the new one.
    pub(super) fn renew(&mut self, now: Instant) -> Lease {
        let on_its_way = self.remaining.min(self.grant.requests);
        self.remaining = self.grant.requests + on_its_way;
        self.renew_at = now + self.grant.ttl * 3 / 4;
        Lease { ttl_ms: millis(self.grant.ttl), requests: self.grant.requests, metadata: None }
    }

    /// The frame cannot go now: tries again soon, and grants nothing meanwhile.
    pub(super) fn postpone(&mut self, now: Instant) {
        self.renew_at = now + self.grant.ttl / 4;
    }

    /// Takes one unit; `false` when the request is beyond the lease (R-LEASE-6).
    pub(super) fn take(&mut self) -> bool {
        let allowed = self.remaining > 0;
        self.remaining = self.remaining.saturating_sub(1);
        allowed
    }

    pub(super) const fn renew_at(&self) -> Instant {
        self.renew_at
    }
}

/// The requester's side: what the peer allows us.
#[derive(Debug)]
pub(super) enum Held {
    /// SETUP had no L: nothing to wait for (R-LEASE-2).
    NotNegotiated,
    /// No LEASE came yet, or the last one stopped everything.
    Waiting,
    /// So many requests until then (R-LEASE-7: expired is none).
    Lease {
        /// Requests left.
        remaining: u32,
        /// When it ends.
        expires: Instant,
    },
}

impl Held {
    /// A LEASE arrived; it replaces the old one completely (R-LEASE-5, R-LEASE-8). `false` when it
    /// is to be ignored (R-LEASE-2).
    pub(super) fn replace(&mut self, lease: &Lease, now: Instant) -> bool {
        match self {
            Self::NotNegotiated => return false,
            Self::Waiting | Self::Lease { .. } => {}
        }
        *self = if lease.requests == 0 || lease.ttl_ms == 0 {
            Self::Waiting
        } else {
            let expires = now + Duration::from_millis(lease.ttl_ms.into());
            Self::Lease { remaining: lease.requests, expires }
        };
        true
    }

    /// Whether a request may go now.
    pub(super) fn allows(&self, now: Instant) -> bool {
        match self {
            Self::NotNegotiated => true,
            Self::Waiting => false,
            Self::Lease { remaining, expires } => *remaining > 0 && now < *expires,
        }
    }

    /// A request went out (R-LEASE-10).
    pub(super) fn spend(&mut self) {
        match self {
            Self::NotNegotiated | Self::Waiting => {}
            Self::Lease { remaining, .. } => *remaining = remaining.saturating_sub(1),
        }
    }
}
