//! Tidegate.
pub mod engine;
pub mod protocol;
#[cfg(feature = "server")]
pub mod transport;
pub mod wire;
