//! The layers: a TOML file, the environment and flags, each read into settings. Every setting of
//! every layer is checked, also one that a later layer overrides.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::error::{ConfigError, Source, escaped};
use super::keys::{SECTIONS, keys};
use super::schema::{Key, PREFIX};
use super::value::{Value, quoted};

/// Variables with the prefix that are not keys: the file's name and the log filter.
const NOT_KEYS: [&str; 2] = ["TIDEGATE_CONFIG", "TIDEGATE_LOG"];
/// How alike a name must be to be suggested (Jaro-Winkler, 0 to 1).
const ALIKE_MIN: f64 = 0.85;
/// How much more a key of the same section is meant.
const SAME_SECTION: f64 = 0.05;

/// One key set by one layer.
#[derive(Debug)]
pub(super) struct Setting {
    pub(super) key: &'static Key,
    pub(super) value: Value,
    pub(super) from: Source,
}

/// The settings of a TOML file, in the order of the file.
pub(super) fn file(path: &Path) -> Result<Vec<Setting>, ConfigError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ConfigError::Unreadable { path: path.to_owned(), error })?;
    toml(path, &text)
}

/// The settings that a TOML text holds.
pub(super) fn toml(path: &Path, text: &str) -> Result<Vec<Setting>, ConfigError> {
    let place = |span: std::ops::Range<usize>| {
        let before = text.get(..span.start).unwrap_or(text);
        before.bytes().filter(|&byte| byte == b'\n').count() + 1
    };
    let table = DeTable::parse(text).map_err(|error| ConfigError::Syntax {
        path: path.to_owned(),
        line: error.span().map_or(1, place),
        message: error.message().trim().replace('\n', "; "),
    })?;
    let mut found = Found { path, settings: Vec::new(), wrong: Vec::new() };
    for (section, content) in table.get_ref() {
        let line = place(section.span());
        match (content.get_ref().as_table(), is_section(section.get_ref())) {
            (Some(entries), true) => {
                for (key, value) in entries {
                    let name = format!("{}.{}", section.get_ref(), key.get_ref());
                    found.add(&name, value.get_ref(), place(key.span()));
                }
            }
            (None, true) => found.not_a_table(section.get_ref(), line),
            (_, false) => found.add(section.get_ref(), content.get_ref(), line),
        }
    }
    found.finish()
}

/// The settings of the environment variables that begin with `TIDEGATE_`.
pub(super) fn environment(
    variables: impl Iterator<Item = (OsString, OsString)>,
) -> Result<Vec<Setting>, ConfigError> {
    let mut settings = Vec::new();
    for (name, value) in variables {
        let name = name.to_string_lossy().into_owned();
        if !name.starts_with(PREFIX) || NOT_KEYS.contains(&name.as_str()) {
            continue;
        }
        let from = Source::Environment(name.clone());
        let Some(key) = keys().find(|key| key.variable() == name) else {
            let hint = hint_for_variable(&name);
            return Err(ConfigError::Unknown { name, from, hint });
        };
        let value = value.into_string().map_err(|_| refused(key, "not UTF-8", &from))?;
        settings.push(untyped(key, &value, from)?);
    }
    Ok(settings)
}

