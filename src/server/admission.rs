//! How many connections may be open, in all and from one address.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Counts the open connections of every listener (R-LIM-18). The table of addresses holds only
/// those that have a connection open, so it is bounded by them.
#[derive(Debug)]
pub(super) struct Admission {
    connections_max: usize,
    per_address_max: usize,
    open: Mutex<Open>,
    /// Refused because the server is full, and because one address has too many.
    full: AtomicU64,
    crowded: AtomicU64,
}

#[derive(Debug, Default)]
struct Open {
    total: usize,
    by_address: HashMap<IpAddr, usize>,
}

/// Why a connection is not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refusal {
    #[error("the server is full: retry later")]
    Full,
    #[error("too many connections from your address: close some, or retry later")]
    Crowded,
}

/// One open connection; dropping it makes room for another.
#[derive(Debug)]
pub(super) struct Admitted {
    admission: Arc<Admission>,
    address: IpAddr,
}

impl Admission {
    pub(super) fn new(connections_max: usize, per_address_max: usize) -> Arc<Self> {
        Arc::new(Self {
            connections_max,
            per_address_max,
            open: Mutex::default(),
            full: AtomicU64::new(0),
            crowded: AtomicU64::new(0),
        })
    }

    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Result<Admitted, Refusal> {
        let mut open = self.lock();
        if open.total >= self.connections_max {
            self.full.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Full);
        }
        let count = open.by_address.entry(address).or_default();
        if *count >= self.per_address_max {
            self.crowded.fetch_add(1, Ordering::Relaxed);
            return Err(Refusal::Crowded);
        }
        *count += 1;
        open.total += 1;
        Ok(Admitted { admission: Arc::clone(self), address })
    }

    pub(super) fn open(&self) -> usize {
        self.lock().total
    }

    /// Connections refused so far: for want of room, and for too many from one address.
    pub(super) fn refused(&self) -> (u64, u64) {
        (self.full.load(Ordering::Relaxed), self.crowded.load(Ordering::Relaxed))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Admitted {
    fn drop(&mut self) {
        let mut open = self.admission.lock();
        open.total -= 1;
        if let Some(count) = open.by_address.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                open.by_address.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 1));
    const B: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(127, 0, 0, 2));

    #[test]
    fn r_lim_18_connections_are_bounded_in_all_and_by_address() {
        let admission = Admission::new(3, 2);
        let first = admission.admit(A).unwrap();
        let _second = admission.admit(A).unwrap();
        assert_eq!(admission.admit(A).unwrap_err(), Refusal::Crowded);
        let _third = admission.admit(B).unwrap();
        assert_eq!(admission.admit(B).unwrap_err(), Refusal::Full);
        assert_eq!(admission.refused(), (1, 1));
        drop(first);
        let _again = admission.admit(A).unwrap();
        assert_eq!(admission.open(), 3);
    }

    #[test]
    fn an_address_without_connections_is_forgotten() {
        let admission = Admission::new(10, 10);
        drop(admission.admit(A).unwrap());
        assert!(admission.lock().by_address.is_empty());
    }
}
