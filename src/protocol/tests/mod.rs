//! The rules of conformance sections 1.6 to 4.1, each by a test of its name.

mod cancel;
mod channel;
mod credit;
mod fire_and_forget;
mod fragment;
mod limits;
mod model;
mod pair;
mod payload;
mod response;
mod stream;
