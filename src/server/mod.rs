//! server.

mod args;
mod config;
mod startup;

pub use args::{Cli, Command, ServeArgs};
pub use config::{
    Auth, Config, ConfigError, Debug, Drain, Http, Lease, Limits, Listen, Loaded, Millis,
    Reactions, Secret, Source, Stated, Store, Topics,
};
pub use startup::{DataDir, Listeners, Prepared, StartError, prepare, run_config, run_serve};
