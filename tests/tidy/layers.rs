//! The layer table: who may import whom, and how.

use crate::source::{Kind, Source, Token, closing};

/// One row of the table.
pub(crate) struct Layer {
    /// The folder below `src/`.
    pub name: &'static str,
    /// The layers whose face it may use, besides its own.
    pub imports: &'static [&'static str],
    /// The crates it may use; `None` where the table does not restrict them.
    pub crates: Option<&'static [&'static str]>,
    /// A pure core: no clock, task or lock, and it opens with the attributes that say so.
    pub core: bool,
}

/// Every layer. What is not in it may not be a folder of `src/`.
pub(crate) const LAYERS: [Layer; 11] = [
    Layer { name: "wire", imports: &[], crates: Some(&["bytes", "thiserror"]), core: true },
    Layer {
        name: "protocol",
        imports: &["wire"],
        crates: Some(&["bytes", "thiserror", "tracing"]),
        core: true,
    },
    Layer {
        name: "engine",
        imports: &[],
        crates: Some(&["bytes", "serde", "thiserror", "tracing", "yrs"]),
        core: true,
    },
    Layer { name: "store", imports: &["engine"], crates: None, core: false },
    Layer { name: "transport", imports: &["wire", "protocol"], crates: None, core: false },
    Layer { name: "topics", imports: &["engine", "store"], crates: None, core: false },
    Layer {
        name: "routes",
        imports: &["wire", "protocol", "engine", "topics"],
        crates: None,
        core: false,
    },
    Layer {
        name: "server",
        imports: &[
            "wire",
            "protocol",
            "engine",
            "store",
            "transport",
            "topics",
            "routes",
            "client",
            "testkit",
        ],
        crates: None,
        core: false,
    },
    Layer {
        name: "client",
        imports: &["wire", "protocol", "transport"],
        crates: None,
        core: false,
    },
    Layer {
        name: "load",
        imports: &["wire", "protocol", "transport", "client", "testkit"],
        crates: None,
        core: false,
    },
    Layer {
        name: "testkit",
        imports: &["wire", "protocol", "engine"],
        crates: Some(&["bytes"]),
        core: false,
    },
];

/// What a core's `mod.rs` denies for itself.
const CORE_DENIES: [&str; 3] =
    ["disallowed_methods", "wildcard_enum_match_arm", "iter_over_hash_type"];

/// Words that have no place in a core outside its tests.
const CORE_BANNED: [(&str, &str); 6] = [
    ("async", "a core has no task"),
    ("await", "a core has no task"),
    ("Mutex", "a core has no lock"),
    ("RwLock", "a core has no lock"),
    ("SystemTime", "a core has no clock"),
    ("tokio", "a core does no IO"),
];

fn layer(name: &str) -> Option<&'static Layer> {
    LAYERS.iter().find(|layer| layer.name == name)
}

/// Checks one file of `src/`; `crates` are the names of the package's dependencies.
pub(crate) fn check(source: &Source, crates: &[String]) -> Vec<String> {
    let mut found = Vec::new();
    if source.layer().is_empty() {
        return found;
    }
    let Some(layer) = layer(source.layer()) else {
        found.push(format!("{}: `{}` is no layer of the table", source.path, source.layer()));
        return found;
    };
    imports(source, layer, &mut found);
    use_statements(source, &mut found);
    third_party(source, layer, crates, &mut found);
    face(source, layer, &mut found);
    if layer.core {
        core(source, &mut found);
    }
    found
}

/// Paths that begin at the crate's root, `crate::x` or enough `super`s, must lead to what the
/// table allows.
fn imports(source: &Source, from: &Layer, found: &mut Vec<String>) {
    for at in 0..source.tokens.len() {
        let Some(target) = root_path_target(source, at) else { continue };
        let Some(to) = layer(target.word()) else { continue };
        let testkit = to.name == "testkit" && target.test;
        if to.name != from.name && !from.imports.contains(&to.name) && !testkit {
            found.push(format!(
                "{}:{}: `{}` may not import `{}`",
                source.path, target.line, from.name, to.name
            ));
        }
    }
}

/// The first segment after the crate's root, if a path to the root begins at `at`.
fn root_path_target(source: &Source, at: usize) -> Option<&Token> {
    let tokens = &source.tokens;
    let begins = at == 0 || !tokens[at - 1].is(&Kind::PathSep);
    let sep = |i: usize| tokens.get(i).is_some_and(|t| t.is(&Kind::PathSep));
    if !begins || !sep(at + 1) {
        return None;
    }
    if tokens[at].is_word("crate") {
        return tokens.get(at + 2);
    }
    let mut supers = 0;
    let mut next = at;
    while tokens.get(next).is_some_and(|t| t.is_word("super")) && sep(next + 1) {
        supers += 1;
        next += 2;
    }
    (supers > 0 && supers >= module_depth(&source.path)).then(|| tokens.get(next)).flatten()
}

