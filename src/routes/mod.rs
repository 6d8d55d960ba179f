//! From a request to its handler: routes, media types, who may do what, and what is said when it
//! does not work.
//!
//! ```text
//!   Routes ── build ──▶ Router ─┐
//!   Authenticator ──────────────┼─▶ Service ── accept(SETUP) ──▶ one Handler per connection
//!   ServiceLimits ──────────────┘
//!
//!   Request ─▶ metadata: route, type, credential ─▶ Router ─▶ access ─▶ budget ─▶ handler(Call)
//! ```
//!
//! A handler answers at once or hands back a future or a [`Source`](crate::protocol::Source); it
//! never waits. What it cannot do it says with a [`RouteError`], and one table
//! ([`Class::answer`]) turns that into an RSocket code. A handler that panics is caught by the
//! driver.
//!
//! | what is wrong | code | what the client should do |
//! |---|---|---|
//! | metadata, route, interaction, type, data | INVALID | fix the request |
//! | no permission | REJECTED, "do not retry" | stop |
//! | overload | REJECTED | retry later, with backoff |
//! | the handler failed | APPLICATION_ERROR | retry once if it is idempotent, then report it |
//!
//! Decisions where the protocol leaves a choice: of several routing entries, authentication entries
//! or MIME types the first counts (R-AUTH-6); routes know their messages' fields and refuse others,
//! so that a misspelt option is not ignored; SETUP data may hold more than an [`Identity`] knows.
//!
//! Not here: sockets and wakers (`transport`), state that outlives a connection (`topics`).

mod call;
mod debug;
mod error;
mod event;
mod handlers;
mod media;
mod metadata;
mod principal;
mod rate;
mod router;
mod service;
#[cfg(test)]
mod tests;
mod totals;
mod window;

pub use call::{Call, Params};
pub use error::{Class, Remedy, RouteError};
pub use handlers::{Response, SourceResult};
pub use media::{Encoding, MediaType};
pub use principal::{Access, Authenticator, Credential, Denial, Identity, Open, Principal};
pub use router::{RouteConflict, Router, Routes};
pub use service::{Service, ServiceLimits};
pub use totals::RouteTotals;
pub use window::Window;

use crate::topics::Topics;

/// Every route of this server; the channels' senders have a credit of `channel_window` items.
///
/// # Errors
/// [`RouteConflict`], a bug of ours that a test finds first.
pub fn router(
    topics: &Topics,
    debug_routes: bool,
    channel_window: u32,
) -> Result<Router, RouteConflict> {
    let routes = event::add(Routes::new(), topics);
    let routes = if debug_routes { debug::add(routes, channel_window) } else { routes };
    routes.build()
}
