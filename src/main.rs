//! The `tidegate` binary: arguments to serve, call or config.

use std::process::ExitCode;

use clap::Parser;
use tidegate::client::run_call;
use tidegate::server::{Cli, Command, run_config, run_serve};

fn main() -> ExitCode {
    match Cli::parse().command {
        Command::Serve(args) => run_serve(&args),
        Command::Config(args) => run_config(&args),
        Command::Call(args) => match args.check() {
            Ok(()) => run_call(&args),
            Err(error) => error.exit(),
        },
    }
}
