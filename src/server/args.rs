//! The command line: what `tidegate --help` lists.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::client::CallArgs;

/// The first line of every help page.
#[derive(Parser)]
#[command(
    name = "tidegate",
    version,
    about = "A real-time RSocket responder whose consumers' demand drives everything",
    after_help = EXAMPLES,
    disable_help_subcommand = true
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
Examples:
  tidegate serve --ephemeral --debug-routes
  tidegate call stream tcp://127.0.0.1:7000 debug.count -n 5
  tidegate config --config tidegate.toml

Exit codes: 0 done, 1 an ERROR frame, 2 usage or configuration, 3 connection.";

/// The commands.
#[derive(Subcommand)]
pub enum Command {
    /// Run the server until SIGTERM or SIGINT.
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(ServeArgs),
    /// Send one request, push or stream of items to an RSocket server and print what comes back.
    Call(CallArgs),
    /// Print the configuration in force: each key with its value, its range and its source.
    #[command(after_help = CONFIG_EXAMPLES)]
    Config(ServeArgs),
}

const SERVE_EXAMPLES: &str = "\
Every key of the configuration can be set in the file, and in the environment by its name in
capitals: limits.connections_max is TIDEGATE_LIMITS_CONNECTIONS_MAX. `tidegate config` lists them.
TIDEGATE_LOG is the log filter, such as debug or tidegate=trace.

Examples:
  tidegate serve                                  listens on 127.0.0.1:7000 and :8080
  tidegate serve --tcp 0.0.0.0:7000 --http 0.0.0.0:80 --admin 127.0.0.1:9090
  tidegate serve --config /etc/tidegate.toml --data-dir /var/lib/tidegate
  TIDEGATE_LIMITS_CONNECTIONS_MAX=500 tidegate serve --ephemeral";

const CONFIG_EXAMPLES: &str = "\
It takes the flags of `tidegate serve` and prints a TOML file, so that this starts a file:
  tidegate config > tidegate.toml";

/// The flags of `serve` and `config`, the last layer of the configuration.
#[derive(Args, Clone, Default)]
pub struct ServeArgs {
    /// Configuration file (TOML).
    #[arg(long, value_name = "FILE", env = "TIDEGATE_CONFIG")]
    pub config: Option<PathBuf>,
    /// Serve RSocket over TCP here [default: 127.0.0.1:7000].
    #[arg(long, value_name = "ADDR")]
    pub tcp: Option<String>,
    /// Serve RSocket over WebSocket and HTTP here [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    pub http: Option<String>,
    /// Move /metrics and /debug/* here [default: none].
    #[arg(long, value_name = "ADDR")]
    pub admin: Option<String>,
    /// Keep topics in this directory [default: tidegate-data].
    #[arg(long, value_name = "DIR", conflicts_with = "ephemeral")]
    pub data_dir: Option<String>,
    /// Keep topics in memory.
    #[arg(long)]
    pub ephemeral: bool,
    /// Bearer token for moderation and control; others can read it in the list of processes, so
    /// TIDEGATE_AUTH_MANAGE_KEY is the better place.
    #[arg(long, value_name = "KEY")]
    pub manage_key: Option<String>,
    /// Serve the debug.* routes.
    #[arg(long)]
    pub debug_routes: bool,
}

impl ServeArgs {
    /// What the flags set, as key and text.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let on = |flag: bool| flag.then(|| "true".to_owned());
        // A directory on the command line outweighs `ephemeral` of a file.
        let ephemeral = match &self.data_dir {
            Some(_) => Some("false".to_owned()),
            None => on(self.ephemeral),
        };
        [
            ("listen.tcp", self.tcp.clone()),
            ("listen.http", self.http.clone()),
            ("listen.admin", self.admin.clone()),
            ("store.data_dir", self.data_dir.clone()),
            ("store.ephemeral", ephemeral),
            ("auth.manage_key", self.manage_key.clone()),
            ("debug.routes", on(self.debug_routes)),
        ]
        .into_iter()
        .filter_map(|(key, text)| Some((key, text?)))
        .collect()
    }
}
