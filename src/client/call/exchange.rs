//! The interaction itself, on an open connection.

use std::io::Write;
use std::time::Duration;

use bytes::Bytes;

use super::super::{CallArgs, CallError, CallInteraction, Client, Sender, Subscription};
use super::data::{Lines, Source};
use super::failure::Failure;
use super::printer::Printer;
use crate::wire::Payload;

/// Items to ask for each time with `--follow` alone.
const FOLLOW_N: u32 = 10;
/// Without `-n` and `--follow`, items until the end: this many may be on their way.
const WINDOW: u32 = 256;
/// Fire-and-forget and METADATA_PUSH have no answer. A SETUP that is refused is reported if the
/// refusal comes within this time.
const REFUSAL_TIME: Duration = Duration::from_millis(100);

/// How credit is given and when it is enough.
#[derive(Clone, Copy, Debug)]
enum Plan {
    /// So many, then CANCEL.
    Take(u32),
    /// So many, then as many again.
    Follow(u32),
    /// Until the end, by a window.
    All,
}

impl Plan {
    fn of(args: &CallArgs) -> Self {
        match (args.n, args.follow) {
            (n, true) => Self::Follow(n.unwrap_or(FOLLOW_N)),
            (Some(n), false) => Self::Take(n),
            (None, false) => Self::All,
        }
    }

    const fn initial_n(self) -> u32 {
        match self {
            Self::Take(n) | Self::Follow(n) => n,
            Self::All => WINDOW,
        }
    }
}

/// One run of `tidegate call`.
pub(super) struct Exchange<'a, W> {
    pub(super) client: &'a Client,
    pub(super) args: &'a CallArgs,
    pub(super) printer: &'a mut Printer<W>,
}

impl<W: Write> Exchange<'_, W> {
    pub(super) async fn run(&mut self, source: &mut Source) -> Result<(), Failure> {
        let first = match source {
            Source::Item(item) => item.clone(),
            Source::Lines(lines) => self.first_line(lines).await?,
        };
        let initial_n = Plan::of(self.args).initial_n();
        match self.args.interaction {
            CallInteraction::Request => {
                let response = self.client.request_payload(self.payload(first)?).await?;
                self.printer.item(&response)
            }
            CallInteraction::Stream => {
                let payload = self.payload(first)?;
                let items = self.client.stream_payload(payload, initial_n).await?;
                self.take(items).await
            }
            CallInteraction::Channel => {
                let payload = self.payload(first)?;
                match source {
                    Source::Item(_) => {
                        let items = self.client.single_item_channel(payload, initial_n).await?;
                        self.take(items).await
                    }
                    Source::Lines(lines) => {
                        let channel = self.client.channel_payload(payload, initial_n).await?;
                        self.converse(lines, channel).await
                    }
                }
            }
            CallInteraction::Fnf => {
                self.client.fire_and_forget_payload(self.payload(first)?).await?;
                self.await_refusal().await
            }
            CallInteraction::Push => {
                let route = self.client.metadata(&self.args.route);
                let metadata =
                    if first.is_empty() { route } else { route.entry(&self.args.mime, &first) };
                self.client.metadata_push(metadata.finish().map_err(CallError::from)?).await?;
                self.await_refusal().await
            }
        }
    }

    /// A channel begins with an item (R-CHN-13).
    async fn first_line(&self, lines: &mut Lines) -> Result<Bytes, Failure> {
        tokio::select! {
            line = lines.next() => line?
                .ok_or_else(|| Failure::Usage("standard input has no line to send".into())),
            cause = self.client.closed() => Err(Failure::Connection(cause.to_string())),
        }
    }

    fn payload(&self, data: Bytes) -> Result<Payload, CallError> {
        let metadata = self.client.metadata(&self.args.route).data_mime(&self.args.mime);
        Ok(Payload::with_metadata(metadata.finish()?, data))
    }

    async fn await_refusal(&self) -> Result<(), Failure> {
        match tokio::time::timeout(REFUSAL_TIME, self.client.closed()).await {
            Ok(cause) => Err(Failure::Connection(cause.to_string())),
            Err(_) => Ok(()),
        }
    }

    /// Sends lines and takes items at the same time; the items decide when it is over.
    async fn converse(
        &mut self,
        lines: &mut Lines,
        (sender, items): (Sender, Subscription),
    ) -> Result<(), Failure> {
        let taking = self.take(items);
        tokio::pin!(taking);
        tokio::select! {
            taken = &mut taking => taken,
            sent = send_lines(lines, sender) => {
                sent?;
                taking.await
            }
        }
    }

    async fn take(&mut self, mut items: Subscription) -> Result<(), Failure> {
        let plan = Plan::of(self.args);
        let mut taken = 0;
        while let Some(item) = items.next().await {
            self.printer.item(&item?)?;
            taken += 1;
            match plan {
                Plan::Take(n) if taken == n => {
                    return self.wait(&mut items).await.map(|_| ());
                }
                Plan::Follow(n) if taken == n => {
                    if self.wait(&mut items).await? {
                        return Ok(());
                    }
                    taken = 0;
                    items.request(n);
                }
                Plan::All if taken == WINDOW / 2 => {
                    taken = 0;
                    items.request(WINDOW / 2);
                }
                Plan::Take(_) | Plan::Follow(_) | Plan::All => {}
            }
        }
        Ok(())
    }

    /// With `--wait`: shows that no more come. Whether the stream completed meanwhile.
    async fn wait(&self, items: &mut Subscription) -> Result<bool, Failure> {
        let Some(time) = self.args.wait else { return Ok(false) };
        match tokio::time::timeout(time, items.next()).await {
            Ok(Some(Ok(_))) => Err(Failure::Stream("an item came without credit".into())),
            Ok(Some(Err(error))) => Err(error.into()),
            Ok(None) => Ok(true),
            Err(_) => {
                let line = format!("no more came in {} s: no credit", time.as_secs_f64());
                let _ = writeln!(std::io::stderr(), "tidegate: {line}");
                Ok(false)
            }
        }
    }
}

/// Sends until the input ends or the responder takes no more; its items may go on in either case.
async fn send_lines(lines: &mut Lines, mut sender: Sender) -> Result<(), Failure> {
    while let Some(item) = lines.next().await? {
        if sender.send(Payload::new(item)).await.is_err() {
            return Ok(());
        }
    }
    sender.complete();
    Ok(())
}
