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

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::super::config::{Loaded, Source};
    use super::*;

    fn serve(line: &[&str]) -> Result<ServeArgs, clap::Error> {
        let cli = Cli::try_parse_from([&["tidegate", "serve"], line].concat())?;
        match cli.command {
            Command::Serve(args) => Ok(args),
            Command::Call(_) | Command::Config(_) => panic!("the command is serve"),
        }
    }

    fn load(line: &[&str], variables: &[(&str, &str)]) -> Loaded {
        let pairs = variables.iter().map(|(name, value)| (name.into(), value.into()));
        let settings = serve(line).unwrap().settings();
        Loaded::load(None, pairs.collect::<Vec<_>>().into_iter(), &settings).unwrap()
    }

    #[test]
    fn the_command_line_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_help_shows_the_defaults_in_force() {
        let mut cli = Cli::command();
        let serve = cli.find_subcommand_mut("serve").unwrap();
        let help = serve.render_long_help().to_string();
        let config = Loaded::load(None, std::iter::empty(), &[]).unwrap().config;
        assert!(help.contains(&format!("TCP here [default: {}]", config.listen.tcp)), "{help}");
        assert!(help.contains(&format!("HTTP here [default: {}]", config.listen.http)), "{help}");
        let directory = config.store.data_dir.display();
        assert!(help.contains(&format!("directory [default: {directory}]")), "{help}");
    }

    #[test]
    fn every_flag_reaches_its_key() {
        let line = "--tcp 127.0.0.1:1 --http 127.0.0.1:2 --admin 127.0.0.1:3 --data-dir d \
                    --manage-key k --debug-routes";
        let loaded = load(&line.split_whitespace().collect::<Vec<_>>(), &[]);
        let config = &loaded.config;
        assert_eq!((config.listen.tcp.port(), config.listen.http.port()), (1, 2));
        assert_eq!(config.listen.admin.unwrap().port(), 3);
        assert_eq!(config.store.data_dir, PathBuf::from("d"));
        assert_eq!(config.auth.manage_key.as_ref().unwrap().reveal(), "k");
        assert!(config.debug.routes);
        assert!(load(&["--ephemeral"], &[]).config.store.ephemeral);
        assert_eq!(loaded.source("debug.routes"), Some(&Source::Flag("--debug-routes")));
    }

    #[test]
    fn a_data_directory_outweighs_ephemeral_of_an_earlier_layer() {
        let ephemeral = [("TIDEGATE_STORE_EPHEMERAL", "true")];
        assert!(load(&[], &ephemeral).config.store.ephemeral);
        assert!(!load(&["--data-dir", "d"], &ephemeral).config.store.ephemeral);
    }

    #[test]
    fn unknown_and_contradicting_flags_are_usage_errors() {
        for line in [&["--tpc", "x"][..], &["--data-dir", "d", "--ephemeral"], &["extra"]] {
            let Err(error) = serve(line) else { panic!("{line:?} is taken") };
            assert_eq!(error.exit_code(), 2, "{line:?}");
        }
    }
}
