//! client.

mod call_args;

pub use call_args::{CallArgs, CallData, CallInteraction, CallUrl};

/// `tidegate call`.
#[must_use]
pub fn run_call(_args: &CallArgs) -> std::process::ExitCode {
    eprintln!("tidegate: not built yet");
    std::process::ExitCode::FAILURE
}
