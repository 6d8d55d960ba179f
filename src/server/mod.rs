//! The composition root: configuration, listeners, limits over connections, metrics, drain.
//!
//! It puts the other layers together and holds no logic of theirs.

mod admission;
mod args;
mod config;
mod http;
mod listener;
mod metrics;
mod origin;
mod serve;
mod shutdown;
mod startup;

pub use args::{Cli, Command, ServeArgs};
pub use config::{
    Auth, Config, ConfigError, Debug, Drain, Http, Lease, Limits, Listen, Loaded, Millis,
    Reactions, Secret, Source, Stated, Store, Topics,
};
pub use startup::{DataDir, Listeners, Prepared, StartError, prepare, run_config, run_serve};
