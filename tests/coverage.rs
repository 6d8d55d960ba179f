//! Which test shows which protocol rule: `tests/coverage.md`, generated from
//! `docs/conformance.md`, the names of the tests, and `tests/coverage-reasons.toml`.
//!
//! A test cites the rules that it shows at the front of its name: `r_reqn_3_zero_is_rejected`,
//! `r_hdr_1_r_hdr_2_reserved_bits_are_ignored`; `t_5_…` cites a trap of section 7.
//!
//! `UPDATE=1` (`make coverage`) writes the file; otherwise the test fails when it is out of date.
//! `STRICT=1` fails it for every rule that has neither a test nor a reason.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use serde::Deserialize;

const RULES: &str = "docs/conformance.md";
const REASONS: &str = "tests/coverage-reasons.toml";
const OUTPUT: &str = "tests/coverage.md";

/// One numbered rule of `docs/conformance.md`.
#[derive(Debug, PartialEq)]
struct Rule {
    /// `R-REQN-3`, or `T-5` for a trap.
    id: String,
    /// `M`, `S` or `D`; "" for a trap.
    level: String,
    /// `3.3`.
    section: String,
}

/// The written reasons, per rule and per section.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Reasons {
    #[serde(default)]
    sections: BTreeMap<String, String>,
    #[serde(default)]
    rules: BTreeMap<String, String>,
}

/// One test that cites at least one rule.
#[derive(Debug, PartialEq)]
struct Test {
    name: String,
    file: String,
    cites: Vec<String>,
}

#[test]
fn every_rule_has_its_tests_or_a_reason() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let read =
        |path: &str| fs::read_to_string(root.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let (titles, rules) = rules(&read(RULES));
    let reasons: Reasons = toml::from_str(&read(REASONS)).expect("the reasons are valid TOML");
    let mut tests = Vec::new();
    let mut problems = Vec::new();
    for folder in ["src", "tests"] {
        collect(root, folder, &mut tests, &mut problems);
    }
    let strict = env::var_os("STRICT").is_some();
    problems.extend(check(&rules, &reasons, &tests, strict));

    let wanted = table(&titles, &rules, &reasons, &tests);
    if env::var_os("UPDATE").is_some() {
        fs::write(root.join(OUTPUT), wanted).expect("the table can be written");
    } else if fs::read_to_string(root.join(OUTPUT)).unwrap_or_default() != wanted {
        problems.push(format!("{OUTPUT} is out of date: make coverage"));
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

/// Section titles by number, and every rule in the order of the page.
fn rules(page: &str) -> (BTreeMap<String, String>, Vec<Rule>) {
    let mut titles = BTreeMap::new();
    let mut rules = Vec::new();
    let mut section = String::new();
    for line in page.lines() {
        if let Some(heading) = line.strip_prefix("##") {
            let heading = heading.trim_start_matches('#').trim();
            if let Some((number, title)) = heading.split_once(' ')
                && number.starts_with(|c: char| c.is_ascii_digit())
            {
                number.trim_end_matches('.').clone_into(&mut section);
                titles.insert(section.clone(), title.to_owned());
            }
        } else if let Some((id, level)) = rule_of(line) {
            rules.push(Rule { id, level, section: section.clone() });
        }
    }
    (titles, rules)
}

/// The rule that a line of the page states: `- **R-X-1 (M)** …`, `| R-LIM-1 | …`, `- T-1 …`.
fn rule_of(line: &str) -> Option<(String, String)> {
    if let Some(rest) = line.strip_prefix("- **R-") {
        let (id, rest) = rest.split_once(" (")?;
        let (level, _) = rest.split_once(")**")?;
        return Some((format!("R-{id}"), level.to_owned()));
    }
    if let Some(rest) = line.strip_prefix("| R-LIM-") {
        let (number, _) = rest.split_once(" |")?;
        // The table of limits is advice of the page as a whole.
        return Some((format!("R-LIM-{number}"), "D".to_owned()));
    }
    let (number, _) = line.strip_prefix("- T-")?.split_once(' ')?;
    number.parse::<u16>().ok().map(|n| (format!("T-{n}"), String::new()))
}

/// Every test below `folder` that cites a rule.
fn collect(root: &Path, folder: &str, tests: &mut Vec<Test>, problems: &mut Vec<String>) {
    let entries = fs::read_dir(root.join(folder)).unwrap_or_else(|e| panic!("{folder}: {e}"));
    let mut names: Vec<(String, bool)> = entries
        .map(|entry| entry.expect("a folder that was opened can be listed"))
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.path().is_dir()))
        .collect();
    names.sort();
    for (name, is_folder) in names {
        let path = format!("{folder}/{name}");
        if is_folder && !matches!(name.as_str(), "target" | "node_modules" | "corpus") {
            collect(root, &path, tests, problems);
        } else if !is_folder && name.ends_with(".rs") {
            let text = fs::read_to_string(root.join(&path)).unwrap_or_default();
            scan(&path, &text, tests, problems);
        }
    }
}

