//! `debug.count`: numbered items, as fast as the reader takes them.

use std::task::Context;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::super::{Call, Encoding, RouteError};
use crate::protocol::{Items, Pause, Pushed, Quota, Source};

/// The options of `debug.count`.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Options {
    /// The first `seq`.
    from: u64,
    /// How many items; without it the stream is endless.
    limit: Option<u64>,
    /// Bytes of an item, at most [`SIZE_MAX`]; one that needs more for its number alone, or has no
    /// room for the field `pad`, is as short as it can be.
    size: usize,
    /// At most one item in this time.
    every_ms: u64,
}

/// The largest `seq`: numbers stay below 2^53.
const SEQ_MAX: u64 = (1 << 53) - 1;
/// The largest item: what a client takes by default.
const SIZE_MAX: usize = 16 << 20;
const EVERY_MS_MAX: u64 = 3_600_000;

/// A number and the options; an item is put together from a short head of its own and shared
/// padding, so a stream holds no item, whatever its size.
pub(super) struct Count {
    item: Item,
    left: Option<u64>,
    every: Option<Duration>,
    due: Option<Instant>,
}

impl Count {
    pub(super) fn for_call(call: &Call) -> Result<Self, RouteError> {
        let Options { from, limit, size, every_ms } = call.decode_raw_as_json()?;
        if size > SIZE_MAX {
            let text = format!("size is at most {SIZE_MAX}, not {size}");
            return Err(RouteError::Data(text.into()));
        }
        if from > SEQ_MAX || every_ms > EVERY_MS_MAX {
            let text = format!("from is at most {SEQ_MAX}, every_ms at most {EVERY_MS_MAX}");
            return Err(RouteError::Data(text.into()));
        }
        let item = Item::new(call.media.typed_or_json()?, from, size);
        let every = (every_ms > 0).then(|| Duration::from_millis(every_ms));
        Ok(Self { item, left: limit, every, due: None })
    }

    /// `count` short items from 0.
    pub(super) fn short(encoding: Encoding, count: u64) -> Self {
        Self { item: Item::new(encoding, 0, 0), left: Some(count), every: None, due: None }
    }

    /// An item was taken.
    fn step(&mut self, now: Instant) {
        self.left = self.left.map(|left| left - 1);
        self.item.step();
        if let Some(every) = self.every {
            // In step with the first item, unless the reader fell behind.
            let next = self.due.map(|due| due + every).filter(|next| now < *next);
            self.due = Some(next.unwrap_or(now + every));
        }
    }
}

impl Source for Count {
    fn poll_fill(&mut self, _: &mut Context<'_>, quota: Quota, items: &mut Items<'_>) -> Pause {
        loop {
            if self.left == Some(0) || self.item.seq > SEQ_MAX {
                return Pause::Done;
            }
            if let Some(due) = self.due.filter(|due| quota.now < *due) {
                return Pause::Paced(due);
            }
            if let Some(pause) = self.item.push(items).pause() {
                return pause;
            }
            self.step(quota.now);
        }
    }
}

/// What every item is padded with.
static PAD: [u8; 64 << 10] = [b'x'; 64 << 10];

/// The longest head: a number of 16 digits and the padding's field.
const HEAD_LEN_MAX: usize = 32;

/// One item: `{"seq": n, "pad": "xxx…"}`, or `{"seq": n}` when `size` has no room for the padding.
///
/// From one item to the next only the number changes, and it is written over the last one: digits
/// count up in place.
struct Item {
    encoding: Encoding,
    seq: u64,
    size: usize,
    /// Everything before the padding.
    head: Vec<u8>,
    /// Where the number ends in `head`.
    seq_end: usize,
    pad_len: usize,
    tail: &'static [u8],
}

impl Item {
    fn new(encoding: Encoding, seq: u64, size: usize) -> Self {
        let head = Vec::with_capacity(HEAD_LEN_MAX);
        let mut item = Self { encoding, seq, size, head, seq_end: 0, pad_len: 0, tail: b"" };
        item.rebuild();
        item
    }

    fn push(&self, items: &mut Items<'_>) -> Pushed {
        match PAD.get(..self.pad_len) {
            Some(pad) => items.push_parts(None, &[&self.head, pad, self.tail]),
            None => {
                let pads = self.pad_len / PAD.len();
                let rest = PAD.get(..self.pad_len % PAD.len()).unwrap_or_default();
                let mut parts = vec![self.head.as_slice()];
                parts.extend(std::iter::repeat_n(&PAD[..], pads));
                parts.extend([rest, self.tail]);
                items.push_parts(None, &parts)
            }
        }
    }

    fn step(&mut self) {
        self.seq += 1;
        let is_in_place = match self.encoding {
            Encoding::Json => self.count_up(),
            Encoding::MessagePack => self.write_over(),
        };
        if !is_in_place {
            self.rebuild();
        }
    }

    /// JSON: adds one to the digits; `false` when they become one more.
    fn count_up(&mut self) -> bool {
        let digits = self.head.get_mut(JSON_SEQ.len()..self.seq_end).unwrap_or_default();
        for digit in digits.iter_mut().rev() {
            if *digit != b'9' {
                *digit += 1;
                return true;
            }
            *digit = b'0';
        }
        false
    }

