//! The streams of one connection: their two halves, credit and fragments.

mod credit;
mod fragment;
mod inbound;
mod table;

pub(super) use credit::{Credit, UNBOUNDED};
pub(super) use fragment::{Fault, Opening, Outgoing, Reassembly};
pub(super) use inbound::{Flow, Inbound};
pub(super) use table::{Side, Stream, Table};

use super::StreamError;
use crate::wire::Payload;

/// Our half of a stream.
///
/// ```text
///   Open(credit) ── C, ERROR or CANCEL ──▶ Done
///      ├─ a response that waits for room ─▶ Finished ── written ──▶ Done
///      └─ its last item goes in fragments ─▶ Sending ── last one written ──▶ Done
/// ```
#[derive(Debug)]
pub(super) enum Outbound {
    /// Items may go while there is credit.
    Open(Credit),
    /// The response is there and waits for room.
    Finished(Result<Option<Payload>, StreamError>),
    /// The response, or the last item of a source, is on its way in fragments.
    Sending,
    /// Nothing more is sent.
    Done,
}