/// The tests of one file. A function that is named like a test but is none proves nothing.
fn scan(file: &str, text: &str, tests: &mut Vec<Test>, problems: &mut Vec<String>) {
    let lines: Vec<&str> = text.lines().collect();
    for (at, line) in lines.iter().enumerate() {
        let line = line.trim_start();
        let line = line.strip_prefix("async ").unwrap_or(line);
        let Some(rest) = line.strip_prefix("fn ") else { continue };
        let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
        let name = &rest[..end];
        let cites = cited(name);
        if cites.is_empty() {
            continue;
        }
        if is_test(&lines[..at]) {
            tests.push(Test { name: name.to_owned(), file: file.to_owned(), cites });
        } else {
            problems.push(format!("{file}: `{name}` cites a rule but does not run as a test"));
        }
    }
}

/// Do the lines just above a function make it a test that runs?
fn is_test(above: &[&str]) -> bool {
    let attributes = above
        .iter()
        .rev()
        .map(|line| line.trim())
        .take_while(|line| !line.is_empty() && !line.ends_with(['}', '{', ';']));
    let mut found = false;
    for line in attributes {
        if line.starts_with("#[ignore") {
            return false;
        }
        let attribute = line.strip_prefix("#[").unwrap_or_default();
        let path = attribute.split(['(', ']']).next().unwrap_or_default();
        found |= path == "test" || path.ends_with("::test");
    }
    found
}

/// The rules at the front of a test's name.
fn cited(name: &str) -> Vec<String> {
    let words: Vec<&str> = name.split('_').collect();
    let mut cites = Vec::new();
    let mut rest = &words[..];
    let number = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
    loop {
        match rest {
            ["r", family, n, tail @ ..] if number(n) && !number(family) => {
                cites.push(format!("R-{}-{n}", family.to_uppercase()));
                rest = tail;
            }
            ["t", n, tail @ ..] if number(n) => {
                cites.push(format!("T-{n}"));
                rest = tail;
            }
            _ => return cites,
        }
    }
}

/// What is wrong with the citations and the reasons.
fn check(rules: &[Rule], reasons: &Reasons, tests: &[Test], strict: bool) -> Vec<String> {
    let mut problems = Vec::new();
    let known: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
    for test in tests {
        for id in test.cites.iter().filter(|id| !known.contains(id.as_str())) {
            problems.push(format!("{}: `{}` cites {id}: no such rule", test.file, test.name));
        }
    }
    for id in reasons.rules.keys().filter(|id| !known.contains(id.as_str())) {
        problems.push(format!("{REASONS}: {id}: no such rule"));
    }
    for rule in rules.iter().filter(|rule| rule.id.starts_with('R')) {
        let tested = tests_of(rule, tests).next().is_some();
        let reason = reason_of(rule, reasons).is_some();
        if tested && reasons.rules.contains_key(&rule.id) {
            problems.push(format!("{REASONS}: {} has a test now: drop its reason", rule.id));
        }
        if strict && !tested && !reason {
            problems.push(format!("{} ({}) has no test and no reason", rule.id, rule.level));
        }
    }
    problems
}

