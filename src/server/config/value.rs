//! Values of keys, and the types of the fields that they become.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// A span of time as the configuration states it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Millis(u64);

impl Millis {
    /// The number of milliseconds.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The same as a [`Duration`].
    #[must_use]
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

/// A text that neither logs nor `tidegate config` show.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    pub(super) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text itself: compare it in constant time, never print it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret(not shown)")
    }
}

/// What a key holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Whole(u64),
    Switch(bool),
    Address(Option<SocketAddr>),
    Path(PathBuf),
    Origins(Vec<String>),
    Secret(Option<Secret>),
}

impl Value {
    /// As TOML writes it; `None` for a secret that is set.
    pub(super) fn toml(&self) -> Option<String> {
        match self {
            Self::Whole(number) => Some(grouped(*number)),
            Self::Switch(on) => Some(on.to_string()),
            Self::Address(None) | Self::Secret(None) => Some("\"\"".to_owned()),
            Self::Address(Some(address)) => Some(quoted(&address.to_string())),
            Self::Path(path) => Some(quoted(&path.to_string_lossy())),
            Self::Origins(origins) => {
                let items: Vec<String> = origins.iter().map(|origin| quoted(origin)).collect();
                Some(format!("[{}]", items.join(", ")))
            }
            Self::Secret(Some(_)) => None,
        }
    }
}

/// A basic TOML string, on one line.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for character in text.chars() {
        match character {
            '"' | '\\' => out.extend(['\\', character]),
            control if control.is_control() => {
                out.push_str(&format!("\\u{:04X}", u32::from(control)));
            }
            plain => out.push(plain),
        }
    }
    out.push('"');
    out
}

/// Digits in groups of three, as TOML allows them: 16_777_215.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push('_');
        }
        out.push(digit);
    }
    out
}

/// A field of [`Config`](super::Config), made of the value of its key.
pub(super) trait Field {
    /// # Panics
    /// When the table pairs a type with a kind that it cannot hold, which a test rules out for
    /// every key at both ends of its range.
    fn of(value: Value) -> Self;
}

/// What the table promised and a test checks.
const PAIRED: &str = "the table pairs this key's type with its kind";

macro_rules! whole_fields {
    ($($Type:ty),+) => {$(
        impl Field for $Type {
            fn of(value: Value) -> Self {
                match value {
                    Value::Whole(number) => Self::try_from(number).expect(PAIRED),
                    other => panic!("{PAIRED}: {other:?}"),
                }
            }
        }
    )+};
}
whole_fields!(u32, u64, usize);

macro_rules! fields {
    ($($Type:ty: $variant:ident => $make:expr),+ $(,)?) => {$(
        impl Field for $Type {
            fn of(value: Value) -> Self {
                match value {
                    Value::$variant(inner) => ($make)(inner),
                    other => panic!("{PAIRED}: {other:?}"),
                }
            }
        }
    )+};
}
fields! {
    Millis: Whole => Self,
    bool: Switch => |on| on,
    SocketAddr: Address => |address: Option<Self>| address.expect(PAIRED),
    Option<SocketAddr>: Address => |address| address,
    PathBuf: Path => |path| path,
    Vec<String>: Origins => |origins| origins,
    Option<Secret>: Secret => |secret| secret,
}
