//! Every bound of the routes in one place.

use super::Window;

/// Bounds of what requests may ask for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Entries of composite metadata, and tags of a route (R-LIM-19); 1 to 4,096.
    pub metadata_entries_max: usize,
    /// Fire-and-forget requests a second of one connection without a lease; one second's worth may
    /// come at once (R-FNF-5). What exceeds it is shed and counted.
    pub fnf_per_second: u32,
    /// Items that a channel's client may have under way; 1 to 65,536 (R-LIM-14).
    pub channel_window: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            metadata_entries_max: 256,
            fnf_per_second: 20_000,
            channel_window: Window::DEFAULT,
        }
    }
}