fn tests_of<'a>(rule: &'a Rule, tests: &'a [Test]) -> impl Iterator<Item = &'a Test> {
    tests.iter().filter(|test| test.cites.contains(&rule.id))
}

fn reason_of<'a>(rule: &Rule, reasons: &'a Reasons) -> Option<&'a String> {
    reasons.rules.get(&rule.id).or_else(|| reasons.sections.get(&rule.section))
}

/// The whole of `tests/coverage.md`.
fn table(
    titles: &BTreeMap<String, String>,
    rules: &[Rule],
    reasons: &Reasons,
    tests: &[Test],
) -> String {
    let count = |kind: fn(bool, bool) -> bool| {
        let shown = rules.iter().filter(|rule| rule.id.starts_with('R')).filter(|rule| {
            kind(tests_of(rule, tests).next().is_some(), reason_of(rule, reasons).is_some())
        });
        shown.count()
    };
    let mut out = String::from("# Which test shows which rule\n\n");
    let _ = writeln!(
        out,
        "Generated by `make coverage` from [the rules](../docs/conformance.md), the tests' names \
         and\n[the reasons](coverage-reasons.toml); do not edit. A name proves nothing by itself: \
         `make mutants`\nshows whether the tests notice a fault.\n\nLevels: **M** mandatory in the \
         protocol, **S** recommended, **D** decided where the protocol is silent.\n\n\
         {} rules: {} with a test, {} with a reason instead, {} with neither.",
        count(|_, _| true),
        count(|tested, _| tested),
        count(|tested, reason| !tested && reason),
        count(|tested, reason| !tested && !reason),
    );
    let mut section = "";
    for rule in rules {
        let shown: Vec<&Test> = tests_of(rule, tests).collect();
        // Traps are listed where a test cites them; nothing is owed to the others.
        if shown.is_empty() && rule.id.starts_with('T') {
            continue;
        }
        if rule.section != section {
            section = &rule.section;
            let title = titles.get(section).map(String::as_str).unwrap_or_default();
            let _ = writeln!(
                out,
                "\n## {section} {title}\n\n| rule | level | test, or why there is none |\n\
                 |---|---|---|"
            );
        }
        let why = if shown.is_empty() {
            reason_of(rule, reasons).map_or("**none**".to_owned(), Clone::clone)
        } else {
            let list = shown.iter().map(|test| format!("`{}` ({})", test.name, test.file));
            list.collect::<Vec<_>>().join("<br>")
        };
        let _ = writeln!(out, "| {} | {} | {why} |", rule.id, rule.level);
    }
    out
}

mod tests {
    use super::*;

    const PAGE: &str = "## 1. Wire\n### 1.1 Framing\n- **R-WIRE-1 (M)** Text.\n\
                        - **R-WIRE-2 (D)** Text.\n### 3.10 Limits\n| R-LIM-8 | first | 10 s |\n\
                        ## 7. Traps\n- T-5 CANCEL arrives.\nR-WIRE-9 in prose.\n";

    fn scanned(text: &str) -> (Vec<Test>, Vec<String>) {
        let (mut tests, mut problems) = (Vec::new(), Vec::new());
        scan("src/a.rs", text, &mut tests, &mut problems);
        (tests, problems)
    }

    #[test]
    fn rules_are_read_with_level_and_section() {
        let (titles, rules) = rules(PAGE);
        let read: Vec<_> =
            rules.iter().map(|r| (r.id.as_str(), r.level.as_str(), r.section.as_str())).collect();
        let wanted = [
            ("R-WIRE-1", "M", "1.1"),
            ("R-WIRE-2", "D", "1.1"),
            ("R-LIM-8", "D", "3.10"),
            ("T-5", "", "7"),
        ];
        assert_eq!(read, wanted);
        assert_eq!(titles["1.1"], "Framing");
    }

