//! The house style that neither rustfmt nor clippy checks: the layer table, sizes, orphans, words.
//!
//! A check that never failed proves nothing, so each one has its counter-example beside it.

mod layers;
mod source;
mod text;
mod tree;

use std::path::Path;

use source::Source;

#[test]
fn the_repository_is_tidy() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files = tree::text_files(root);
    let manifest = &files["Cargo.toml"];
    let crates = text::dependencies(manifest);
    assert!(crates.len() > 3, "the manifest's dependencies were not found");

    let mut found = text::check_manifest("Cargo.toml", manifest);
    for (path, text) in &files {
        found.extend(text::check_text(path, text));
    }
    let modules = tree::modules(&files);
    found.extend(modules.found);
    for source in &modules.sources {
        found.extend(layers::check(source, &crates));
        found.extend(text::check_source(source));
    }
    let elsewhere = |path: &&String| path.ends_with(".rs") && !path.starts_with("src/");
    for path in files.keys().filter(elsewhere) {
        match Source::parse(path, &files[path], true) {
            Ok(source) => found.extend(text::check_source(&source)),
            Err(error) => found.push(error),
        }
    }
    assert!(found.is_empty(), "\n{}\n{} to tidy", found.join("\n"), found.len());
}
