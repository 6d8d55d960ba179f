//! KEEPALIVE timing: when to send one, and when silence means death.

use std::time::{Duration, Instant};

/// Keeps the two clocks of one connection. Any frame proves life (R-KA-8, R-KA-9); arithmetic is on
/// [`Duration`], so intervals of 24 days do not overflow (R-KA-12).
#[derive(Debug)]
pub(super) struct Keepalive {
    /// A client sends one every interval, whether or not other traffic flows (R-KA-2). A server
    /// does not start any (R-KA-10).
    sending: Option<Sending>,
    silence_max: Duration,
    heard_at: Instant,
}

#[derive(Debug)]
struct Sending {
    interval: Duration,
    next: Instant,
}

impl Keepalive {
    pub(super) fn client(interval: Duration, lifetime: Duration, now: Instant) -> Self {
        let sending = Some(Sending { interval, next: now + interval });
        Self { sending, silence_max: lifetime.max(interval * 2), heard_at: now }
    }

    /// The client's own lifetime is the limit, with a floor of two intervals and `lifetime_min`: a
    /// lifetime below the interval is allowed (R-SETUP-4) and must not kill a healthy client.
    pub(super) fn server(
        interval: Duration,
        lifetime: Duration,
        lifetime_min: Duration,
        now: Instant,
    ) -> Self {
        let silence_max = lifetime.max(interval * 2).max(lifetime_min);
        Self { sending: None, silence_max, heard_at: now }
    }

    pub(super) fn heard(&mut self, now: Instant) {
        self.heard_at = now;
    }

    pub(super) fn is_dead(&self, now: Instant) -> bool {
        now >= self.heard_at + self.silence_max
    }

    /// Whether a KEEPALIVE is due; says so once per interval, without catching up on missed ones.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        let Some(sending) = self.sending.as_mut().filter(|sending| now >= sending.next) else {
            return false;
        };
        sending.next = now + sending.interval;
        true
    }

    pub(super) fn next_timeout(&self) -> Instant {
        let death = self.heard_at + self.silence_max;
        self.sending.as_ref().map_or(death, |sending| death.min(sending.next))
    }
}
