//! What holds for single files: sizes, forbidden words, reasons of silenced lints.

use crate::source::{Kind, Source, Token};

/// The longest line of Rust, in characters.
const LINE_CHARS_MAX: usize = 100;
/// The longest file, in lines without tests.
const FILE_LINES_MAX: usize = 600;

/// Words that may not stay in code. Put together here so that this file does not contain them.
const BANNED: [(&str, &str); 5] = [
    (concat!("FIX", "ME"), "fix it, or file it"),
    (concat!("TO", "DO"), "do it, or file it"),
    (concat!("X", "XX"), "say what is wrong, or fix it"),
    (concat!("unbounded_", "channel"), "every queue has a bound"),
    (concat!("to", "do!"), "an unwritten branch is a panic"),
];

/// Places that exist on one machine only.
const MACHINE_PATHS: [&str; 3] =
    [concat!("/wo", "rk/"), concat!("/tmp/", "wt"), concat!("/home", "/")];

/// Checks that need no tokens, for every text file of the repository.
pub(crate) fn check_text(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let code = ["rs", "py", "ts", "js", "sh"].iter().any(|ext| has_extension(path, ext));
    for (number, line) in (1..).zip(text.lines()) {
        for place in MACHINE_PATHS.iter().filter(|place| contains_path(line, place)) {
            found.push(format!("{path}:{number}: `{place}` exists on one machine only"));
        }
        if !code {
            continue;
        }
        for (word, why) in BANNED.iter().filter(|(word, _)| contains_word(line, word)) {
            found.push(format!("{path}:{number}: `{word}`: {why}"));
        }
        let chars = line.chars().count();
        if has_extension(path, "rs") && chars > LINE_CHARS_MAX {
            found.push(format!("{path}:{number}: {chars} characters, over {LINE_CHARS_MAX}"));
        }
    }
    found
}

/// Checks that need tokens, for every Rust file.
pub(crate) fn check_source(source: &Source) -> Vec<String> {
    let mut found = Vec::new();
    let lines = source.lines_without_tests();
    if lines > FILE_LINES_MAX {
        found.push(format!("{}: {lines} lines without tests, over {FILE_LINES_MAX}", source.path));
    }
    for (_, body) in source.attributes() {
        reasons(source, body, &mut found);
        feature_gate(source, body, &mut found);
    }
    found
}

/// `allow(…)` and `expect(…)` say why, also inside `cfg_attr`.
fn reasons(source: &Source, body: &[Token], found: &mut Vec<String>) {
    for (at, token) in body.iter().enumerate() {
        let opens = body.get(at + 1).is_some_and(|t| t.is(&Kind::Open('(')));
        if !opens || !(token.is_word("allow") || token.is_word("expect")) {
            continue;
        }
        let inside = body[at + 2..].iter().take_while(|t| t.depth > token.depth);
        if !inside.clone().any(|t| t.is_word("reason")) {
            found.push(format!(
                "{}:{}: `{}(…)` without a reason",
                source.path,
                token.line,
                token.word()
            ));
        }
    }
}

/// `lib.rs` is the only file of the crate with feature gates.
fn feature_gate(source: &Source, body: &[Token], found: &mut Vec<String>) {
    let cfg = body.first().is_some_and(|t| t.is_word("cfg") || t.is_word("cfg_attr"));
    let Some(word) = body.iter().find(|t| t.is_word("feature")) else { return };
    if cfg && source.path.starts_with("src/") && source.path != "src/lib.rs" {
        found.push(format!("{}:{}: feature gates belong in lib.rs", source.path, word.line));
    }
}

/// Each dependency states its reason in a comment on its line.
pub(crate) fn check_manifest(path: &str, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (number, line) in dependency_lines(text) {
        if line.split_once('#').is_none_or(|(_, reason)| reason.trim().is_empty()) {
            found.push(format!("{path}:{number}: a dependency states its reason"));
        }
    }
    found
}

/// The names of the package's dependencies, as Rust writes them.
pub(crate) fn dependencies(manifest: &str) -> Vec<String> {
    let names = dependency_lines(manifest).filter_map(|(_, line)| line.split_once('='));
    names.map(|(name, _)| name.trim().replace('-', "_")).collect()
}

