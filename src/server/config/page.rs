//! The page `docs/configuration.md`: generated from the table, and held against the file by a test.

use super::Value;
use super::keys::{SECTIONS, keys};
use super::print::line;
use super::schema::Key;

/// Bounds of conformance section 3.10 that have no key, and why. Together with the
/// table it names every bound of the section.
pub(super) const WITHOUT_KEY: [(&str, &str); 4] = [
    ("R-LIM-9", "nothing is read from a connection while its SETUP is being decided"),
    ("R-LIM-13", "METADATA_PUSH is handled as it is read, so none waits"),
    ("R-LIM-16", "RESUME is refused, so there are no sessions to keep"),
    ("R-LIM-17", "only a requester waits for a lease: `tidegate call` holds back at most 256"),
];

/// The text of the page.
pub(super) fn page() -> String {
    let mut out = String::from(PAGE_HEAD);
    for section in SECTIONS {
        line(&mut out, format_args!("\n## [{}]\n\n{}\n", section.name, section.doc.trim()));
        line(&mut out, format_args!("| key | default | allowed | meaning |"));
        line(&mut out, format_args!("|---|---|---|---|"));
        for key in section.keys {
            line(&mut out, format_args!("{}", row(key)));
        }
    }
    out.push_str("\n## Flags\n\n| flag | key | environment variable |\n|---|---|---|\n");
    for key in keys() {
        if let Some(flag) = key.flag {
            line(&mut out, format_args!("| `{flag}` | `{}` | `{}` |", key.name, key.variable()));
        }
    }
    out.push_str(
        "\n## Bounds without a key\n\nOf the bounds in section 3.10 of \
         [conformance.md](conformance.md), these need none:\n\n",
    );
    for (rule, why) in WITHOUT_KEY {
        line(&mut out, format_args!("- {rule}: {why}."));
    }
    out
}

const PAGE_HEAD: &str = "\
# Configuration

<!-- Generated from src/server/config/keys.rs; `UPDATE_DOCS=1 cargo test --lib page_is_fresh` \
writes it. -->

Four layers, each over the one before: built-in defaults, a TOML file (`--config FILE` or
`TIDEGATE_CONFIG`), environment variables, flags. `tidegate config`, with the same flags as
`tidegate serve`, prints the configuration in force, each key with its source, as a TOML file.

The variable of a key is its name in capitals, with `TIDEGATE_` before it and `_` for the dot:
`limits.connections_max` is `TIDEGATE_LIMITS_CONNECTIONS_MAX`. Numbers may be written as 10_000; in
a variable, a list is separated by commas. `TIDEGATE_LOG` is the log filter (`info`,
`tidegate=debug`; `RUST_LOG` when it is not set).

An unknown key, a value outside its range and two keys that contradict each other stop the start
with one line that names the key, where it came from and what is allowed, and exit code 2. Every
layer is checked, also where a later one overrides it. Kubernetes gives each pod variables named
after its services: beside a service named `tidegate`, set `enableServiceLinks: false`.
";

fn row(key: &Key) -> String {
    let default = match key.domain.default_value() {
        Value::Address(None) | Value::Secret(None) => "none".to_owned(),
        value => format!("`{}`", value.toml().unwrap_or_default()),
    };
    let allowed = key.domain.kind.allowed();
    format!("| `{}` | {default} | {allowed} | {} |", key.short, key.meaning())
}
