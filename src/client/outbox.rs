//! The caller's half of a channel: items that wait for the responder's credit.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::SendError;
use super::inbox::{Inbox, InboxSource};
use crate::protocol::{Input, Items, Pause, Quota, Source, StreamError};
use crate::wire::Payload;

/// Items between a sender and the connection. Each has credit already; they wait for room only.
const ITEMS_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Payload>,
    /// Credit that the responder had left when the connection last looked, the queue not deducted.
    credit: u64,
    phase: Phase,
    sender: Option<Waker>,
    source: Option<Waker>,
}

#[derive(Debug, Default)]
enum Phase {
    #[default]
    Open,
    /// The caller has ended it; what is queued still goes.
    Ending(Result<(), StreamError>),
    /// Nothing goes any more.
    Closed(SendError),
}

impl Outbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn poll_send(
        &self,
        cx: &Context<'_>,
        item: &mut Option<Payload>,
    ) -> Poll<Result<(), SendError>> {
        let source = {
            let mut state = self.lock();
            match state.phase {
                Phase::Open => {}
                Phase::Closed(error) => return Poll::Ready(Err(error)),
                Phase::Ending(_) => return Poll::Ready(Err(SendError::Ended)),
            }
            if !state.has_room() {
                match &mut state.sender {
                    Some(sender) => sender.clone_from(cx.waker()),
                    none @ None => *none = Some(cx.waker().clone()),
                }
                return Poll::Pending;
            }
            state.items.extend(item.take());
            state.source.take()
        };
        wake(source);
        Poll::Ready(Ok(()))
    }

    fn end(&self, end: Result<(), StreamError>) {
        let source = {
            let mut state = self.lock();
            if let Phase::Open = state.phase {
                state.phase = Phase::Ending(end);
            }
            state.source.take()
        };
        wake(source);
    }

    fn close(&self, error: SendError) {
        let (sender, _unsent) = {
            let mut state = self.lock();
            if !matches!(state.phase, Phase::Closed(_)) {
                state.phase = Phase::Closed(error);
            }
            state.source = None;
            (state.sender.take(), std::mem::take(&mut state.items))
        };
        wake(sender);
    }

    fn fill(&self, cx: &Context<'_>, items: &mut Items<'_>) -> Pause {
        let (sender, pause) = {
            let mut state = self.lock();
            let blocked = state.push_all(items);
            state.credit = items.remaining();
            match &mut state.source {
                Some(source) => source.clone_from(cx.waker()),
                none @ None => *none = Some(cx.waker().clone()),
            }
            let sender = if state.has_room() { state.sender.take() } else { None };
            (sender, blocked.unwrap_or_else(|| state.pause()))
        };
        wake(sender);
        pause
    }
}

impl State {
    fn has_room(&self) -> bool {
        let queued = self.items.len();
        queued < ITEMS_MAX && (queued as u64) < self.credit
    }

    /// Offers what is queued; the pause when an item was not taken.
    fn push_all(&mut self, items: &mut Items<'_>) -> Option<Pause> {
        while let Some(item) = self.items.front() {
            if let Some(pause) = items.push(item).pause() {
                return Some(pause);
            }
            self.items.pop_front();
        }
        None
    }

    /// Everything queued is gone.
    fn pause(&mut self) -> Pause {
        match &mut self.phase {
            Phase::Open => Pause::CaughtUp,
            Phase::Closed(_) => Pause::Done,
            Phase::Ending(end) => match std::mem::replace(end, Ok(())) {
                Ok(()) => Pause::Done,
                Err(error) => Pause::Failed(error),
            },
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// Sends the items of a channel after its first. Dropping it completes this half (the responder's
/// goes on).
pub struct Sender {
    outbox: Arc<Outbox>,
}

impl Sender {
    /// Sends one item as soon as the responder's credit and the connection's room allow. Dropping
    /// this future before it is done sends nothing.
    ///
    /// # Errors
    /// [`SendError`], when the responder takes no more or the channel is over.
    pub async fn send(&mut self, item: Payload) -> Result<(), SendError> {
        let mut item = Some(item);
        std::future::poll_fn(|cx| self.outbox.poll_send(cx, &mut item)).await
    }

    /// Has no more items; the same as dropping it.
    pub fn complete(self) {}

    /// Ends the channel in both directions with an error (R-CHN-8).
    pub fn fail(self, error: StreamError) {
        self.outbox.end(Err(error));
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.outbox.end(Ok(()));
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").finish_non_exhaustive()
    }
}

/// The connection's end of a channel.
#[derive(Debug)]
pub(super) struct ChannelSource {
    inbound: InboxSource,
    outbox: Arc<Outbox>,
}

impl ChannelSource {
    pub(super) fn new(inbox: &Arc<Inbox>) -> (Self, Sender) {
        let outbox = Arc::new(Outbox::default());
        let sender = Sender { outbox: Arc::clone(&outbox) };
        (Self { inbound: InboxSource::new(inbox), outbox }, sender)
    }
}

impl Source for ChannelSource {
    fn poll_fill(&mut self, cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        self.outbox.fill(cx, items)
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) {
        self.inbound.poll_drain(cx, input);
    }

    fn outbound_cancelled(&mut self) {
        self.outbox.close(SendError::Cancelled);
    }
}

impl Drop for ChannelSource {
    fn drop(&mut self) {
        self.outbox.close(SendError::Ended);
    }
}
