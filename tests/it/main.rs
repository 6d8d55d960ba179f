//! The real binary on real sockets: each acceptance line as a test, small in `cargo test`, in its
//! stated size through `tests/acceptance/run`.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    unreachable_pub,
    reason = "a test fails by panicking and shows its figures; its modules are one crate's"
)]

mod admission;
mod behaviour;
mod channels;
mod credit;
mod figures;
mod peer;
mod readers;
mod server;
mod streams;
