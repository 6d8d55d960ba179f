//! What is wrong with a configuration, on one line.

use std::path::PathBuf;
use std::{fmt, io};

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The table.
    Default,
    /// The file that `--config` names.
    File {
        /// Its path.
        path: PathBuf,
        /// The line of the key, from 1.
        line: usize,
    },
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name, with its dashes.
    Flag(&'static str),
}

impl fmt::Display for Source {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("built-in default"),
            Self::File { path, line } => {
                write!(formatter, "{} line {line}", escaped(&path.to_string_lossy()))
            }
            Self::Environment(name) => write!(formatter, "environment {}", escaped(name)),
            Self::Flag(name) => write!(formatter, "flag {name}"),
        }
    }
}

/// Why a configuration is refused. The text is one line that names the key, where it came from
/// and what is allowed; a secret's value is never in it.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration file {}: {error}", escaped(&path.to_string_lossy()))]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file is no TOML.
    #[error(
        "{} line {line} is not valid TOML: {}",
        escaped(&path.to_string_lossy()), escaped(message)
    )]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// There is no such key, or it is a section where a key is expected.
    #[error("unknown key {} ({from}); {hint}", escaped(name))]
    Unknown {
        /// As it was written.
        name: String,
        /// Where.
        from: Source,
        /// What to write instead.
        hint: String,
    },
    /// A value of the wrong kind, or out of range.
    #[error("{key} is {shown} ({from}), allowed is {allowed}")]
    Refused {
        /// The key.
        key: &'static str,
        /// The value as it was written, or a word for it.
        shown: String,
        /// Where.
        from: Source,
        /// The range.
        allowed: String,
    },
    /// Two keys that contradict each other.
    #[error(
        "{} is {} ({}), allowed is at most {}, which is {} ({}): {why}",
        low.key, low.shown, low.from, high.key, high.shown, high.from
    )]
    Contradiction {
        /// The key that must not be greater.
        low: Box<Stated>,
        /// The key that must not be less.
        high: Box<Stated>,
        /// The reason.
        why: &'static str,
    },
    /// Two listeners on one address.
    #[error(
        "{} is {} ({}), allowed is another address than that of {} ({})",
        second.key, second.shown, second.from, first.key, first.from
    )]
    SameAddress {
        /// A key.
        first: Box<Stated>,
        /// Another, with the same value.
        second: Box<Stated>,
    },
}

/// A key with its value in force.
#[derive(Debug)]
pub struct Stated {
    /// The key.
    pub key: &'static str,
    /// The value as TOML writes it.
    pub shown: String,
    /// Where the value came from.
    pub from: Source,
}

/// Without line ends and other control characters, so that the message stays on one line, and
/// cut where a reader has seen enough.
pub(super) fn escaped(text: &str) -> String {
    const SHOWN_MAX: usize = 200;
    let plain = |character: char| match character {
        control if control.is_control() => ' ',
        other => other,
    };
    let mut out: String = text.chars().take(SHOWN_MAX).map(plain).collect();
    if text.chars().count() > SHOWN_MAX {
        out.push('…');
    }
    out
}
