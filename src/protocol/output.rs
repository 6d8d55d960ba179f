//! The bytes that wait for the socket: the one place where frames are encoded.
//!
//! Invariants: items are written only while [`Output::room`] is above zero, so what they add stays
//! within the write budget. Answers to the peer's own frames are always written; the driver stops
//! reading at [`Output::is_flooded`], so they add at most one budget and one frame. An empty output
//! owns no memory beyond what the driver lent for a turn.
//!
//! Resume positions (R-RES-5) would be counted here: every frame passes [`Output::frame`],
//! or [`Output::item`].

use bytes::{Buf, BytesMut};

use crate::wire::{
    Body, Frame, FrameType, Framing, PayloadFlags, StreamId, payload_header_len, put_payload_header,
};

#[derive(Debug)]
pub(super) struct Output {
    buffer: BytesMut,
    framing: Framing,
    budget: usize,
    frames: [u64; FrameType::COUNT],
}

impl Output {
    pub(super) fn new(framing: Framing, budget: usize) -> Self {
        Self { buffer: BytesMut::new(), framing, budget, frames: [0; FrameType::COUNT] }
    }

    /// Bytes that items may still add.
    pub(super) fn room(&self) -> usize {
        self.budget.saturating_sub(self.buffer.len())
    }

    /// Whether answers to the peer's own frames have filled what is set aside for them (R-KA-11).
    pub(super) fn is_flooded(&self) -> bool {
        self.buffer.len() >= self.budget.saturating_mul(2)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    pub(super) fn budget(&self) -> usize {
        self.budget
    }

    pub(super) fn frame_len_max(&self) -> usize {
        self.framing.frame_len_max()
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer
    }

    pub(super) fn capacity(&self) -> usize {
        self.buffer.capacity()
    }

    pub(super) fn advance(&mut self, taken: usize) {
        self.buffer.advance(taken);
    }

    /// Swaps memory with the driver: it lends a buffer for a turn and takes it back when drained.
    pub(super) fn lend(&mut self, spare: &mut BytesMut) {
        if self.buffer.is_empty() {
            std::mem::swap(&mut self.buffer, spare);
            self.buffer.clear();
        }
    }

    /// Any frame, as it is.
    pub(super) fn frame(&mut self, frame: &Frame) {
        self.count(frame.frame_type());
        self.framing.encode(&mut self.buffer, frame.encoded_len(), |out| frame.encode(out));
    }

    /// One frame that has no payload fields worth naming at the call.
    pub(super) fn control(&mut self, stream_id: StreamId, body: Body) {
        self.frame(&Frame { stream_id, body });
    }

    /// Bytes that a PAYLOAD frame with this content takes, framing included.
    pub(super) fn item_len(&self, metadata_len: Option<usize>, data_len: usize) -> usize {
        let frame_len =
            payload_header_len(metadata_len.is_some()) + metadata_len.unwrap_or(0) + data_len;
        frame_len + self.framing.overhead(frame_len)
    }

    /// One PAYLOAD frame whose data is the join of `data`.
    pub(super) fn item(
        &mut self,
        stream_id: StreamId,
        flags: PayloadFlags,
        metadata: Option<&[u8]>,
        data: &[&[u8]],
    ) {
        self.count(FrameType::Payload);
        let metadata_len = metadata.map(<[u8]>::len);
        let data_len: usize = data.iter().map(|part| part.len()).sum();
        let frame_len =
            payload_header_len(metadata.is_some()) + metadata_len.unwrap_or(0) + data_len;
        self.framing.encode(&mut self.buffer, frame_len, |out| {
            put_payload_header(out, stream_id, flags, metadata_len);
            if let Some(metadata) = metadata {
                out.extend_from_slice(metadata);
            }
            for part in data {
                out.extend_from_slice(part);
            }
        });
    }

    /// WebSocket answers outside RSocket; nothing on a byte stream.
    pub(super) fn pong(&mut self, data: &[u8]) {
        self.framing.pong(&mut self.buffer, data);
    }

    /// The WebSocket close frame; nothing on a byte stream.
    pub(super) fn close(&mut self, code: u16) {
        self.framing.close(&mut self.buffer, code);
    }

    pub(super) fn take_frame_counts(&mut self) -> [u64; FrameType::COUNT] {
        std::mem::replace(&mut self.frames, [0; FrameType::COUNT])
    }

    fn count(&mut self, frame_type: FrameType) {
        if let Some(count) = self.frames.get_mut(frame_type.index()) {
            *count += 1;
        }
    }
}
