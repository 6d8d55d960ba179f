//! The rules of conformance sections 1.6 to 4.1, each by a test of its name.

mod channel;
mod credit;
mod fire_and_forget;
mod payload;
mod response;
mod stream;
