//! Channels that show what the protocol does.

use std::collections::VecDeque;
use std::task::Context;

use super::super::{Call, Encoding, Window};
use super::count::Count;
use crate::protocol::{Input, Items, Next, Pause, Quota, Source};
use crate::wire::Payload;

/// `debug.echo`: each item back, with its metadata.
///
/// What the client sent and this has not sent back stays within the window, and all of it but a
/// little with the connection, which bounds it in bytes too. An item is released when it has been
/// sent back, so a reader who grants no credit stops its own writer, and any credit above zero on
/// both sides makes progress (R-CHN-17).
pub(super) struct Echo {
    held: VecDeque<Payload>,
    held_bytes: usize,
    window: Window,
    is_ended: bool,
}

/// Taken ahead of the reader: a run's worth. One item may be larger.
const HELD_BYTES_MAX: usize = 32 << 10;

impl Echo {
    pub(super) fn new(call: Call, window: u32) -> Self {
        let held_bytes = call.payload.len();
        let held = VecDeque::from([call.payload]);
        Self { held, held_bytes, window: Window::new(window), is_ended: call.complete }
    }
}

impl Source for Echo {
    fn poll_fill(&mut self, cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        let mut stop = None;
        while let Some(item) = self.held.front() {
            stop = items.push(item).pause();
            if stop.is_some() {
                break;
            }
            self.held_bytes -= item.len();
            self.held.pop_front();
            self.window.release();
        }
        if self.held.is_empty() && self.is_ended {
            return Pause::Done;
        }
        // A congested source is polled again, drained first; the others have to be woken to grant
        // what they released and to take what waits.
        let pause = stop.unwrap_or(Pause::CaughtUp);
        if self.window.is_owing() && !self.is_ended && !matches!(pause, Pause::Congested) {
            cx.waker().wake_by_ref();
        }
        pause
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        self.window.settle(input);
        while self.held_bytes < HELD_BYTES_MAX {
            match input.next() {
                Next::Item(item) => {
                    self.held_bytes += item.len();
                    self.held.push_back(item);
                }
                Next::Pending => return,
                Next::Complete | Next::Failed(_) => {
                    self.is_ended = true;
                    return;
                }
            }
        }
    }
}

/// `debug.first`: its first item back, then C; it goes on taking (R-CHN-18).
pub(super) struct First {
    item: Payload,
    is_sent: bool,
    window: Window,
}

impl First {
    pub(super) fn new(call: Call, window: u32) -> Self {
        Self { item: call.payload, is_sent: false, window: Window::new(window) }
    }
}

impl Source for First {
    fn poll_fill(&mut self, cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        if !self.is_sent {
            if let Some(pause) = items.push(&self.item).pause() {
                return pause;
            }
            self.item = Payload::default();
            self.is_sent = true;
            self.window.release();
            cx.waker().wake_by_ref();
        }
        Pause::Done
    }

    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        self.window.settle(input);
        while let Next::Item(_) = input.next() {
            self.window.release();
        }
        self.window.settle(input);
    }
}

/// `debug.drop`: CANCEL for the client's half, three items in ours (R-CHN-12).
pub(super) struct Drop(Count);

impl Drop {
    pub(super) fn for_call(call: &Call) -> Self {
        let encoding = call.media.typed_or_json().unwrap_or(Encoding::Json);
        Self(Count::short(encoding, 3))
    }
}

impl Source for Drop {
    fn poll_fill(&mut self, cx: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        self.0.poll_fill(cx, quota, items)
    }
    // The default `poll_drain` cancels.
}
