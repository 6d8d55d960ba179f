//! Tidegate.
pub mod engine;
pub mod protocol;
#[cfg(feature = "server")]
pub mod topics;
pub mod wire;
