//! The credit that a channel's handler grants its client.

use crate::protocol::Input;

/// Keeps a channel's inbound credit at a constant window: as much as the handler takes, the client
/// may send again, so a slow handler slows its client through REQUEST_N alone.
///
/// The item that opened the channel needed no credit, yet it counts: the first grant is one less
/// than the window, and nothing when the window is 1 (R-CHN-5). So the client never has more than
/// `window` items under way or unread.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// Units to grant when the input is next at hand.
    owed: u32,
}

impl Window {
    /// Items under way, unless configured otherwise.
    pub const DEFAULT: u32 = 64;

    /// A window of `items`, at least 1 and at most 2^31-1.
    #[must_use]
    pub const fn new(items: u32) -> Self {
        let items = if items > MAX { MAX } else { items };
        Self { owed: items.saturating_sub(1) }
    }

    /// The handler is done with one item, the opening one included: the client may send one more.
    pub const fn release(&mut self) {
        self.owed = self.owed.saturating_add(1);
    }

    /// Whether [`Window::settle`] has something to grant.
    #[must_use]
    pub const fn is_owing(&self) -> bool {
        self.owed > 0
    }

    /// Grants what was released since the last time. Call it from `poll_drain`, the first time
    /// before anything else.
    pub fn settle(&mut self, input: &mut Input<'_>) {
        input.request(self.take());
    }

    const fn take(&mut self) -> u32 {
        let owed = self.owed;
        self.owed = 0;
        owed
    }
}

impl Default for Window {
    fn default() -> Self {
        Self::new(Self::DEFAULT)
    }
}

const MAX: u32 = 0x7FFF_FFFF;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_chn_5_the_opening_item_counts_against_the_window() {
        let mut window = Window::new(64);
        assert_eq!(window.take(), 63);
        assert_eq!(window.take(), 0);
        window.release();
        assert!(window.is_owing());
        assert_eq!(window.take(), 1);
    }

    #[test]
    fn r_chn_5_a_window_of_one_grants_nothing_until_the_opening_item_is_done() {
        for items in [0, 1] {
            let mut window = Window::new(items);
            assert_eq!(window.take(), 0);
            window.release();
            assert_eq!(window.take(), 1);
        }
    }

    #[test]
    fn releases_add_up_and_never_exceed_what_was_taken() {
        let mut window = Window::new(3);
        let (mut granted, mut released) = (window.take(), 0);
        for _ in 0..10 {
            window.release();
            window.release();
            released += 2;
            granted += window.take();
            assert_eq!(granted, 2 + released);
        }
    }
}
