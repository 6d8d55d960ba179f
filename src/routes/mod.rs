//! From a request to a handler: routes, who may use them, what their data is.
//!
//! A [`Router`] is built once from [`Routes`], each registered by its interaction, and shared by
//! all connections in a [`Service`], which decides about a SETUP and makes the
//! [`Handler`](crate::protocol::Handler) of the connection. A handler gets a [`Call`]; it answers
//! with a payload, or with a [`Source`](crate::protocol::Source) that is pulled by demand.
//!
//! [`RouteError`] is the one table of what can be wrong with a request, the code that says so, and
//! what its client should do.
//!
//! Not here: streams, credit and sockets. A source never sees them.

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
mod window;

pub use call::{Call, Params};
pub use error::{Class, Remedy, RouteError};
pub use handlers::{Response, SourceResult};
pub use media::{Encoding, MediaType};
pub use principal::{Access, Authenticator, Credential, Denial, Identity, Open, Principal};
pub use router::{RouteConflict, Router, Routes};
pub use service::{Service, ServiceLimits};
pub use window::Window;

use crate::topics::Topics;

/// Every route of this server.
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
