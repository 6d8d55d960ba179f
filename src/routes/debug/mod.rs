//! Routes for trying out a client or a network (`--debug-routes`): they show what the protocol
//! does and keep nothing.

mod channels;
mod count;
mod sink;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{Access, Call, RouteError, Routes};
use crate::wire::Payload;

/// Adds the `debug.*` routes; their channels have a window of `window` items (see
/// [`Window`](super::Window)).
///
/// - `debug.echo`, request/response and channel: data and metadata back verbatim.
/// - `debug.count`, stream: item n is an object whose `seq` is n, in the data MIME type, JSON when
///   that is raw. Options `from`, `limit` (endless without), `size` (bytes of an item, 0 for as
///   short as it can be, else at most 16 MiB), `every_ms`.
/// - `debug.sink`, fire-and-forget: counts and drops. Channel: takes one item per `delay_ms`, an
///   option of its first item, and counts those after the first.
/// - `debug.sink.count`, request/response: the count since the start, as decimal text.
/// - `debug.first`, channel: sends its first item back, completes, and goes on taking.
/// - `debug.drop`, channel: cancels the client's half at once and sends `seq` 0, 1 and 2.
pub(super) fn add(routes: Routes, window: u32) -> Routes {
    let sunk = Arc::new(AtomicU64::new(0));
    let (dropped, drained, counted) = (Arc::clone(&sunk), Arc::clone(&sunk), sunk);
    routes
        .request_response("debug.echo", Access::Read, |call| Ok::<_, RouteError>(call.payload))
        .request_channel("debug.echo", Access::Read, move |call| {
            Ok(Box::new(channels::Echo::new(call, window)))
        })
        .request_stream("debug.count", Access::Read, |call| {
            Ok(Box::new(count::Count::for_call(&call)?))
        })
        .fire_and_forget(
            "debug.sink",
            Access::Write,
            move |_| {
                dropped.fetch_add(1, Ordering::Relaxed);
                Ok(None)
            },
            |_| (),
        )
        .request_channel("debug.sink", Access::Write, move |call| {
            Ok(Box::new(sink::Sink::for_call(&call, window, Arc::clone(&drained))?))
        })
        .request_response("debug.sink.count", Access::Read, move |_: Call| {
            let text = counted.load(Ordering::Relaxed).to_string();
            Ok::<_, RouteError>(Payload { metadata: None, data: text.into() })
        })
        .request_channel("debug.first", Access::Read, move |call| {
            Ok(Box::new(channels::First::new(call, window)))
        })
        .request_channel("debug.drop", Access::Read, |call| {
            Ok(Box::new(channels::Drop::for_call(&call)))
        })
}
