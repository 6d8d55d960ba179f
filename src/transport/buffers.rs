//! Read and write memory, lent by the thread for one poll of a driver.

use std::cell::RefCell;

use bytes::BytesMut;

/// What one read asks the socket for, bytes.
pub(super) const READ_LEN: usize = 64 << 10;

/// The two buffers of a thread.
#[derive(Debug, Default)]
pub(super) struct Lent {
    pub(super) read: BytesMut,
    pub(super) write: BytesMut,
    /// The read buffer serves as the inbox of the connection that is being polled.
    pub(super) read_is_out: bool,
}

thread_local! {
    static SPARE: RefCell<Lent> = RefCell::default();
}

/// Takes this thread's buffers; they are to be given back with [`give_back`].
pub(super) fn borrow() -> Lent {
    SPARE.take()
}

/// Gives buffers back, empty. Memory that someone still reads is let go by `BytesMut` itself.
pub(super) fn give_back(mut lent: Lent) {
    const KEPT: usize = 256 << 10;
    lent.read_is_out = false;
    lent.read.clear();
    lent.write.clear();
    if lent.write.capacity() > KEPT {
        lent.write = BytesMut::new();
    }
    SPARE.replace(lent);
}