    #[test]
    fn the_page_has_all_its_rules() {
        let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(RULES));
        let (_, rules) = rules(&page.expect("the page of rules is there"));
        let ids: BTreeSet<&str> = rules.iter().map(|rule| rule.id.as_str()).collect();
        assert_eq!(ids.len(), rules.len(), "an id is stated twice");
        assert_eq!(ids.iter().filter(|id| id.starts_with('R')).count(), RULE_COUNT);
        assert_eq!(ids.iter().filter(|id| id.starts_with('T')).count(), 87);
    }

    /// A rule that the reader above no longer finds must not vanish in silence.
    const RULE_COUNT: usize = 294;

    #[test]
    fn a_name_cites_every_rule_at_its_front() {
        assert_eq!(cited("r_reqn_3_zero_is_rejected"), ["R-REQN-3"]);
        assert_eq!(cited("r_hdr_1_r_hdr_2_bits"), ["R-HDR-1", "R-HDR-2"]);
        assert_eq!(cited("t_5_r_can_4_cancel_first"), ["T-5", "R-CAN-4"]);
        assert!(cited("reader_gets_r_reqn_3").is_empty());
        assert!(cited("r_value").is_empty());
    }

    #[test]
    fn a_test_is_found_and_anything_else_with_its_name_is_refused() {
        let (tests, problems) = scanned("#[test]\nfn r_wire_1_x() {}\n");
        assert_eq!((tests.len(), problems.len()), (1, 0));
        let (tests, _) =
            scanned("/// Doc.\n#[tokio::test(start_paused = true)]\nasync fn r_wire_1_x() {}");
        assert_eq!(tests.len(), 1);
        let (tests, problems) = scanned("fn r_wire_1_x() {}\n");
        assert_eq!((tests.len(), problems.len()), (0, 1));
        let (tests, problems) = scanned("#[test]\nfn a() {}\nfn r_wire_1_x() {}\n");
        assert_eq!((tests.len(), problems.len()), (0, 1));
        let (tests, problems) = scanned("#[test]\n#[ignore]\nfn r_wire_1_x() {}\n");
        assert_eq!((tests.len(), problems.len()), (0, 1));
    }

    #[test]
    fn unknown_rules_stale_reasons_and_gaps_are_found() {
        let (_, rules) = rules(PAGE);
        let (tests, _) = scanned("#[test]\nfn r_wire_1_x() {}\n\n#[test]\nfn r_wire_7_x() {}\n");
        let reason = |id: &str| {
            let text = format!("[rules]\n{id} = \"why\"\n");
            toml::from_str::<Reasons>(&text).expect("the sample is valid")
        };
        // R-WIRE-7 is no rule.
        assert_eq!(check(&rules, &reason("R-WIRE-2"), &tests, false).len(), 1);
        // And R-WIRE-1 has a test.
        assert_eq!(check(&rules, &reason("R-WIRE-1"), &tests, false).len(), 2);
        // And R-WIRE-9 is no rule either.
        assert_eq!(check(&rules, &reason("R-WIRE-9"), &tests, false).len(), 2);
        // R-LIM-8 has neither.
        assert_eq!(check(&rules, &reason("R-WIRE-2"), &tests, true).len(), 2);
    }

    #[test]
    fn the_table_shows_tests_reasons_and_gaps() {
        let (titles, rules) = rules(PAGE);
        let (tests, _) = scanned("#[test]\nfn r_wire_1_x() {}\n");
        let mut reasons = Reasons::default();
        reasons.sections.insert("3.10".to_owned(), "later".to_owned());
        let table = table(&titles, &rules, &reasons, &tests);
        assert!(table.contains("3 rules: 1 with a test, 1 with a reason instead, 1 with neither."));
        assert!(table.contains("| R-WIRE-1 | M | `r_wire_1_x` (src/a.rs) |"), "{table}");
        assert!(table.contains("| R-WIRE-2 | D | **none** |"));
        assert!(table.contains("| R-LIM-8 | D | later |"));
        assert!(!table.contains("T-5"));
    }
}
