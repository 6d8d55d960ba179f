//! CPU time and memory of the server beside `rsocket_rust`'s, driven by the same client in one run.
//!
//! Rounds alternate between the servers, and ours runs twice in each round under two names, so that
//! the ratio of ours to itself shows how much of any other ratio is noise. What is measured is the
//! server's process: CPU seconds from `/proc/PID/task/*/schedstat`, peak memory from
//! `/proc/PID/status`.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a benchmark reports and may fail")]

mod process;
mod report;
mod workload;

use std::path::PathBuf;

use clap::Parser;

use process::Server;
use report::{Report, Sample};
use workload::{Workload, run};

/// Measures the server beside its peer.
#[derive(Debug, Parser)]
struct Args {
    /// The `tidegate` binary.
    #[arg(long)]
    server: PathBuf,
    /// The benchmark server of the peer; without it only ours runs.
    #[arg(long)]
    peer: Option<PathBuf>,
    /// Alternating rounds.
    #[arg(long, default_value_t = 5)]
    rounds: usize,
    /// Items of 128 bytes in the stream.
    #[arg(long, default_value_t = 1_000_000)]
    items: u64,
    /// Requests, 128 in flight.
    #[arg(long, default_value_t = 300_000)]
    requests: u64,
    /// A short run that only checks that everything arrives.
    #[arg(long)]
    smoke: bool,
    /// Where the JSON report goes.
    #[arg(long)]
    json: Option<PathBuf>,
    /// Passed by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let mut args = Args::parse();
    if args.smoke {
        (args.rounds, args.items, args.requests) = (1, 20_000, 5_000);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let report = runtime.block_on(measure(&args));
    println!("{report}");
    if let Some(path) = &args.json {
        std::fs::write(path, report.to_json()).unwrap();
    }
}

async fn measure(args: &Args) -> Report {
    let mut report = Report::default();
    let workloads = [
        Workload::Stream { items: args.items, size: 128 },
        Workload::Requests { count: args.requests, in_flight: 128, size: 128 },
    ];
    for workload in workloads {
        for round in 0..args.rounds {
            for name in ["tidegate", "tidegate again", "rsocket_rust"] {
                let Some(server) = start(args, name).await else { continue };
                let before = server.usage();
                let elapsed = run(&server.url(), workload).await;
                let after = server.usage();
                report.add(
                    workload.name(),
                    name,
                    Sample {
                        cpu: after.cpu - before.cpu,
                        peak_bytes: after.peak_bytes.saturating_sub(before.resident_bytes),
                        elapsed,
                        operations: workload.operations(),
                    },
                );
                eprintln!("{} round {} of {}: {name}", workload.name(), round + 1, args.rounds);
            }
        }
    }
    report
}

async fn start(args: &Args, name: &str) -> Option<Server> {
    match name {
        "rsocket_rust" => Some(Server::peer(args.peer.as_ref()?).await),
        _ => Some(Server::tidegate(&args.server).await),
    }
}
