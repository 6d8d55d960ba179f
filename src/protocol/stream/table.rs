//! The stream table: ids to slots, and who may open one more.

use std::collections::HashMap;

use super::super::{Interaction, StreamKey, Terminal};
use super::{Credit, Inbound, Outbound};
use crate::wire::StreamId;

/// Which end of a stream this side is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// We sent the request.
    Requester,
    /// The peer did.
    Responder,
}

/// One live stream. It is gone when both halves are done and everything was taken.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) id: StreamId,
    pub(crate) side: Side,
    pub(crate) interaction: Interaction,
    pub(crate) outbound: Outbound,
    pub(crate) inbound: Inbound,
    /// Credit that the application granted and no REQUEST_N carried yet.
    pub(crate) grant: Credit,
    /// How it ended, when not in good order.
    pub(crate) terminal: Option<Terminal>,
    /// The application knows of it: not so while a request is still in reassembly.
    pub(crate) announced: bool,
}

impl Stream {
    pub(crate) fn new(
        id: StreamId,
        side: Side,
        interaction: Interaction,
        outbound: Outbound,
        inbound: Inbound,
    ) -> Self {
        let announced = !matches!(inbound, Inbound::Opening(_));
        Self {
            id,
            side,
            interaction,
            outbound,
            inbound,
            grant: Credit::NONE,
            terminal: None,
            announced,
        }
    }
}

/// Live streams by key and by id. An id that is not live is free, whatever happened to it before
/// (R-SID-5): there are no tombstones.
#[derive(Debug, Default)]
pub(crate) struct Table {
    slots: Vec<Slot>,
    free: Vec<u32>,
    by_id: HashMap<StreamId, StreamKey>,
    responders: usize,
}

#[derive(Debug)]
struct Slot {
    generation: u32,
    stream: Option<Stream>,
}

impl Table {
    /// Adds a stream whose id is not live. `None` when every slot number is used up.
    pub(crate) fn insert(&mut self, stream: Stream) -> Option<StreamKey> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                let index = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: 0, stream: None });
                index
            }
        };
        let slot = self.slots.get_mut(index as usize)?;
        let key = StreamKey::new(index, slot.generation);
        self.by_id.insert(stream.id, key);
        self.responders += usize::from(stream.side == Side::Responder);
        slot.stream = Some(stream);
        Some(key)
    }

    pub(crate) fn key_of(&self, id: StreamId) -> Option<StreamKey> {
        self.by_id.get(&id).copied()
    }

    pub(crate) fn get(&self, key: StreamKey) -> Option<&Stream> {
        let slot = self.slots.get(key.slot())?;
        slot.stream.as_ref().filter(|_| slot.generation == key.generation())
    }

    pub(crate) fn get_mut(&mut self, key: StreamKey) -> Option<&mut Stream> {
        let slot = self.slots.get_mut(key.slot())?;
        slot.stream.as_mut().filter(|_| slot.generation == key.generation())
    }

    /// Frees the id while the application still takes what is left (R-RR-8).
    pub(crate) fn free_id(&mut self, key: StreamKey) {
        let Some(id) = self.get(key).map(|stream| stream.id) else { return };
        if self.key_of(id) == Some(key) {
            self.by_id.remove(&id);
        }
    }

    pub(crate) fn remove(&mut self, key: StreamKey) -> Option<Stream> {
        self.free_id(key);
        let slot = self.slots.get_mut(key.slot())?;
        if slot.generation != key.generation() {
            return None;
        }
        let stream = slot.stream.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        self.free.push(key.index());
        self.responders -= usize::from(stream.side == Side::Responder);
        if self.by_id.is_empty() && self.free.len() == self.slots.len() {
            self.give_memory_back();
        }
        Some(stream)
    }

    /// Streams that the peer opened and that still cost something.
    pub(crate) const fn responders(&self) -> usize {
        self.responders
    }

    /// Streams of both sides whose ids are in use.
    pub(crate) fn live_ids(&self) -> usize {
        self.by_id.len()
    }

    /// Every key, in slot order.
    pub(crate) fn keys(&self) -> impl Iterator<Item = StreamKey> + '_ {
        self.slots.iter().zip(0u32..).filter_map(|(slot, index)| {
            slot.stream.as_ref().map(|_| StreamKey::new(index, slot.generation))
        })
    }

    /// An idle connection that once had many streams keeps no table for them. Generations start
    /// again; a stale key then finds a stream with nothing to do, which does no harm.
    fn give_memory_back(&mut self) {
        const KEPT: usize = 64;
        if self.slots.len() > KEPT {
            *self = Self::default();
        }
    }
}
