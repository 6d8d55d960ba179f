//! What `tidegate config` prints.

use std::fmt::Write as _;

use super::Loaded;
use super::keys::SECTIONS;

impl Loaded {
    /// The configuration in force as a TOML file: each key with its meaning, its range and where
    /// its value came from. Read as a file, it gives the same configuration, but for a secret,
    /// whose value is left out.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut out =
            String::from("# The configuration in force. Defaults < file < environment < flags.\n");
        let mut entries = self.entries.iter();
        for section in SECTIONS {
            line(&mut out, format_args!("\n# {}\n[{}]", section.doc.trim(), section.name));
            for (key, entry) in section.keys.iter().zip(&mut entries) {
                line(&mut out, format_args!("\n# {}", key.meaning()));
                line(&mut out, format_args!("# Allowed: {}.", key.domain.kind.allowed()));
                match entry.value.toml() {
                    Some(value) => {
                        line(&mut out, format_args!("{} = {value} # {}", key.short, entry.from));
                    }
                    None => line(
                        &mut out,
                        format_args!("# {} is set and not shown # {}", key.short, entry.from),
                    ),
                }
            }
        }
        out
    }
}

pub(super) fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("a String takes everything");
}
