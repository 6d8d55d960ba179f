//! What a key may hold: its kind, its range and its default, and how a text becomes a value.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use super::value::{Secret, Value, grouped};

/// A kibibyte.
pub(super) const KIB: u64 = 1 << 10;
/// A mebibyte.
pub(super) const MIB: u64 = 1 << 20;
/// The most origins that a list may name, and the longest of them, bytes.
const ORIGINS_MAX: usize = 256;
const ORIGIN_BYTES_MAX: usize = 512;
/// The longest path and the longest secret, bytes.
const TEXT_BYTES_MAX: usize = 4_096;

/// The unit of a whole number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unit {
    /// A plain count.
    Count,
    /// Bytes.
    Bytes,
    /// Milliseconds.
    Millis,
    /// Events per second.
    PerSecond,
}

impl Unit {
    const fn suffix(self) -> &'static str {
        match self {
            Self::Count => "",
            Self::Bytes => " bytes",
            Self::Millis => " ms",
            Self::PerSecond => " per second",
        }
    }
}

/// The kind of value that a key holds, with its range.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// A whole number, both ends included.
    Whole {
        /// What is counted.
        unit: Unit,
        /// The least value.
        min: u64,
        /// The greatest value.
        max: u64,
    },
    /// `true` or `false`.
    Switch,
    /// An IP address with a port; an optional one may be empty.
    Address {
        /// Whether empty, meaning none, is a value.
        optional: bool,
    },
    /// A path, not empty.
    Path,
    /// A list of origins.
    Origins,
    /// A text that is never shown; empty means none.
    Secret,
}

/// A default as the table writes it.
#[derive(Clone, Copy, Debug)]
enum Preset {
    Whole(u64),
    Switch(bool),
    Text(&'static str),
    Empty,
}

/// A kind and the default within it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Domain {
    pub(super) kind: Kind,
    preset: Preset,
}

pub(super) const fn count(default: u64, min: u64, max: u64) -> Domain {
    whole(Unit::Count, default, min, max)
}

pub(super) const fn bytes(default: u64, min: u64, max: u64) -> Domain {
    whole(Unit::Bytes, default, min, max)
}

pub(super) const fn millis(default: u64, min: u64, max: u64) -> Domain {
    whole(Unit::Millis, default, min, max)
}

pub(super) const fn per_second(default: u64, min: u64, max: u64) -> Domain {
    whole(Unit::PerSecond, default, min, max)
}

const fn whole(unit: Unit, default: u64, min: u64, max: u64) -> Domain {
    // Called in a constant, so a default out of its range does not compile.
    assert!(min <= default && default <= max, "a default lies outside its range");
    Domain { kind: Kind::Whole { unit, min, max }, preset: Preset::Whole(default) }
}

pub(super) const fn switch(default: bool) -> Domain {
    Domain { kind: Kind::Switch, preset: Preset::Switch(default) }
}

pub(super) const fn address(default: &'static str) -> Domain {
    Domain { kind: Kind::Address { optional: false }, preset: Preset::Text(default) }
}

pub(super) const fn no_address() -> Domain {
    Domain { kind: Kind::Address { optional: true }, preset: Preset::Empty }
}

pub(super) const fn path(default: &'static str) -> Domain {
    Domain { kind: Kind::Path, preset: Preset::Text(default) }
}

pub(super) const fn origins() -> Domain {
    Domain { kind: Kind::Origins, preset: Preset::Empty }
}

pub(super) const fn secret() -> Domain {
    Domain { kind: Kind::Secret, preset: Preset::Empty }
}

impl Domain {
    /// The default as a value.
    pub(super) fn default_value(&self) -> Value {
        let read = match self.preset {
            Preset::Whole(number) => self.kind.whole(number),
            Preset::Switch(on) => Some(Value::Switch(on)),
            Preset::Text(text) => self.kind.text(text),
            Preset::Empty => self.kind.text(""),
        };
        read.expect("a test reads every default")
    }
}

impl Kind {
    /// What is allowed, to follow "allowed is" and for the documentation.
    pub(super) fn allowed(&self) -> String {
        match *self {
            Self::Whole { unit, min, max } => {
                let suffix = unit.suffix();
                format!("a whole number from {} to {}{suffix}", grouped(min), grouped(max))
            }
            Self::Switch => "true or false".to_owned(),
            Self::Address { optional: false } => "IP:PORT".to_owned(),
            Self::Address { optional: true } => "IP:PORT, or empty for none".to_owned(),
            Self::Path => format!("a path of 1 to {} bytes", grouped(len(TEXT_BYTES_MAX))),
            Self::Origins => format!(
                "up to {ORIGINS_MAX} origins scheme://host[:port], or \"*\" for every origin"
            ),
            Self::Secret => format!(
                "1 to {} visible ASCII characters, or empty for none",
                grouped(len(TEXT_BYTES_MAX))
            ),
        }
    }

