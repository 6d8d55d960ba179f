//! What the driver serves: echoes, endless and paced streams, answers that come later or never.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use tidegate::protocol::{
    Handler, Input, Interaction, Items, Next, Pause, Quota, Reply, Request, Source, StreamError,
};
use tidegate::wire::Payload;

/// Items that an echoing channel asks for at once, and so the most that it holds.
const WINDOW: u32 = 4;

pub(super) struct Service;

impl Handler for Service {
    fn request(&mut self, request: Request) -> Reply {
        let data = request.payload.data.clone();
        match (request.interaction, &data[..]) {
            (_, b"refuse") => Reply::Refused(StreamError::rejected("as asked")),
            (Interaction::RequestResponse, b"never") => {
                Reply::Response(Box::pin(std::future::pending()))
            }
            (Interaction::RequestResponse, b"later") => Reply::Response(Box::pin(async {
                Later(3).await;
                Ok(Some(request.payload))
            })),
            (Interaction::RequestResponse, b"large") => {
                Reply::Ready(Ok(Some(Payload::new(vec![7; 3_000]))))
            }
            (Interaction::RequestResponse, _) => Reply::Ready(Ok(Some(request.payload))),
            (Interaction::FireAndForget, b"later") => Reply::Effect(Some(Box::pin(Later(3)))),
            (Interaction::FireAndForget, _) => Reply::Effect(None),
            (Interaction::RequestStream, b"three") => Reply::Source(Box::new(Count(0, 3))),
            (Interaction::RequestStream, b"paced") => Reply::Source(Box::new(Paced(None))),
            (Interaction::RequestStream, _) => Reply::Source(Box::new(Count(0, u64::MAX))),
            (Interaction::RequestChannel, _) => Reply::Source(Box::new(Echo::new(request))),
        }
    }
}

/// Ready after so many polls.
struct Later(u8);

impl Future for Later {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Items from a number to a limit; every eighth is larger than the write budget.
struct Count(u64, u64);

impl Source for Count {
    fn poll_fill(&mut self, _: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        while self.0 < self.1 {
            let len = if self.0 % 8 == 7 { 2_500 } else { 50 };
            if let Some(pause) = items.push(&Payload::new(vec![1; len])).pause() {
                return pause;
            }
            self.0 += 1;
        }
        Pause::Done
    }
}

/// One item a second.
struct Paced(Option<Instant>);

impl Source for Paced {
    fn poll_fill(&mut self, _: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        let next = self.0.unwrap_or(quota.now);
        if quota.now < next {
            return Pause::Paced(next);
        }
        if let Some(pause) = items.push(&Payload::new("tick")).pause() {
            return pause;
        }
        let next = quota.now + Duration::from_secs(1);
        self.0 = Some(next);
        Pause::Paced(next)
    }
}

/// Sends back what it gets.
struct Echo {
    items: VecDeque<Payload>,
    /// Items to ask for.
    owed: u32,
    ended: bool,
}

impl Echo {
    fn new(request: Request) -> Self {
        Self { items: [request.payload].into(), owed: WINDOW, ended: request.complete }
    }
}

impl Source for Echo {
    fn poll_drain(&mut self, _: &mut Context<'_>, input: &mut Input<'_>) {
        input.request(std::mem::take(&mut self.owed));
        loop {
            match input.next() {
                Next::Item(item) => self.items.push_back(item),
                Next::Pending => break,
                Next::Complete | Next::Failed(_) => self.ended = true,
            }
        }
        assert!(self.items.len() <= WINDOW as usize + 1, "more items than were granted");
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>, _: Quota, items: &mut Items<'_>) -> Pause {
        while let Some(item) = self.items.front() {
            if let Some(pause) = items.push(item).pause() {
                return pause;
            }
            self.items.pop_front();
            self.owed += 1;
            cx.waker().wake_by_ref();
        }
        if self.ended { Pause::Done } else { Pause::CaughtUp }
    }
}
