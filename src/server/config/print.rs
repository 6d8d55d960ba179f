//! What `tidegate config` prints.

use std::fmt::Write as _;

use super::Loaded;
use super::keys::SECTIONS;

/// Where a comment is broken.
const COLUMNS: usize = 100;

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
            out.push('\n');
            comment(&mut out, section.doc.trim());
            line(&mut out, format_args!("[{}]", section.name));
            for (key, entry) in section.keys.iter().zip(&mut entries) {
                out.push('\n');
                comment(&mut out, key.meaning());
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

/// A comment, broken between words.
fn comment(out: &mut String, text: &str) {
    let mut width = usize::MAX;
    for word in text.split_whitespace() {
        if width.saturating_add(1 + word.len()) > COLUMNS {
            out.push_str(if width == usize::MAX { "#" } else { "\n#" });
            width = 1;
        }
        out.push(' ');
        out.push_str(word);
        width += 1 + word.len();
    }
    out.push('\n');
}
