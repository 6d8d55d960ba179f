//! Tidegate.
#[cfg(feature = "server")]
pub mod client;
pub mod engine;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
#[cfg(feature = "server")]
pub mod topics;
#[cfg(feature = "server")]
pub mod transport;
pub mod wire;
