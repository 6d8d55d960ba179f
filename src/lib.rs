//! Tidegate.
pub mod engine;
pub mod protocol;
pub mod wire;
