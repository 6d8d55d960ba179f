//! Tidegate: a real-time RSocket responder whose consumers' demand drives everything.
//!
//! A subscription is `(view, cursor, credit)`. Nothing is queued for a subscriber: a connection
//! holds its write budget, one large item in flight, finished responses within their limit, and
//! what the peer sent within the credit that we gave.
//!
//! ```text
//!   main ─▶ server ─▶ routes ─▶ topics ─▶ engine        topics as values: commands, views, cursors
//!             │         │
//!             │         └─────▶ protocol ─▶ wire        one connection as a value; bytes and
//!             frames └─▶ transport ───────┘                    sockets, wakers, the driver loop
//!   client ─▶ transport
//! ```
//!
//! Two pure cores ([`protocol`] over [`wire`]; [`engine`]) know no clock, task or socket; the
//! feature `server` (on by default) adds the shell around them. Transport and engine never see each
//! other: a route hands [`transport`] a [`protocol::Source`] that reads a
//! [`topics`] subscription.
//!
//! # Glossary
//! - **interaction**: request/response, fire-and-forget, request-stream, request-channel.
//! - **credit**: items that the reader still allows (REQUEST_N). **room**: bytes left of a
//!   connection's write budget. **quota**: the lesser of the two.
//! - **source**: the application's half of one stream; pulled in **runs** for what its quota
//!   allows.
//! - **session**: a connection with its sources and their wakers. **driver**: what runs a session
//!   on a socket.
//! - **topic**: a log of **commands**; **view**: the fold over it; **cursor**: how far a reader is;
//!   **gap**: what it missed for good; **lag**: what it has still to read.
//! - **lease**: requests that a responder allows for a time.

pub mod engine;
pub mod protocol;
pub mod wire;

#[cfg(feature = "server")]
pub mod client;
#[cfg(feature = "server")]
pub mod routes;
#[cfg(feature = "server")]
pub mod server;
#[cfg(any(test, feature = "testkit"))]
pub mod testkit;
#[cfg(feature = "server")]
pub mod topics;
#[cfg(feature = "server")]
pub mod transport;
