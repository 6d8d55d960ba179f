//! Configuration in layers: built-in defaults < TOML file < environment < flags.
//!
//! Every key is declared once, in `keys`; its default, its range, its environment variable, the
//! output of `tidegate config` and the page `docs/configuration.md` derive from there. Each layer
//! is read into settings that know where they came from, so that an error can name the file's line,
//! the variable or the flag.
//!
//! The general layering libraries name neither the line nor the variable, and not the range either,
//! since they merge untyped values before any is checked; here each is checked where it stands.

mod domain;
mod error;
mod keys;
mod layers;
#[cfg(test)]
mod page;
mod print;
mod relations;
mod schema;
#[cfg(test)]
mod tests;
mod value;

use std::ffi::OsString;
use std::path::Path;

pub use error::{ConfigError, Source, Stated};
pub use keys::{Auth, Config, Debug, Drain, Http, Lease, Limits, Listen, Reactions, Store, Topics};
pub use value::{Millis, Secret};

use schema::Key;
use value::Value;

/// A configuration with the source of each of its values.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// One for each key, in the order of the table.
    entries: Vec<Entry>,
}

/// The value in force of one key.
#[derive(Clone, Debug)]
struct Entry {
    key: &'static Key,
    value: Value,
    from: Source,
}

impl Loaded {
    /// Lay the layers over one another: the defaults, `file` when there is one, those of
    /// `variables` that begin with `TIDEGATE_`, and `flags`, given as the key's name and a text.
    ///
    /// # Errors
    /// The first unknown key, value out of range, or contradiction.
    ///
    /// # Panics
    /// When a flag names no key.
    pub fn load(
        file: Option<&Path>,
        variables: impl Iterator<Item = (OsString, OsString)>,
        flags: &[(&'static str, String)],
    ) -> Result<Self, ConfigError> {
        let mut entries: Vec<Entry> = keys::keys()
            .map(|key| Entry { key, value: key.domain.default_value(), from: Source::Default })
            .collect();
        let mut settings = file.map(layers::file).transpose()?.unwrap_or_default();
        settings.extend(layers::environment(variables)?);
        settings.extend(layers::flags(flags)?);
        for setting in settings {
            let entry = entries.iter_mut().find(|entry| entry.key.name == setting.key.name);
            let entry = entry.expect("there is an entry for each key");
            entry.value = setting.value;
            entry.from = setting.from;
        }
        relations::check(&entries)?;
        let config = Config::of(entries.iter().map(|entry| entry.value.clone()));
        Ok(Self { config, entries })
    }

    /// Where the value of a key came from; `None` when there is no such key.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.entries.iter().find(|entry| entry.key.name == name).map(|entry| &entry.from)
    }
}

impl Default for Config {
    /// The built-in defaults.
    fn default() -> Self {
        Self::of(keys::keys().map(|key| key.domain.default_value()))
    }
}
