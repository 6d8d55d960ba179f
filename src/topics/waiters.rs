//! Who waits to be woken when a topic has something new.

use std::task::Waker;

/// The waiting readers of one topic: at most one seat per subscription.
///
/// Seats are reused when they are given up, so the table is never larger than the most readers
/// that waited at once since the last wake. Taking the wakers starts a new round; a seat of an
/// earlier round is empty by definition.
#[derive(Debug, Default)]
pub(super) struct Waiters {
    round: u64,
    seats: Vec<Option<Waker>>,
    free: Vec<usize>,
}

/// A place in the table, valid for one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seat {
    round: u64,
    place: usize,
}

impl Waiters {
    /// Wake `waker` in the next round. A reader that already has a seat keeps it, and gets back
    /// the waker that it replaces.
    pub(super) fn register(&mut self, held: Option<Seat>, waker: &Waker) -> (Seat, Option<Waker>) {
        if let Some(seat) = held.filter(|seat| seat.round == self.round) {
            let taken = &mut self.seats[seat.place];
            let same = taken.as_ref().is_some_and(|registered| registered.will_wake(waker));
            let replaced = if same { None } else { taken.replace(waker.clone()) };
            return (seat, replaced);
        }
        let waker = Some(waker.clone());
        let place = if let Some(place) = self.free.pop() {
            self.seats[place] = waker;
            place
        } else {
            self.seats.push(waker);
            self.seats.len() - 1
        };
        (Seat { round: self.round, place }, None)
    }

    /// Give a seat up, once; its waker if nobody has woken it.
    pub(super) fn remove(&mut self, seat: Seat) -> Option<Waker> {
        let taken = self.seats.get_mut(seat.place).filter(|_| seat.round == self.round)?.take();
        if taken.is_some() {
            self.free.push(seat.place);
        }
        taken
    }

    /// Everyone who waits, to be woken once the topic is unlocked.
    pub(super) fn take(&mut self) -> Wake {
        self.round = self.round.wrapping_add(1);
        self.free.clear();
        Wake(std::mem::take(&mut self.seats))
    }

    /// How many wait.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.seats.len() - self.free.len()
    }
}

/// Readers to wake.
#[derive(Debug, Default)]
#[must_use = "readers that are not woken wait for ever"]
pub(super) struct Wake(Vec<Option<Waker>>);

impl Wake {
    /// Wake them all; no lock may be held.
    pub(super) fn wake(self) {
        self.0.into_iter().flatten().for_each(Waker::wake);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seat(waiters: &mut Waiters, held: Option<Seat>) -> Seat {
        waiters.register(held, Waker::noop()).0
    }

    #[test]
    fn a_seat_is_kept_given_up_and_reused() {
        let mut waiters = Waiters::default();
        let first = seat(&mut waiters, None);
        assert_eq!(seat(&mut waiters, Some(first)), first);
        let second = seat(&mut waiters, None);
        assert_ne!(second, first);
        assert_eq!(waiters.len(), 2);
        assert!(waiters.remove(first).is_some());
        assert!(waiters.remove(first).is_none());
        assert_eq!(waiters.len(), 1);
        assert_eq!(seat(&mut waiters, None), first);
        assert_eq!(waiters.seats.len(), 2);
    }

    #[test]
    fn a_seat_of_an_earlier_round_is_nobodys() {
        let mut waiters = Waiters::default();
        let old = seat(&mut waiters, None);
        let given_up = seat(&mut waiters, None);
        assert!(waiters.remove(given_up).is_some());
        assert_eq!(waiters.take().0.into_iter().flatten().count(), 1);
        assert_eq!(waiters.len(), 0);
        assert!(waiters.remove(old).is_none());
        let new = seat(&mut waiters, None);
        assert!(waiters.remove(old).is_none());
        assert_eq!(waiters.len(), 1);
        assert_ne!(seat(&mut waiters, Some(old)), new);
        assert_eq!(waiters.len(), 2);
    }
}
