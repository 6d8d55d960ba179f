//! The caller's end of a stream: items by demand.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use futures_core::Stream;

use super::CallError;
use super::inbox::Inbox;
use crate::wire::Payload;

/// The items of a stream or of a channel's responder. They come only as far as credit was granted:
/// `initial_n` with the request, then [`request`](Self::request). Dropping it cancels the stream,
/// and a channel in both directions.
pub struct Subscription {
    inbox: Arc<Inbox>,
    /// Items that were taken from the inbox together.
    run: VecDeque<Payload>,
    over: bool,
}

impl Subscription {
    pub(super) fn new(inbox: Arc<Inbox>) -> Self {
        Self { inbox, run: VecDeque::new(), over: false }
    }

    /// The next item; `None` once the responder has completed, and after an error.
    pub async fn next(&mut self) -> Option<Result<Payload, CallError>> {
        std::future::poll_fn(|cx| self.poll_item(cx)).await
    }

    /// The next item if it is here already: what a caller may take before it waits.
    pub fn next_now(&mut self) -> Option<Payload> {
        self.run.pop_front()
    }

    /// Grants `n` more items, 1 to 2^31-1, which asks for everything. Grants add up.
    pub fn request(&self, n: u32) {
        if n > 0 && !self.over {
            self.inbox.request(n);
        }
    }

    fn poll_item(&mut self, cx: &Context<'_>) -> Poll<Option<Result<Payload, CallError>>> {
        if let Some(item) = self.run.pop_front() {
            return Poll::Ready(Some(Ok(item)));
        }
        if self.over {
            return Poll::Ready(None);
        }
        match ready!(self.inbox.poll_run(cx, &mut self.run)) {
            Ok(true) => Poll::Ready(self.run.pop_front().map(Ok)),
            Ok(false) => {
                self.over = true;
                Poll::Ready(None)
            }
            Err(error) => {
                self.over = true;
                Poll::Ready(Some(Err(error)))
            }
        }
    }
}

impl Stream for Subscription {
    type Item = Result<Payload, CallError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_item(cx)
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        if !self.over {
            self.inbox.cancel();
        }
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("here", &self.run.len())
            .field("over", &self.over)
            .finish_non_exhaustive()
    }
}