/// How many `super`s lead from a file's module to the crate's root.
fn module_depth(path: &str) -> usize {
    let segments = path.trim_start_matches("src/").trim_end_matches(".rs").split('/');
    segments.filter(|s| *s != "mod").count()
}

/// One `use crate::<layer>` per layer and file, so that a file's first lines show what it needs.
fn use_statements(source: &Source, found: &mut Vec<String>) {
    let mut seen: Vec<&str> = Vec::new();
    for (at, token) in source.tokens.iter().enumerate() {
        if !token.is_word("use") || token.test {
            continue;
        }
        let next = |n: usize| source.tokens.get(at + n);
        if !next(1).is_some_and(|t| t.is_word("crate")) {
            continue;
        }
        let Some(target) = next(3) else { continue };
        if target.is(&Kind::Open('{')) {
            found.push(format!(
                "{}:{}: `use crate::{{…}}` hides which layers a file needs: one `use` per layer",
                source.path, token.line
            ));
            continue;
        }
        // A re-export is the face of a module, not one of its needs.
        let public = at > 0
            && (source.tokens[at - 1].is_word("pub")
                || source.tokens[at - 1].is(&Kind::Close(')')));
        if public {
            continue;
        }
        if seen.contains(&target.word()) {
            found.push(format!(
                "{}:{}: a second `use crate::{}`: merge it into the first",
                source.path,
                token.line,
                target.word()
            ));
        }
        seen.push(target.word());
    }
}

/// A path that begins with a dependency's name must be one that the table allows.
fn third_party(source: &Source, layer: &Layer, crates: &[String], found: &mut Vec<String>) {
    let Some(allowed) = layer.crates else { return };
    for at in 0..source.tokens.len() {
        let token = &source.tokens[at];
        let path = source.tokens.get(at + 1).is_some_and(|t| t.is(&Kind::PathSep));
        let import = at > 0 && source.tokens[at - 1].is_word("use");
        if token.test || !(path || import) || continues_path(&source.tokens, at) {
            continue;
        }
        let name = token.word();
        if crates.iter().any(|c| c == name) && !allowed.contains(&name) {
            found.push(format!(
                "{}:{}: `{}` may not use the crate `{name}`",
                source.path, token.line, layer.name
            ));
        }
    }
}

/// Is the token at `at` a later segment of a path, `x::at` or `x::{…, at}`?
fn continues_path(tokens: &[Token], at: usize) -> bool {
    let behind = |i: usize| {
        i > 0
            && tokens[i - 1].is(&Kind::PathSep)
            && i > 1
            && (!tokens[i - 2].word().is_empty() && !tokens[i - 2].is_word("use")
                || tokens[i - 2].is(&Kind::Punct('>')))
    };
    if behind(at) {
        return true;
    }
    let enclosing = (0..at)
        .rev()
        .find(|&i| tokens[i].depth < tokens[at].depth && matches!(tokens[i].kind, Kind::Open(_)));
    match enclosing {
        Some(open) if tokens[open].is(&Kind::Open('{')) => {
            behind(open) || open > 0 && in_use_tree(tokens, open) && continues_path(tokens, open)
        }
        _ => false,
    }
}

fn in_use_tree(tokens: &[Token], open: usize) -> bool {
    matches!(tokens[open - 1].kind, Kind::PathSep | Kind::Punct(',') | Kind::Open('{'))
}

/// A layer's `mod.rs` is its whole face: its submodules are private.
fn face(source: &Source, layer: &Layer, found: &mut Vec<String>) {
    if source.path != format!("src/{}/mod.rs", layer.name) {
        return;
    }
    let tokens = &source.tokens;
    for at in 1..tokens.len() {
        let file = tokens.get(at + 2).is_some_and(|t| t.is(&Kind::Punct(';')));
        let public = tokens[at - 1].is_word("pub") || tokens[at - 1].is(&Kind::Close(')'));
        if tokens[at].is_word("mod") && tokens[at].depth == 0 && file && public && !tokens[at].test
        {
            found.push(format!(
                "{}:{}: `mod {}` must be private: re-export what the layer offers",
                source.path,
                tokens[at].line,
                tokens[at + 1].word()
            ));
        }
    }
}

