//! Tidegate.
#[cfg(feature = "server")]
pub mod client;
pub mod engine;
pub mod protocol;
#[cfg(feature = "server")]
pub mod server;
pub mod wire;