    /// Read a number; `None` when it is not allowed.
    pub(super) fn whole(&self, number: u64) -> Option<Value> {
        match *self {
            Self::Whole { min, max, .. } => {
                (min..=max).contains(&number).then_some(Value::Whole(number))
            }
            Self::Switch | Self::Address { .. } | Self::Path | Self::Origins | Self::Secret => None,
        }
    }

    /// Read a switch; `None` when it is not allowed.
    pub(super) const fn switch(&self, on: bool) -> Option<Value> {
        if matches!(self, Self::Switch) { Some(Value::Switch(on)) } else { None }
    }

    /// Read a TOML string; `None` when it is not allowed.
    pub(super) fn text(&self, text: &str) -> Option<Value> {
        match *self {
            Self::Whole { .. } | Self::Switch => None,
            Self::Address { optional: true } if text.is_empty() => Some(Value::Address(None)),
            Self::Address { .. } => socket_address(text).map(|found| Value::Address(Some(found))),
            Self::Path => {
                (1..=TEXT_BYTES_MAX).contains(&text.len()).then(|| Value::Path(PathBuf::from(text)))
            }
            Self::Origins if text.is_empty() => Some(Value::Origins(Vec::new())),
            Self::Origins => self.list(text.split(',').map(str::trim)),
            Self::Secret => secret_text(text),
        }
    }

    /// Read a list of texts; `None` when it is not allowed.
    pub(super) fn list<'a>(&self, items: impl Iterator<Item = &'a str>) -> Option<Value> {
        if !matches!(self, Self::Origins) {
            return None;
        }
        let items: Vec<String> = items.take(ORIGINS_MAX + 1).map(str::to_owned).collect();
        let allowed = items.len() <= ORIGINS_MAX && items.iter().all(|item| is_origin(item));
        allowed.then_some(Value::Origins(items))
    }

    /// Read what an environment variable or a flag holds, where everything is a text.
    pub(super) fn untyped(&self, text: &str) -> Option<Value> {
        match self {
            Self::Whole { .. } => self.whole(number(text)?),
            Self::Switch => text.parse().ok().map(Value::Switch),
            Self::Address { .. } | Self::Path | Self::Origins | Self::Secret => self.text(text),
        }
    }

    /// Whether a value of this kind may be shown.
    pub(super) const fn is_secret(&self) -> bool {
        matches!(self, Self::Secret)
    }
}

fn len(value: usize) -> u64 {
    u64::try_from(value).unwrap_or(u64::MAX)
}

/// Decimal digits, with underscores between them as TOML allows.
fn number(text: &str) -> Option<u64> {
    let plain = !text.starts_with(['_', '+']) && !text.ends_with('_') && !text.contains("__");
    plain.then(|| text.replace('_', "").parse().ok()).flatten()
}

/// No name is resolved at start, except the one that needs no resolver.
fn socket_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => Some(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port.parse().ok()?)),
        None => text.parse().ok(),
    }
}

/// A bearer token of HTTP is visible ASCII, so another key could never be presented.
fn secret_text(text: &str) -> Option<Value> {
    match text.len() {
        0 => Some(Value::Secret(None)),
        1..=TEXT_BYTES_MAX => text
            .bytes()
            .all(|byte| byte.is_ascii_graphic())
            .then(|| Value::Secret(Some(Secret::new(text)))),
        _ => None,
    }
}

/// `*`, or what a browser sends in `Origin`: scheme, host and perhaps a port, without a path.
fn is_origin(text: &str) -> bool {
    if text == "*" {
        return true;
    }
    let Some((scheme, authority)) = text.split_once("://") else { return false };
    let named = !scheme.is_empty() && scheme.bytes().all(|byte| byte.is_ascii_lowercase());
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => match port.parse::<u16>() {
            Ok(_) => host,
            Err(_) => return false,
        },
        Some(_) | None => authority,
    };
    let bare = |byte: u8| byte.is_ascii_alphanumeric() || b"-._[]:".contains(&byte);
    text.len() <= ORIGIN_BYTES_MAX && named && !host.is_empty() && host.bytes().all(bare)
}
