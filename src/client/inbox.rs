//! What a responder sent and the caller has not taken: where its task and the connection's meet.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

use super::CallError;
use crate::protocol::{Input, Items, Next, Pause, Quota, Source, StreamError};
use crate::wire::Payload;

/// Everything was asked for; more cannot be (R-REQN-7).
const UNBOUNDED: u32 = 0x7FFF_FFFF;

/// A caller that grants credit without end and does not take what comes is cut off at this many
/// bytes, instead of filling memory.
const BYTES_MAX: usize = 64 << 20;

/// While few items wait they keep the read buffer that they came in, which costs no copy; a caller
/// who falls behind gets copies, so that small items do not hold large buffers.
const SHARED_MAX: usize = 1_024;

/// One stream's inbound half, between its [`InboxSource`] and its subscription.
#[derive(Debug, Default)]
pub(super) struct Inbox {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    items: VecDeque<Payload>,
    /// Sum of the items' lengths.
    bytes: usize,
    /// How it ended; taken by the caller once.
    end: Option<Result<(), CallError>>,
    /// Credit that the caller granted and the connection has not passed on.
    demand: u32,
    /// The caller wants no more.
    cancelled: bool,
    reader: Option<Waker>,
    source: Option<Waker>,
}

/// What the caller wants of the connection.
enum Wish {
    More(u32),
    Cancel,
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller takes everything that is there: `true` when `run` has items now, `false` when the
    /// stream completed.
    pub(super) fn poll_run(
        &self,
        cx: &Context<'_>,
        run: &mut VecDeque<Payload>,
    ) -> Poll<Result<bool, CallError>> {
        let mut state = self.lock();
        if !state.items.is_empty() {
            state.bytes = 0;
            std::mem::swap(&mut state.items, run);
            return Poll::Ready(Ok(true));
        }
        if let Some(end) = state.end.take() {
            return Poll::Ready(end.map(|()| false));
        }
        match &mut state.reader {
            Some(reader) => reader.clone_from(cx.waker()),
            none @ None => *none = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// The caller grants more.
    pub(super) fn request(&self, n: u32) {
        let source = {
            let mut state = self.lock();
            state.demand = state.demand.saturating_add(n).min(UNBOUNDED);
            state.source.take()
        };
        wake(source);
    }

    /// The caller wants no more.
    pub(super) fn cancel(&self) {
        let (source, _unwanted) = {
            let mut state = self.lock();
            state.cancelled = true;
            (state.source.take(), std::mem::take(&mut state.items))
        };
        wake(source);
    }

    /// The connection hands over a run, empties it, and learns what the caller wants.
    fn publish(
        &self,
        run: &mut VecDeque<Payload>,
        end: Option<Result<(), StreamError>>,
        source: &Waker,
    ) -> Wish {
        let (reader, wish) = {
            let mut state = self.lock();
            if state.cancelled {
                return Wish::Cancel;
            }
            let news = !run.is_empty() || end.is_some();
            state.take_run(run);
            let mut wish = Wish::More(std::mem::take(&mut state.demand));
            if let Some(end) = end {
                state.end = Some(end.map_err(CallError::of_stream));
            } else if state.bytes > BYTES_MAX {
                let error = "the caller does not take the items that it asked for";
                state.end = Some(Err(CallError::Failed(StreamError::canceled(error))));
                wish = Wish::Cancel;
            }
            match &mut state.source {
                Some(known) => known.clone_from(source),
                none @ None => *none = Some(source.clone()),
            }
            (if news { state.reader.take() } else { None }, wish)
        };
        wake(reader);
        wish
    }

    /// The connection has let go of the stream without a word of how it ended.
    fn lose(&self) {
        let reader = {
            let mut state = self.lock();
            state.end = Some(Err(CallError::lost()));
            state.reader.take()
        };
        wake(reader);
    }
}

impl State {
    fn take_run(&mut self, run: &mut VecDeque<Payload>) {
        self.bytes += run.iter().map(Payload::len).sum::<usize>();
        if self.items.is_empty() {
            std::mem::swap(&mut self.items, run);
        } else if self.items.len() < SHARED_MAX {
            self.items.append(run);
        } else {
            self.items.extend(run.drain(..).map(|item| item.to_owned_memory()));
        }
    }
}

fn wake(waker: Option<Waker>) {
    if let Some(waker) = waker {
        waker.wake();
    }
}

/// The connection's end of an [`Inbox`].
#[derive(Debug)]
pub(super) struct InboxSource {
    inbox: Arc<Inbox>,
    run: VecDeque<Payload>,
    ended: bool,
}

impl InboxSource {
    pub(super) fn new(inbox: &Arc<Inbox>) -> Self {
        Self { inbox: Arc::clone(inbox), run: VecDeque::new(), ended: false }
    }

    /// Moves everything that came to the caller, and what the caller granted to the connection. All
    /// of it at once: what a turn of the connection reads bounds a run.
    fn exchange(&mut self, cx: &Context<'_>, input: &mut Input<'_>) {
        if self.ended {
            return;
        }
        let end = loop {
            match input.next() {
                Next::Item(item) => self.run.push_back(item),
                Next::Pending => break None,
                Next::Complete => break Some(Ok(())),
                Next::Failed(error) => break Some(Err(error)),
            }
        };
        self.ended = end.is_some();
        match self.inbox.publish(&mut self.run, end, cx.waker()) {
            Wish::More(n) => input.request(n),
            Wish::Cancel => {
                self.ended = true;
                input.cancel();
            }
        }
    }
}

impl Source for InboxSource {
    fn poll_fill(&mut self, _cx: &mut Context<'_>, _: Quota, _: &mut Items<'_>) -> Pause {
        Pause::Done
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) {
        self.exchange(cx, input);
    }
}

impl Drop for InboxSource {
    fn drop(&mut self) {
        if !self.ended {
            self.inbox.lose();
        }
    }
}
