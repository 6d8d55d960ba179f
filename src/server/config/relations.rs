//! Relations between keys, checked once all layers are laid over one another.

use super::error::{ConfigError, Stated};
use super::{Entry, Value};

/// The first key is at most the second, and why.
pub(super) const AT_MOST: [(&str, &str, &str); 6] = [
    (
        "limits.write_budget_bytes",
        "limits.responses_bytes_max",
        "a response must fit what the connection may hold",
    ),
    (
        "limits.error_message_bytes_max",
        "limits.write_budget_bytes",
        "an ERROR must fit the write budget",
    ),
    (
        "limits.keepalive_bytes_max",
        "limits.write_budget_bytes",
        "an answer to KEEPALIVE must fit the write budget",
    ),
    (
        "limits.item_bytes_max",
        "limits.reassembly_bytes_max",
        "an item must fit what the connection may reassemble",
    ),
    ("limits.setup_bytes_max", "limits.frame_bytes_max", "SETUP is one frame"),
    ("limits.keepalive_bytes_max", "limits.frame_bytes_max", "KEEPALIVE is one frame"),
];

/// Check every relation.
pub(super) fn check(entries: &[Entry]) -> Result<(), ConfigError> {
    for (low, high, why) in AT_MOST {
        let (low, high) = (entry(entries, low), entry(entries, high));
        let (&Value::Whole(low_value), &Value::Whole(high_value)) = (&low.value, &high.value)
        else {
            unreachable!("relations name whole numbers, which a test checks");
        };
        if low_value > high_value {
            let (low, high) = (stated(low), stated(high));
            return Err(ConfigError::Contradiction { low, high, why });
        }
    }
    addresses(entries)
}

/// Listeners have addresses of their own; port 0 is a different port each time.
fn addresses(entries: &[Entry]) -> Result<(), ConfigError> {
    let bound: Vec<_> = entries
        .iter()
        .filter_map(|entry| match entry.value {
            Value::Address(Some(address)) if address.port() != 0 => Some((entry, address)),
            _ => None,
        })
        .collect();
    for (index, &(first, address)) in bound.iter().enumerate() {
        let same = bound.iter().skip(index + 1).find(|&&(_, other)| other == address);
        if let Some(&(second, _)) = same {
            let (first, second) = (stated(first), stated(second));
            return Err(ConfigError::SameAddress { first, second });
        }
    }
    Ok(())
}

fn entry<'a>(entries: &'a [Entry], name: &str) -> &'a Entry {
    entries.iter().find(|entry| entry.key.name == name).expect("relations name keys")
}

/// # Panics
/// When the value is a secret: no relation names one.
fn stated(entry: &Entry) -> Box<Stated> {
    let shown = entry.value.toml().expect("no relation names a secret");
    Box::new(Stated { key: entry.key.name, shown, from: entry.from.clone() })
}
