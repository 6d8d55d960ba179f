//! The files of the repository, and which of them the crate's modules reach.

use std::collections::{BTreeMap, VecDeque};
use std::fs;
use std::path::Path;

use crate::source::{Kind, Source};

/// Folders that hold what is built or installed, not what we wrote.
const SKIPPED: [&str; 7] =
    ["target", "node_modules", "__pycache__", "corpus", "dist", "artifacts", "tidegate-data"];
/// Hidden folders and files that are ours.
const HIDDEN: [&str; 4] = [".ci", ".clippy.toml", ".deny.toml", ".gitignore"];
/// Larger files are data.
const TEXT_BYTES_MAX: u64 = 1 << 20;

/// Every text file below `root`: path (with `/`) to text, in order.
pub(crate) fn text_files(root: &Path) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    walk(root, "", &mut files);
    files
}

fn walk(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    for entry in entries {
        let entry = entry.expect("a folder that was opened can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        let hidden = name.starts_with('.') && !HIDDEN.contains(&name.as_str());
        if hidden || SKIPPED.contains(&name.as_str()) || name.starts_with("mutants.out") {
            continue;
        }
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().expect("the type of a listed entry is known");
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files);
        } else if kind.is_file() && entry.metadata().is_ok_and(|m| m.len() <= TEXT_BYTES_MAX) {
            // What is not UTF-8 is data.
            if let Ok(text) = fs::read_to_string(entry.path()) {
                files.insert(path, text);
            }
        }
    }
}

/// What the module declarations of `src/lib.rs` and `src/main.rs` lead to.
pub(crate) struct Modules {
    /// Each file that is reached, read, with its test code marked.
    pub sources: Vec<Source>,
    /// Files that no declaration reaches, and declarations without a file.
    pub found: Vec<String>,
}

/// Follows `mod x;` from the roots through `files`.
pub(crate) fn modules(files: &BTreeMap<String, String>) -> Modules {
    let mut found = Vec::new();
    let mut sources: BTreeMap<String, Source> = BTreeMap::new();
    let roots = ["src/lib.rs", "src/main.rs"].map(|root| (root.to_owned(), false));
    let mut waiting: VecDeque<(String, bool)> =
        roots.into_iter().filter(|(root, _)| files.contains_key(root)).collect();
    while let Some((path, test)) = waiting.pop_front() {
        if sources.contains_key(&path) {
            continue;
        }
        let source = match Source::parse(&path, &files[&path], test) {
            Ok(source) => source,
            Err(error) => {
                found.push(error);
                continue;
            }
        };
        for declared in declarations(&source) {
            let candidates = declared.candidates();
            match candidates.iter().find(|c| files.contains_key(*c)) {
                Some(file) => waiting.push_back((file.clone(), declared.test)),
                None => found.push(format!("{path}: no file for `mod {}`", declared.name)),
            }
        }
        sources.insert(path, source);
    }
    for path in files.keys() {
        if path.starts_with("src/") && path.ends_with(".rs") && !sources.contains_key(path) {
            found.push(format!("{path}: no `mod` leads here"));
        }
    }
    Modules { sources: sources.into_values().collect(), found }
}

struct Declaration {
    folder: String,
    name: String,
    test: bool,
}

impl Declaration {
    fn candidates(&self) -> [String; 2] {
        let Self { folder, name, .. } = self;
        [format!("{folder}/{name}.rs"), format!("{folder}/{name}/mod.rs")]
    }
}

/// Every `mod x;` of a file, with the folder that holds it.
fn declarations(source: &Source) -> Vec<Declaration> {
    let stem = source.path.trim_end_matches(".rs");
    let (parent, file) = stem.rsplit_once('/').unwrap_or(("", stem));
    let own = matches!(file, "lib" | "main" | "mod");
    // Each inline module under way: where its brace is, how deep, and its folder.
    let mut folders = vec![(0, 0, if own { parent.to_owned() } else { stem.to_owned() })];
    let mut declared = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        // Out of an inline module again.
        while folders.last().is_some_and(|(open, depth, _)| at > *open && *depth > token.depth) {
            folders.pop();
        }
        let (Some(name), Some(after)) = (source.tokens.get(at + 1), source.tokens.get(at + 2))
        else {
            continue;
        };
        if !token.is_word("mod") || name.word().is_empty() {
            continue;
        }
        let folder = folders.last().map(|(_, _, folder)| folder.clone()).unwrap_or_default();
        if after.is(&Kind::Punct(';')) {
            declared.push(Declaration { folder, name: name.word().to_owned(), test: token.test });
        } else if after.is(&Kind::Open('{')) {
            folders.push((at + 2, token.depth + 1, format!("{folder}/{}", name.word())));
        }
    }
    declared
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> BTreeMap<String, String> {
        list.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn an_orphan_is_found() {
        let all = files(&[("src/lib.rs", "mod a;"), ("src/a.rs", ""), ("src/b.rs", "")]);
        assert_eq!(modules(&all).found, ["src/b.rs: no `mod` leads here"]);
    }

    #[test]
    fn a_declaration_without_a_file_is_found() {
        let all = files(&[("src/lib.rs", "mod a;")]);
        assert_eq!(modules(&all).found, ["src/lib.rs: no file for `mod a`"]);
    }

    #[test]
    fn folders_inline_modules_and_nested_files_are_followed() {
        let all = files(&[
            ("src/lib.rs", "mod a; mod inline { mod c; } mod d;"),
            ("src/a/mod.rs", "mod b;"),
            ("src/a/b.rs", "mod e;"),
            ("src/a/b/e.rs", ""),
            ("src/inline/c.rs", ""),
            ("src/d.rs", ""),
        ]);
        let modules = modules(&all);
        assert_eq!(modules.found, Vec::<String>::new());
        assert_eq!(modules.sources.len(), 6);
    }

    #[test]
    fn what_a_test_module_declares_is_test_code() {
        let all = files(&[
            ("src/lib.rs", "#[cfg(test)] mod tests;"),
            ("src/tests.rs", "mod more;"),
            ("src/tests/more.rs", "fn f() {}"),
        ]);
        let modules = modules(&all);
        let more = modules.sources.iter().find(|s| s.path == "src/tests/more.rs").unwrap();
        assert!(more.tokens.iter().all(|t| t.test));
    }
}
