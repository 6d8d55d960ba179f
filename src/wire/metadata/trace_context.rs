//! Zipkin trace context (conformance 5.6).
//!
//! ```text
//!   flags 1: 0x80 ids, 0x40 debug, 0x20 sampled, 0x10 not sampled, 0x08 wide, 0x04 parent
//!   with ids: trace id 16 when wide, else 8; span id 8; with parent: parent id 8
//! ```

use bytes::{Buf, BufMut, BytesMut};

const IDS: u8 = 0x80;
const DEBUG: u8 = 0x40;
const SAMPLED: u8 = 0x20;
const NOT_SAMPLED: u8 = 0x10;
const WIDE: u8 = 0x08;
const PARENT: u8 = 0x04;

/// What a caller decided about sampling; debug beats sampled beats not sampled (R-ZIP-2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sampling {
    /// Left open.
    Undecided,
    /// Do not sample.
    NotSampled,
    /// Sample.
    Sampled,
    /// Sample whatever the settings say.
    Debug,
}

/// The ids of a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceIds {
    /// 64 or 128 bits; unless `wide`, only the low 64 are sent.
    pub trace_id: u128,
    /// Whether the trace id was written with 128 bits.
    pub wide: bool,
    /// The caller's span.
    pub span_id: u64,
    /// The span above it.
    pub parent_id: Option<u64>,
}

/// One tracing entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    /// Whether to record.
    pub sampling: Sampling,
    /// Present unless only the decision is propagated.
    pub ids: Option<TraceIds>,
}

impl TraceContext {
    /// Decodes an entry; `None` when it is too short for its flags: tracing must not break calls
    /// (R-ZIP-4). Surplus bytes are passed over.
    #[must_use]
    pub fn decode(mut entry: &[u8]) -> Option<Self> {
        let flags = entry.try_get_u8().ok()?;
        let sampling = match flags {
            _ if flags & DEBUG != 0 => Sampling::Debug,
            _ if flags & SAMPLED != 0 => Sampling::Sampled,
            _ if flags & NOT_SAMPLED != 0 => Sampling::NotSampled,
            _ => Sampling::Undecided,
        };
        // Without ids the flags about them mean nothing (R-ZIP-3).
        let ids = if flags & IDS == 0 { None } else { Some(decode_ids(flags, entry)?) };
        Some(Self { sampling, ids })
    }

    /// Appends the entry's content.
    pub fn encode(&self, out: &mut BytesMut) {
        let sampling = match self.sampling {
            Sampling::Undecided => 0,
            Sampling::NotSampled => NOT_SAMPLED,
            Sampling::Sampled => SAMPLED,
            Sampling::Debug => DEBUG,
        };
        let Some(ids) = &self.ids else {
            out.put_u8(sampling);
            return;
        };
        let wide = if ids.wide { WIDE } else { 0 };
        let parent = if ids.parent_id.is_some() { PARENT } else { 0 };
        out.put_u8(IDS | sampling | wide | parent);
        let trace_id = ids.trace_id.to_be_bytes();
        let (high, low) = trace_id.split_at(8);
        if ids.wide {
            out.extend_from_slice(high);
        }
        out.extend_from_slice(low);
        out.put_u64(ids.span_id);
        if let Some(parent_id) = ids.parent_id {
            out.put_u64(parent_id);
        }
    }
}

fn decode_ids(flags: u8, mut rest: &[u8]) -> Option<TraceIds> {
    let wide = flags & WIDE != 0;
    let trace_id = if wide { rest.try_get_u128().ok()? } else { rest.try_get_u64().ok()?.into() };
    let span_id = rest.try_get_u64().ok()?;
    let parent_id = if flags & PARENT != 0 { Some(rest.try_get_u64().ok()?) } else { None };
    Some(TraceIds { trace_id, wide, span_id, parent_id })
}
