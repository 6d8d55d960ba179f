//! TCP as a transport: socket options that keep the kernel from becoming a queue.

use std::io;

use socket2::SockRef;
use tokio::net::TcpStream;

/// Options of an accepted or connected TCP socket.
#[derive(Clone, Copy, Debug)]
pub struct TcpOptions {
    /// `TCP_NOTSENT_LOWAT`, bytes: the kernel reports the socket writable only while it holds less
    /// than this unsent. Without it the kernel takes megabytes ahead of a slow reader, and what
    /// that reader sees is old.
    pub notsent_lowat: u32,
}

impl Default for TcpOptions {
    fn default() -> Self {
        Self { notsent_lowat: 16 << 10 }
    }
}

/// Sets TCP_NODELAY, since every write is a whole turn's worth, and TCP_NOTSENT_LOWAT.
///
/// # Errors
/// When the socket is gone already, or the system refuses an option.
pub fn prepare_stream(stream: &TcpStream, options: TcpOptions) -> io::Result<()> {
    stream.set_nodelay(true)?;
    SockRef::from(stream).set_tcp_notsent_lowat(options.notsent_lowat)
}
