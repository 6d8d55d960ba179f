//! The socket that the input directs.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// Each call takes the next byte of the script, round and round. In the end it is over for reading.
///
/// ```text
///   0        not now, but the caller is woken at once
///   1 to 239 so many bytes at most
///   240, 241… all there is; 254: the end; 255: an error
/// ```
pub(super) struct Socket {
    script: Vec<u8>,
    at: usize,
    inbound: Vec<u8>,
    read: usize,
    output_len_max: usize,
    /// Sticky: the end, or an error.
    over: bool,
}

enum Act {
    Wait,
    Move(usize),
    End,
    Fail,
}

impl Socket {
    pub(super) fn new(script: Vec<u8>, inbound: Vec<u8>, output_len_max: usize) -> Self {
        Self { script, at: 0, inbound, read: 0, output_len_max, over: false }
    }

    fn act(&mut self) -> Act {
        let Some(choice) = self.script.get(self.at).copied() else { return Act::Move(usize::MAX) };
        self.at = (self.at + 1) % self.script.len();
        match choice {
            0 => Act::Wait,
            len @ 1..240 => Act::Move(len.into()),
            240..254 => Act::Move(usize::MAX),
            254 => Act::End,
            255 => Act::Fail,
        }
    }

    fn fail<T>(&mut self) -> Poll<io::Result<T>> {
        self.over = true;
        Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
    }
}

fn wait<T>(cx: &Context<'_>) -> Poll<T> {
    cx.waker().wake_by_ref();
    Poll::Pending
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.over {
            return Poll::Ready(Ok(()));
        }
        match self.act() {
            Act::Wait => wait(cx),
            Act::Move(len) => {
                let rest = &self.inbound[self.read..];
                let len = len.min(rest.len()).min(buffer.remaining());
                buffer.put_slice(&rest[..len]);
                self.read += len;
                Poll::Ready(Ok(()))
            }
            Act::End => {
                self.over = true;
                Poll::Ready(Ok(()))
            }
            Act::Fail => self.fail(),
        }
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        output: &[u8],
    ) -> Poll<io::Result<usize>> {
        assert!(!output.is_empty(), "a write of nothing");
        assert!(output.len() <= self.output_len_max, "{} bytes of output", output.len());
        match self.act() {
            Act::Wait => wait(cx),
            Act::Move(len) => Poll::Ready(Ok(len.min(output.len()))),
            Act::End => Poll::Ready(Ok(0)),
            Act::Fail => self.fail(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.act() {
            Act::Wait => wait(cx),
            Act::Move(_) | Act::End => Poll::Ready(Ok(())),
            Act::Fail => self.fail(),
        }
    }
}
