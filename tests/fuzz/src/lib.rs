//! The bodies of the fuzz targets. Each takes any bytes and panics when the crate breaks a promise;
//! `fuzz_targets/` hands them to libFuzzer, `examples/smoke.rs` to a mutator that needs no nightly.

mod connection;
mod decode;
#[cfg(feature = "driver")]
mod driver;
mod observer;
mod reader;

pub use connection::connection;
pub use decode::decode;
#[cfg(feature = "driver")]
pub use driver::driver;