fn dependency_lines(manifest: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    (1..).zip(manifest.lines()).filter(move |(_, line)| {
        if line.starts_with('[') {
            inside = line.trim_end().ends_with("dependencies]");
            return false;
        }
        inside && line.starts_with(|c: char| c.is_ascii_alphabetic())
    })
}

fn has_extension(path: &str, extension: &str) -> bool {
    path.rsplit_once('.').is_some_and(|(_, found)| found == extension)
}

fn contains_word(line: &str, word: &str) -> bool {
    let joins = |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() || c == '_');
    line.match_indices(word).any(|(at, _)| {
        !joins(line[..at].chars().next_back()) && !joins(line[at + word.len()..].chars().next())
    })
}

/// An absolute path begins where no other path is under way.
fn contains_path(line: &str, place: &str) -> bool {
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | ')' | '}');
    line.match_indices(place).any(|(at, _)| !line[..at].chars().next_back().is_some_and(joins))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(path: &str, text: &str) -> Vec<String> {
        check_source(&Source::parse(path, text, false).unwrap())
    }

    #[test]
    fn a_long_line_is_found() {
        let line = "x".repeat(LINE_CHARS_MAX);
        assert!(check_text("src/a.rs", &line).is_empty());
        assert_eq!(check_text("src/a.rs", &format!("{line}x")).len(), 1);
        assert!(check_text("docs/a.md", &format!("{line}x")).is_empty());
    }

    #[test]
    fn a_long_file_is_found_and_its_tests_do_not_count() {
        let body = "const A: u8 = 0;\n".repeat(FILE_LINES_MAX);
        let tests = "#[cfg(test)]\nmod tests {\n    fn f() {}\n}\n";
        assert!(source("src/wire/a.rs", &format!("{body}{tests}")).is_empty());
        assert_eq!(source("src/wire/a.rs", &format!("{body}const B: u8 = 0;\n{tests}")).len(), 1);
    }

    #[test]
    fn banned_words_are_found_whole_and_in_code_only() {
        for (word, _) in BANNED {
            assert_eq!(check_text("src/a.rs", &format!("// {word}: x")).len(), 1, "{word}");
            assert!(check_text("src/a.rs", &format!("// {word}s")).is_empty(), "{word}");
            assert!(check_text("docs/a.md", word).is_empty(), "{word}");
        }
    }

    #[test]
    fn machine_paths_are_found_in_every_file() {
        for place in MACHINE_PATHS {
            assert_eq!(check_text("README.md", &format!("see {place}x")).len(), 1, "{place}");
            assert!(check_text("README.md", &format!("see a{place}x")).is_empty(), "{place}");
        }
    }

    #[test]
    fn a_silenced_lint_without_a_reason_is_found() {
        assert_eq!(source("src/a.rs", "#[allow(dead_code)] fn f() {}").len(), 1);
        assert_eq!(source("src/a.rs", "#![expect(dead_code)]").len(), 1);
        assert_eq!(source("src/a.rs", "#[cfg_attr(test, allow(dead_code))] fn f() {}").len(), 1);
        assert!(source("src/a.rs", "#[expect(dead_code, reason = \"x\")] fn f() {}").is_empty());
        assert!(source("src/a.rs", "fn f() { x.expect(\"holds\") }").is_empty());
    }

    #[test]
    fn a_feature_gate_outside_lib_is_found() {
        let gate = "#[cfg(feature = \"server\")] mod a;";
        assert_eq!(source("src/wire/mod.rs", gate).len(), 1);
        assert!(source("src/lib.rs", gate).is_empty());
    }

    #[test]
    fn a_dependency_without_a_reason_is_found() {
        let manifest = "[dependencies]\na-b = \"1\" # why\nc = \"1\"\n[features]\nd = []\n";
        assert_eq!(check_manifest("Cargo.toml", manifest).len(), 1);
        assert_eq!(dependencies(manifest), ["a_b", "c"]);
    }
}
