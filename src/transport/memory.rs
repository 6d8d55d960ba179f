//! A transport in memory, for tests and for measuring without a kernel.

use tokio::io::DuplexStream;

/// One end of a transport in memory.
pub type MemorySocket = DuplexStream;

/// Two connected ends; each direction holds at most `capacity` bytes, like a socket buffer.
#[must_use]
pub fn memory_pair(capacity: usize) -> (MemorySocket, MemorySocket) {
    tokio::io::duplex(capacity)
}
