//! `tidegate call`: one interaction from the command line, its items on standard output.
//!
//! | exit | when |
//! |---|---|
//! | 0 | done: completed, or n items came and CANCEL was sent; or nobody reads the output |
//! | 1 | an ERROR frame, or items beyond the credit: one line on standard error |
//! | 2 | usage: also data that is not JSON where the MIME type says so |
//! | 3 | no connection, a refused SETUP, or a connection that ended first |
//! | 130 | interrupted (Ctrl-C), after CANCEL |
//!
//! With `--wait` it stays for that long after each n items: silence is reported on standard error
//! and the call goes on as it would without; an item that comes then is an error.

mod data;
mod exchange;
mod failure;
mod printer;
#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use self::data::Source;
use self::exchange::Exchange;
use self::failure::Failure;
use self::printer::Printer;
use super::connect::connect_to;
use super::media::{Encoding, one_line};
use super::{CallArgs, Options};

/// How long the connection may take to deliver what was sent last.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// Runs `tidegate call`. Whatever goes wrong is one line on standard error.
#[must_use]
pub fn run_call(args: &CallArgs) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        // The connection's task; items are printed by this thread, which may block on its output.
        .worker_threads(1)
        .enable_all()
        .build();
    let result = match runtime {
        Ok(runtime) => {
            let result = runtime.block_on(call(args));
            // A thread that reads standard input is left to itself.
            runtime.shutdown_background();
            result
        }
        Err(error) => Err(Failure::Usage(format!("cannot start: {error}"))),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if let Some(text) = failure.text() {
                let _ = writeln!(std::io::stderr(), "tidegate: {}", one_line(&text));
            }
            ExitCode::from(failure.exit_code())
        }
    }
}

async fn call(args: &CallArgs) -> Result<(), Failure> {
    let encoding = Encoding::of(&args.mime);
    let mut source = Source::open(args, encoding)?;
    let options = Options {
        user: args.user.clone(),
        bearer: args.bearer.clone(),
        data_mime: args.mime.clone(),
        ..Options::default()
    };
    let client = connect_to(&args.url, &options).await?;
    let stdout = std::io::stdout();
    let pretty = stdout.is_terminal();
    let mut printer = Printer::new(stdout, encoding, pretty);
    let mut exchange = Exchange { client: &client, args, printer: &mut printer };
    let result = tokio::select! {
        result = exchange.run(&mut source) => result,
        _ = tokio::signal::ctrl_c() => Err(Failure::Interrupted),
    };
    // What the call held is dropped: CANCEL goes out before the connection closes.
    let closed = tokio::time::timeout(CLOSE_TIMEOUT, client.close());
    match (result, closed.await) {
        (Ok(()), Err(_)) if !args.interaction.is_streaming() => {
            Err(Failure::Connection("the responder does not take what was sent".into()))
        }
        (result, _) => result,
    }
}
