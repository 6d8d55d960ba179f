//! The one answer of a request.

use std::task::{Context, Poll};

use tokio::sync::oneshot;

use super::CallError;
use crate::protocol::{Input, Items, Next, Pause, Quota, Source};
use crate::wire::Payload;

/// Hands a response to its caller; a caller who has gone cancels it.
#[derive(Debug)]
pub(super) struct ResponseSource {
    answer: Option<oneshot::Sender<Result<Payload, CallError>>>,
}

impl ResponseSource {
    pub(super) fn new() -> (Self, oneshot::Receiver<Result<Payload, CallError>>) {
        let (answer, response) = oneshot::channel();
        (Self { answer: Some(answer) }, response)
    }
}

impl Source for ResponseSource {
    fn poll_fill(&mut self, _cx: &mut Context<'_>, _: Quota, _: &mut Items<'_>) -> Pause {
        Pause::Done
    }

    fn poll_drain(&mut self, cx: &mut Context<'_>, input: &mut Input<'_>) {
        let result = match input.next() {
            Next::Item(item) => Ok(item),
            // Completion alone is an empty response (R-RR-3).
            Next::Complete => Ok(Payload::default()),
            Next::Failed(error) => Err(CallError::of_stream(error)),
            Next::Pending => {
                let gone = self.answer.as_mut().map(|answer| answer.poll_closed(cx));
                if gone == Some(Poll::Ready(())) {
                    input.cancel();
                }
                return;
            }
        };
        if let Some(answer) = self.answer.take() {
            let _ = answer.send(result);
        }
        // Takes the end that follows the item.
        let _ = input.next();
    }
}

/// The source of a request that has no answer.
#[derive(Debug)]
pub(super) struct NoSource;

impl Source for NoSource {
    fn poll_fill(&mut self, _cx: &mut Context<'_>, _: Quota, _: &mut Items<'_>) -> Pause {
        Pause::Done
    }
}