    /// MessagePack: the number is 4 bytes wide, and 8 from 2^32 on; `false` when it widens.
    fn write_over(&mut self) -> bool {
        let Ok(seq) = u32::try_from(self.seq) else { return self.write_over_wide() };
        let place = self.seq_end.checked_sub(4).and_then(|start| self.head.get_mut(start..));
        let Some(place) = place.and_then(|place| place.get_mut(..4)) else { return false };
        place.copy_from_slice(&seq.to_be_bytes());
        true
    }

    fn write_over_wide(&mut self) -> bool {
        if self.seq == 1 << 32 {
            return false;
        }
        let place = self.seq_end.checked_sub(8).and_then(|start| self.head.get_mut(start..));
        let Some(place) = place.and_then(|place| place.get_mut(..8)) else { return false };
        place.copy_from_slice(&self.seq.to_be_bytes());
        true
    }

    fn rebuild(&mut self) {
        self.head.clear();
        match self.encoding {
            Encoding::Json => self.rebuild_json(),
            Encoding::MessagePack => self.rebuild_msgpack(),
        }
    }

    fn rebuild_json(&mut self) {
        const PAD: &[u8] = br#","pad":""#;
        const PAD_END: &[u8] = br#""}"#;
        self.head.extend_from_slice(JSON_SEQ);
        self.head.extend_from_slice(self.seq.to_string().as_bytes());
        self.seq_end = self.head.len();
        let room = self.size.checked_sub(self.seq_end + PAD.len() + PAD_END.len());
        (self.pad_len, self.tail) =
            (room.unwrap_or(0), if room.is_some() { PAD_END } else { b"}" });
        if room.is_some() {
            self.head.extend_from_slice(PAD);
        }
    }

    fn rebuild_msgpack(&mut self) {
        const PAD: &[u8] = b"\xA3pad";
        self.head.extend_from_slice(b"\x81\xA3seq");
        match u32::try_from(self.seq) {
            Ok(seq) => {
                self.head.push(0xCE);
                self.head.extend_from_slice(&seq.to_be_bytes());
            }
            Err(_) => {
                self.head.push(0xCF);
                self.head.extend_from_slice(&self.seq.to_be_bytes());
            }
        }
        self.seq_end = self.head.len();
        self.pad_len = 0;
        if let Some(room) = self.size.checked_sub(self.seq_end + PAD.len() + 1) {
            if let Some(map) = self.head.first_mut() {
                *map = 0x82;
            }
            self.head.extend_from_slice(PAD);
            self.pad_len = put_str_header(&mut self.head, room + 1);
        }
    }
}

const JSON_SEQ: &[u8] = br#"{"seq":"#;

/// Appends the header of a MessagePack string that takes `room` bytes with it, at least one;
/// returns the string's length.
fn put_str_header(head: &mut Vec<u8>, room: usize) -> usize {
    let len = |header: usize| room.saturating_sub(header);
    if let Some(short) = u8::try_from(len(1)).ok().filter(|len| *len < 32) {
        head.push(0xA0 | short);
        len(1)
    } else if let Ok(byte) = u8::try_from(len(2)) {
        head.extend_from_slice(&[0xD9, byte]);
        len(2)
    } else if let Ok(word) = u16::try_from(len(3)) {
        head.push(0xDA);
        head.extend_from_slice(&word.to_be_bytes());
        len(3)
    } else {
        head.push(0xDB);
        head.extend_from_slice(&u32::try_from(len(5)).unwrap_or(u32::MAX).to_be_bytes());
        len(5)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Read {
        seq: u64,
        pad: Option<String>,
    }

    /// The item as it goes out.
    fn bytes(item: &Item) -> Vec<u8> {
        [&item.head[..], &vec![b'x'; item.pad_len], item.tail].concat()
    }

    fn check(item: &Item, seq: u64, size: usize) {
        let bytes = bytes(item);
        let read: Read = item.encoding.decode(&bytes).unwrap();
        assert_eq!(read.seq, seq);
        // No number and the field `pad` need 40 bytes.
        let is_short = read.pad.is_none() && size < 40;
        assert!(bytes.len() == size || is_short, "seq {seq}, size {size}");
        assert!(item.head.len() <= HEAD_LEN_MAX);
    }

    #[test]
    fn items_are_numbered_and_of_the_size_asked_for() {
        let starts = [0, 7, 95, 65_530, (1 << 32) - 5, SEQ_MAX - 9];
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            for size in [0, 18, 19, 40, 41, 128, 300, 70_000] {
                for start in starts {
                    let mut item = Item::new(encoding, start, size);
                    for seq in start..start + 10 {
                        check(&item, seq, size);
                        item.step();
                    }
                }
            }
        }
    }

    #[test]
    fn every_size_with_room_for_padding_is_met_exactly() {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            for size in (1..400).chain(65_500..65_600) {
                check(&Item::new(encoding, 3, size), 3, size);
                check(&Item::new(encoding, SEQ_MAX, size), SEQ_MAX, size);
            }
        }
    }

    #[test]
    fn json_counts_as_decimal() {
        let mut item = Item::new(Encoding::Json, 0, 0);
        for seq in 0..2_000 {
            assert_eq!(bytes(&item), format!(r#"{{"seq":{seq}}}"#).into_bytes());
            item.step();
        }
    }
}