/// The settings of flags, given as key and text.
///
/// # Panics
/// When a name is no key: the command line is ours.
pub(super) fn flags(given: &[(&'static str, String)]) -> Result<Vec<Setting>, ConfigError> {
    let read = |(name, text): &(&'static str, String)| {
        let key = keys().find(|key| key.name == *name).expect("flags are named by their keys");
        untyped(key, text, Source::Flag(key.flag.unwrap_or(key.name)))
    };
    given.iter().map(read).collect()
}

/// What a file held so far. Errors are kept until the end, so that the first line's is reported
/// whatever the order of the table.
struct Found<'a> {
    path: &'a Path,
    settings: Vec<(usize, Setting)>,
    wrong: Vec<(usize, ConfigError)>,
}

impl Found<'_> {
    fn add(&mut self, name: &str, value: &DeValue<'_>, line: usize) {
        let from = self.at(line);
        let Some(key) = keys().find(|key| key.name == name) else {
            let hint = hint_for_file(name);
            let name = name.to_owned();
            return self.wrong.push((line, ConfigError::Unknown { name, from, hint }));
        };
        match typed(key, value) {
            Some(value) => self.settings.push((line, Setting { key, value, from })),
            None => self.wrong.push((line, refused(key, &shown(value), &from))),
        }
    }

    fn not_a_table(&mut self, section: &str, line: usize) {
        let hint = format!("{section} is a section: write [{section}] and its keys below it");
        let name = section.to_owned();
        let from = self.at(line);
        self.wrong.push((line, ConfigError::Unknown { name, from, hint }));
    }

    fn at(&self, line: usize) -> Source {
        Source::File { path: PathBuf::from(self.path), line }
    }

    fn finish(mut self) -> Result<Vec<Setting>, ConfigError> {
        if let Some((_, error)) = self.wrong.into_iter().min_by_key(|(line, _)| *line) {
            return Err(error);
        }
        self.settings.sort_by_key(|(line, _)| *line);
        Ok(self.settings.into_iter().map(|(_, setting)| setting).collect())
    }
}

fn is_section(name: &str) -> bool {
    SECTIONS.iter().any(|section| section.name == name)
}

/// Read a TOML value; `None` when it is not allowed.
fn typed(key: &Key, value: &DeValue<'_>) -> Option<Value> {
    let kind = &key.domain.kind;
    match value {
        DeValue::String(text) => kind.text(text),
        DeValue::Integer(digits) => {
            kind.whole(u64::from_str_radix(digits.as_str(), digits.radix()).ok()?)
        }
        DeValue::Boolean(on) => kind.switch(*on),
        DeValue::Array(items) => {
            let texts: Option<Vec<&str>> =
                items.iter().map(|item| item.get_ref().as_str()).collect();
            kind.list(texts?.into_iter())
        }
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}

/// A refused TOML value as its error shows it.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(&escaped(text)),
        DeValue::Integer(digits) => escaped(&digits.to_string()),
        DeValue::Float(digits) => escaped(&digits.to_string()),
        DeValue::Boolean(on) => on.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list that does not fit".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

fn untyped(key: &'static Key, text: &str, from: Source) -> Result<Setting, ConfigError> {
    match key.domain.kind.untyped(text) {
        Some(value) => Ok(Setting { key, value, from }),
        None => Err(refused(key, &quoted(&escaped(text)), &from)),
    }
}

fn refused(key: &Key, shown: &str, from: &Source) -> ConfigError {
    let secret = key.domain.kind.is_secret();
    ConfigError::Refused {
        key: key.name,
        shown: if secret { "a value that is not shown".to_owned() } else { shown.to_owned() },
        from: from.clone(),
        allowed: key.domain.kind.allowed(),
    }
}

/// What to write instead of a key that a file does not have.
fn hint_for_file(wrong: &str) -> String {
    let (section, short) = wrong.split_once('.').unwrap_or(("", wrong));
    let named = keys().map(|key| {
        let same = key.name.split('.').next() == Some(section);
        let score = strsim::jaro_winkler(short, key.short) + if same { SAME_SECTION } else { 0.0 };
        (score, key.name.to_owned())
    });
    let sections = SECTIONS
        .iter()
        .filter(|_| section.is_empty())
        .map(|section| (strsim::jaro_winkler(short, section.name), format!("[{}]", section.name)));
    hint(named.chain(sections))
}

/// What to write instead of a variable that is no key.
fn hint_for_variable(wrong: &str) -> String {
    // The prefix is always the same and would make everything look alike.
    let bare = |name: &str| name.trim_start_matches(PREFIX).to_owned();
    hint(keys().map(|key| {
        let variable = key.variable();
        (strsim::jaro_winkler(&bare(wrong), &bare(&variable)), variable)
    }))
}

/// The name that was probably meant, or where the names are.
fn hint(scored: impl Iterator<Item = (f64, String)>) -> String {
    let best = scored
        .filter(|(score, _)| *score >= ALIKE_MIN)
        .max_by(|(left, _), (right, _)| left.total_cmp(right));
    match best {
        Some((_, name)) => format!("did you mean {name}?"),
        None => "`tidegate config` lists the keys".to_owned(),
    }
}
