//! `debug.sink` as a channel: a handler that is as slow as its client wants.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::Context;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::{Sleep, sleep};

use super::super::{Call, RouteError, Window};
use crate::protocol::{Input, Items, Next, Pause, Quota, Source};

/// The options of `debug.sink`, in the first item of its channel.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// How long it is busy with an item; at most an hour.
    delay_ms: u64,
}

const DELAY_MS_MAX: u64 = 3_600_000;

/// Takes an item, is busy with it for a while, drops it, takes the next. It sends nothing and
/// completes when the client's half has ended and was taken. Its first item carries the options and
/// takes no time.
///
/// The time is a timer of its own, polled with the input: a pace of the outbound half says nothing
/// about the inbound one.
pub(super) struct Sink {
    delay: Duration,
    /// The first item still holds its unit of the window.
    is_opening: bool,
    busy: Option<Pin<Box<Sleep>>>,
    window: Window,
    is_ended: bool,
    sunk: Arc<AtomicU64>,
}

impl Sink {
    pub(super) fn for_call(
        call: &Call,
        window: u32,
        sunk: Arc<AtomicU64>,
    ) -> Result<Self, RouteError> {
        let Options { delay_ms } = call.decode_raw_as_json()?;
        if delay_ms > DELAY_MS_MAX {
            let text = format!("delay_ms is at most {DELAY_MS_MAX}, not {delay_ms}");
            return Err(RouteError::Data(text.into()));
        }
        let delay = Duration::from_millis(delay_ms);
        let window = Window::new(window);
        Ok(Self { delay, is_opening: true, busy: None, window, is_ended: call.complete, sunk })
    }

    /// Whether an item is still being worked on.
    fn is_busy(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(busy) = &mut self.busy else { return false };
        if busy.as_mut().poll(cx).is_pending() {
            return true;
        }
        self.busy = None;
        self.window.release();
        false
    }

    fn take(&mut self) {
        self.sunk.fetch_add(1, Ordering::Relaxed);
        if self.delay.is_zero() {
            self.window.release();
        } else {
            self.busy = Some(Box::pin(sleep(self.delay)));
        }
    }
}

impl Source for Sink {
    fn poll_fill(&mut self, cx: &mut Context<'_>, _: Quota, _: &mut Items<'_>) -> Pause {
        if self.is_ended {
            return Pause::Done;
        }
        if std::mem::take(&mut self.is_opening) {
            self.window.release();
            cx.waker().wake_by_ref();
        }
        Pause::CaughtUp
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) {
        while !self.is_busy(cx) {
            match input.next() {
                Next::Item(_) => self.take(),
                Next::Pending => break,
                Next::Complete | Next::Failed(_) => {
                    self.is_ended = true;
                    break;
                }
            }
        }
        self.window.settle(input);
    }
}
