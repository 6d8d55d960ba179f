//! server.
mod config;

pub use config::{
    Auth, Config, ConfigError, Debug, Drain, Http, Lease, Limits, Listen, Loaded, Millis,
    Reactions, Secret, Source, Store, Topics,
};