/// What holds in a core only.
fn core(source: &Source, found: &mut Vec<String>) {
    for token in source.tokens.iter().filter(|t| !t.test) {
        if let Some((word, why)) = CORE_BANNED.iter().find(|(word, _)| token.is_word(word)) {
            found.push(format!("{}:{}: `{word}`: {why}", source.path, token.line));
        }
    }
    if source.path != format!("src/{}/mod.rs", source.layer()) {
        return;
    }
    let denied: Vec<&str> = source
        .attributes()
        .filter(|(inner, body)| *inner && body.first().is_some_and(|t| t.is_word("deny")))
        .flat_map(|(_, body)| body[1..closing(body, 1).min(body.len())].iter().map(Token::word))
        .collect();
    for lint in CORE_DENIES.iter().filter(|lint| !denied.contains(*lint)) {
        found.push(format!("{}: a core opens with `#![deny(clippy::{lint})]`", source.path));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(path: &str, text: &str) -> Vec<String> {
        let crates = ["bytes", "serde", "tokio", "tracing"].map(str::to_owned);
        check(&Source::parse(path, text, false).unwrap(), &crates)
    }

    fn assert_clean(path: &str, text: &str) {
        assert_eq!(found(path, text), Vec::<String>::new());
    }

    #[test]
    fn the_table_names_only_layers_and_has_no_cycle() {
        // Kahn: a layer is settled once everything it imports is.
        let mut settled: Vec<&str> = Vec::new();
        while settled.len() < LAYERS.len() {
            let next = LAYERS.iter().find(|l| {
                !settled.contains(&l.name) && l.imports.iter().all(|i| settled.contains(i))
            });
            settled.push(next.expect("a cycle, or an import that is no layer").name);
        }
    }

    #[test]
    fn an_import_against_the_table_is_found() {
        assert_eq!(found("src/wire/a.rs", "use crate::protocol::Source;").len(), 1);
        assert_eq!(found("src/transport/a.rs", "fn f() { crate::engine::g() }").len(), 1);
        assert_eq!(found("src/engine/a.rs", "fn f() { v!(crate::wire::g()) }").len(), 1);
        assert_clean("src/transport/a.rs", "use crate::protocol::Source;\nuse crate::wire::Frame;");
        assert_clean("src/wire/a.rs", "use crate::wire::Frame;");
    }

    #[test]
    fn supers_that_climb_out_of_the_layer_are_found() {
        assert_eq!(found("src/engine/mod.rs", &core_mod("use super::wire::Frame;")).len(), 1);
        assert_eq!(found("src/engine/view/log.rs", "use super::super::super::wire::F;").len(), 1);
        assert_clean("src/engine/view/log.rs", "use super::super::store::F;");
    }

    #[test]
    fn only_tests_use_the_testkit() {
        assert_eq!(found("src/protocol/a.rs", "use crate::testkit::Pair;").len(), 1);
        assert_clean("src/protocol/a.rs", "#[cfg(test)]\nmod tests { use crate::testkit::Pair; }");
    }

    #[test]
    fn use_statements_are_one_per_layer() {
        assert_eq!(found("src/protocol/a.rs", "use crate::{wire::A, protocol::B};").len(), 1);
        assert_eq!(found("src/protocol/a.rs", "use crate::wire::A;\nuse crate::wire::B;").len(), 1);
        assert_clean("src/protocol/a.rs", "use crate::wire::{A, B};\npub use crate::wire::C;");
        assert_clean(
            "src/protocol/a.rs",
            "use crate::wire::A;\n#[cfg(test)]\nmod tests { use crate::wire::B; }",
        );
    }

    #[test]
    fn a_crate_that_the_table_does_not_allow_is_found() {
        assert_eq!(found("src/wire/a.rs", "use tracing::debug;").len(), 1);
        assert_eq!(found("src/wire/a.rs", "fn f() { tracing::debug!(\"x\") }").len(), 1);
        assert_eq!(found("src/wire/a.rs", "use ::serde::Serialize;").len(), 1);
        assert_clean(
            "src/wire/a.rs",
            "use bytes::Bytes;\nuse std::{io, tracing::x, a::{serde::B}};",
        );
        assert_clean("src/protocol/a.rs", "fn f() { tracing::debug!(\"x\") }");
        assert_clean("src/wire/a.rs", "#[cfg(test)]\nmod tests { use serde::Serialize; }");
    }

    #[test]
    fn what_a_core_may_not_do_is_found() {
        assert_eq!(found("src/wire/a.rs", "async fn f() {}").len(), 1);
        assert_eq!(found("src/engine/a.rs", "use std::sync::Mutex;").len(), 1);
        assert_clean("src/topics/a.rs", "use std::sync::Mutex;\nasync fn f() {}");
    }

    fn core_mod(rest: &str) -> String {
        let denies = CORE_DENIES.map(|lint| format!("clippy::{lint}")).join(", ");
        format!("//! A core.\n#![deny({denies})]\n{rest}")
    }

    #[test]
    fn a_core_without_its_attributes_is_found() {
        assert_clean("src/wire/mod.rs", &core_mod("mod header;"));
        assert_eq!(found("src/wire/mod.rs", "mod header;").len(), CORE_DENIES.len());
        assert_eq!(found("src/wire/mod.rs", "#![deny(clippy::disallowed_methods)]").len(), 2);
    }

    #[test]
    fn a_public_submodule_is_found() {
        assert_eq!(found("src/topics/mod.rs", "pub mod registry;").len(), 1);
        assert_eq!(found("src/topics/mod.rs", "pub(crate) mod registry;").len(), 1);
        assert_clean("src/topics/mod.rs", "mod registry;\npub mod composite { pub use super::A; }");
    }

    #[test]
    fn a_folder_that_is_no_layer_is_found() {
        assert_eq!(found("src/utils/mod.rs", "").len(), 1);
        assert_clean("src/main.rs", "use tokio::runtime;");
    }
}
