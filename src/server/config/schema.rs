//! The one declaration of a key, from which everything about it derives.

use super::domain::Domain;

/// A section of the file: `[limits]`.
#[derive(Debug)]
pub(super) struct Section {
    pub(super) name: &'static str,
    pub(super) doc: &'static str,
    pub(super) keys: &'static [Key],
}

/// A key: `limits.connections_max`.
#[derive(Debug)]
pub(super) struct Key {
    /// With its section, as errors name it.
    pub(super) name: &'static str,
    /// Without its section, as the file writes it.
    pub(super) short: &'static str,
    pub(super) doc: &'static str,
    pub(super) domain: Domain,
    /// With its dashes, where the key has a flag.
    pub(super) flag: Option<&'static str>,
}

impl Key {
    /// The environment variable: `TIDEGATE_LIMITS_CONNECTIONS_MAX`.
    pub(super) fn variable(&self) -> String {
        format!("{PREFIX}{}", self.name.replace('.', "_").to_ascii_uppercase())
    }

    /// The meaning on one line.
    pub(super) fn meaning(&self) -> &'static str {
        self.doc.trim()
    }
}

/// What the environment variables of the configuration begin with.
pub(super) const PREFIX: &str = "TIDEGATE_";

/// Declares the sections with their keys: the struct [`Config`](super::Config) and one struct for
/// each section, and the constant `SECTIONS` that describes them in the same order.
macro_rules! declare {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $(
                $(#[doc = $doc:literal])+
                $key:ident: $Type:ty = $domain:expr $(, flag $flag:literal)?;
            )+
        }
    )+) => {
        $(
            $(#[doc = $section_doc])+
            #[derive(Clone, Debug, PartialEq, Eq)]
            pub struct $Section {
                $($(#[doc = $doc])+ pub $key: $Type,)+
            }
        )+

        /// The configuration in force. Every value is within its range, and the relations between
        /// keys hold.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Config {
            $($(#[doc = $section_doc])+ pub $section: $Section,)+
        }

        /// Every key, in the order of the declaration.
        pub(super) const SECTIONS: &[Section] = &[$(
            Section {
                name: stringify!($section),
                doc: concat!($($section_doc),+),
                keys: &[$(
                    Key {
                        name: concat!(stringify!($section), ".", stringify!($key)),
                        short: stringify!($key),
                        doc: concat!($($doc),+),
                        domain: $domain,
                        flag: declare!(@flag $($flag)?),
                    },
                )+],
            },
        )+];

        impl Config {
            /// Made of one value for each key, in the order of `SECTIONS`.
            pub(super) fn of(mut values: impl Iterator<Item = Value>) -> Self {
                let mut next = || values.next().expect("there is a value for each key");
                Self { $($section: $Section { $($key: Field::of(next()),)+ },)+ }
            }
        }
    };
    (@flag) => { None };
    (@flag $flag:literal) => { Some($flag) };
}
pub(super) use declare;
