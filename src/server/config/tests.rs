//! Order of the layers, what each refuses and how it says so, and what derives from the table.

use std::ffi::OsString;
use std::path::Path;

use proptest::prelude::*;

use super::domain::Kind;
use super::keys::{SECTIONS, keys};
use super::layers::{Setting, toml};
use super::*;

type Flags<'a> = &'a [(&'static str, &'a str)];

/// Load from texts: the file is called `t.toml`.
fn load(file: &str, variables: &[(&str, &str)], flags: Flags<'_>) -> Result<Loaded, String> {
    let directory = Scratch::new();
    let path = directory.0.join("t.toml");
    std::fs::write(&path, file).expect("the scratch directory is writable");
    let pairs: Vec<(OsString, OsString)> =
        variables.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let flags: Vec<_> = flags.iter().map(|(key, text)| (*key, (*text).to_owned())).collect();
    let place = format!("{}/", directory.0.display());
    Loaded::load(Some(&path), pairs.into_iter(), &flags)
        .map_err(|error| error.to_string().replace(&place, ""))
}

fn refusal(file: &str, variables: &[(&str, &str)], flags: Flags<'_>) -> String {
    load(file, variables, flags).expect_err("this configuration is wrong")
}

/// A directory that is gone with the value.
struct Scratch(std::path::PathBuf);

impl Scratch {
    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("tidegate-config-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).expect("the temporary directory is writable");
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const TCP_FILE: &str = "[listen]\ntcp = \"127.0.0.1:2\"\n";
const TCP_VARIABLE: &[(&str, &str)] = &[("TIDEGATE_LISTEN_TCP", "127.0.0.1:3")];
const TCP_FLAG: Flags<'_> = &[("listen.tcp", "127.0.0.1:4")];

fn port(loaded: &Loaded) -> (u16, String) {
    let source = loaded.source("listen.tcp").expect("the key exists");
    let shown = source.to_string();
    let name = shown.rsplit('/').next().expect("a last part").to_owned();
    (loaded.config.listen.tcp.port(), name)
}

#[test]
fn each_layer_outweighs_those_before_it() {
    let of = |file, variables, flags| port(&load(file, variables, flags).unwrap());
    assert_eq!(of("", &[], &[]), (7000, "built-in default".to_owned()));
    assert_eq!(of(TCP_FILE, &[], &[]), (2, "t.toml line 2".to_owned()));
    let variable = (3, "environment TIDEGATE_LISTEN_TCP".to_owned());
    assert_eq!(of(TCP_FILE, TCP_VARIABLE, &[]), variable);
    assert_eq!(of("", TCP_VARIABLE, &[]), variable);
    let flag = (4, "flag --tcp".to_owned());
    assert_eq!(of(TCP_FILE, TCP_VARIABLE, TCP_FLAG), flag);
    assert_eq!(of(TCP_FILE, &[], TCP_FLAG), flag);
    assert_eq!(of("", &[], TCP_FLAG), flag);
}

#[test]
fn no_layer_is_the_defaults() {
    let loaded = Loaded::load(None, std::iter::empty(), &[]).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert_eq!(loaded.config.limits.write_budget_bytes, 32 << 10);
    assert_eq!(loaded.config.limits.write_stall_ms.duration().as_secs(), 120);
    assert_eq!(loaded.config.listen.admin, None);
    assert!(!loaded.config.store.ephemeral);
}

#[test]
fn an_unknown_key_of_a_file_is_named_with_its_line() {
    assert_eq!(
        refusal("\n[limits]\nconnections_max = 3\nconections_max = 3\n", &[], &[]),
        "unknown key limits.conections_max (t.toml line 4); did you mean limits.connections_max?"
    );
    assert_eq!(
        refusal("[limit]\n", &[], &[]),
        "unknown key limit (t.toml line 1); did you mean [limits]?"
    );
    assert_eq!(
        refusal("write_stall_ms = 5\n", &[], &[]),
        "unknown key write_stall_ms (t.toml line 1); did you mean limits.write_stall_ms?"
    );
    assert_eq!(
        refusal("[http]\nqqq = 1\n", &[], &[]),
        "unknown key http.qqq (t.toml line 2); `tidegate config` lists the keys"
    );
    assert_eq!(
        refusal("\nlimits = 5\n", &[], &[]),
        "unknown key limits (t.toml line 2); limits is a section: write [limits] and its keys \
         below it"
    );
    assert_eq!(
        refusal("[[limits]]\nfragments_max = 5\n", &[], &[]),
        "unknown key limits (t.toml line 1); limits is a section: write [limits] and its keys \
         below it"
    );
}

#[test]
fn an_unknown_variable_is_named() {
    assert_eq!(
        refusal("", &[("TIDEGATE_LISTEN_TPC", "x")], &[]),
        "unknown key TIDEGATE_LISTEN_TPC (environment TIDEGATE_LISTEN_TPC); did you mean \
         TIDEGATE_LISTEN_TCP?"
    );
    // Another program's variables, the file's name and the log filter are none of its business.
    let others = [("TIDEGAT", "x"), ("TIDEGATE_CONFIG", "x"), ("TIDEGATE_LOG", "x"), ("PATH", "x")];
    assert_eq!(load("", &others, &[]).unwrap().config, Config::default());
}

#[test]
fn a_value_out_of_range_is_named_with_its_source_and_range() {
    assert_eq!(
        refusal("[limits]\nconnections_max = 0\n", &[], &[]),
        "limits.connections_max is 0 (t.toml line 2), allowed is a whole number from 1 to 1_000_000"
    );
    assert_eq!(
        refusal("", &[("TIDEGATE_LIMITS_SETUP_MS", "3_600_001")], &[]),
        "limits.setup_ms is \"3_600_001\" (environment TIDEGATE_LIMITS_SETUP_MS), allowed is a \
         whole number from 10 to 3_600_000 ms"
    );
    assert_eq!(
        refusal("", &[], &[("listen.http", "8080")]),
        "listen.http is \"8080\" (flag --http), allowed is IP:PORT"
    );
}

#[test]
fn a_value_of_the_wrong_kind_is_named_with_what_is_allowed() {
    let whole = "allowed is a whole number from 1 to 65_536";
    for (written, shown) in [
        ("\"5\"", "\"5\""),
        ("5.5", "5.5"),
        ("true", "true"),
        ("[5]", "a list that does not fit"),
        ("{ a = 5 }", "a table"),
        ("1979-05-27", "a date"),
        ("-1", "-1"),
        ("99999999999999999999999", "99999999999999999999999"),
    ] {
        assert_eq!(
            refusal(&format!("[limits]\nreassemblies_max = {written}\n"), &[], &[]),
            format!("limits.reassemblies_max is {shown} (t.toml line 2), {whole}")
        );
    }
    for written in ["", "x", "1.0", "-1", "+1", "1__0", "_1", "1_", " 1", "0x10"] {
        assert_eq!(
            refusal("", &[("TIDEGATE_LIMITS_REASSEMBLIES_MAX", written)], &[]),
            format!(
                "limits.reassemblies_max is \"{written}\" (environment \
                 TIDEGATE_LIMITS_REASSEMBLIES_MAX), {whole}"
            )
        );
    }
    assert_eq!(
        refusal("[debug]\nroutes = \"yes\"\n", &[], &[]),
        "debug.routes is \"yes\" (t.toml line 2), allowed is true or false"
    );
}

#[test]
fn a_layer_is_checked_even_where_a_later_one_overrides_it() {
    let wrong = "[listen]\ntcp = \"nowhere\"\n";
    assert!(refusal(wrong, TCP_VARIABLE, TCP_FLAG).contains("t.toml line 2"));
    let variable = [("TIDEGATE_LISTEN_TCP", "nowhere")];
    assert!(refusal(TCP_FILE, &variable, TCP_FLAG).contains("environment TIDEGATE_LISTEN_TCP"));
}

#[test]
fn the_first_line_that_is_wrong_is_reported() {
    let text = "[topics]\nidle_ms = 1\n[limits]\nunknown = 1\n[auth]\nmanage_key = 1\n";
    assert!(refusal(text, &[], &[]).starts_with("topics.idle_ms is 1 (t.toml line 2)"));
}

#[test]
fn a_file_that_is_no_toml_or_is_not_there_is_named() {
    let text = refusal("[limits]\nconnections_max =\n", &[], &[]);
    assert!(text.starts_with("t.toml line 2 is not valid TOML: "), "{text}");
    assert!(!text.contains('\n'), "{text}");
    let twice = refusal("[limits]\nfragments_max = 5\nfragments_max = 6\n", &[], &[]);
    assert!(twice.starts_with("t.toml line 3 is not valid TOML: "), "{twice}");
    let missing = Loaded::load(Some(Path::new("/nowhere/t.toml")), std::iter::empty(), &[]);
    let text = missing.unwrap_err().to_string();
    assert!(text.starts_with("cannot read the configuration file /nowhere/t.toml: "), "{text}");
}

#[test]
fn contradicting_keys_are_named_with_both_sources() {
    assert_eq!(
        refusal("[limits]\nresponses_bytes_max = 8192\n", &[], &[]),
        "limits.write_budget_bytes is 32_768 (built-in default), allowed is at most \
         limits.responses_bytes_max, which is 8_192 (t.toml line 2): a response must fit what the \
         connection may hold"
    );
    // Together they are fine.
    let both = "[limits]\nresponses_bytes_max = 20_000\nwrite_budget_bytes = 20_000\n";
    load(both, &[], &[]).unwrap();
}

#[test]
fn every_relation_is_checked_and_holds_at_equality() {
    for (low, high, _) in relations::AT_MOST {
        // Zero contradicts nothing that this pair does not.
        let entries = |low_value: u64, high_value: u64| {
            let mut entries = Loaded::load(None, std::iter::empty(), &[]).unwrap().entries;
            for entry in &mut entries {
                let lowest = !relations::AT_MOST.iter().any(|(_, high, _)| *high == entry.key.name);
                match entry.key.name {
                    name if name == low => entry.value = Value::Whole(low_value),
                    name if name == high => entry.value = Value::Whole(high_value),
                    _ if matches!(entry.value, Value::Whole(_)) => {
                        entry.value = Value::Whole(if lowest { 0 } else { u64::MAX });
                    }
                    _ => {}
                }
            }
            entries
        };
        let text = relations::check(&entries(1_001, 1_000)).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{low} is 1_001 (")), "{text}");
        assert!(text.contains(&format!("at most {high}, which is 1_000 (")), "{text}");
        relations::check(&entries(1_000, 1_000)).unwrap();
    }
}

#[test]
fn listeners_have_addresses_of_their_own() {
    assert_eq!(
        refusal("", &[], &[("listen.admin", "127.0.0.1:8080")]),
        "listen.admin is \"127.0.0.1:8080\" (flag --admin), allowed is another address than that \
         of listen.http (built-in default)"
    );
    let free: Flags<'_> = &[("listen.tcp", "127.0.0.1:0"), ("listen.http", "127.0.0.1:0")];
    load("", &[], free).unwrap();
}

#[test]
fn both_ends_of_each_range_are_allowed_and_nothing_beyond() {
    for (index, key) in keys().enumerate() {
        let Kind::Whole { min, max, .. } = key.domain.kind else { continue };
        for number in [min, max] {
            let text = number.to_string();
            let found = key.domain.kind.untyped(&text).expect(key.name);
            // The field's type holds it: `of` would panic.
            let values = keys().enumerate().map(|(other, key)| {
                if other == index { found.clone() } else { key.domain.default_value() }
            });
            let _ = Config::of(values);
        }
        for number in [min.checked_sub(1), max.checked_add(1)].into_iter().flatten() {
            assert_eq!(key.domain.kind.whole(number), None, "{} {number}", key.name);
        }
    }
}

#[test]
fn every_key_can_be_set_in_a_file_and_by_its_variable() {
    for key in keys() {
        let (toml_text, text) = match key.domain.kind {
            Kind::Whole { min, max, .. } => {
                let is_max = key.domain.default_value() == Value::Whole(max);
                let number = if is_max { min } else { max };
                (number.to_string(), number.to_string())
            }
            Kind::Switch => ("true".to_owned(), "true".to_owned()),
            Kind::Address { .. } => ("\"[::1]:9\"".to_owned(), "[::1]:9".to_owned()),
            Kind::Origins => ("[\"https://a.b\", \"*\"]".to_owned(), "https://a.b, *".to_owned()),
            Kind::Path | Kind::Secret => ("\"elsewhere\"".to_owned(), "elsewhere".to_owned()),
        };
        let (section, short) = key.name.split_once('.').expect("a key has a section");
        assert_eq!(short, key.short);
        let text_of_file = format!("[{section}]\n{short} = {toml_text}\n");
        let found = toml(Path::new("t.toml"), &text_of_file).expect(key.name);
        let pair = [(OsString::from(key.variable()), OsString::from(text))];
        let named = layers::environment(pair.into_iter()).expect(key.name);
        let [Setting { value: of_file, .. }] = &found[..] else { panic!("{found:?}") };
        let [Setting { value: of_variable, .. }] = &named[..] else { panic!("{named:?}") };
        assert_eq!(of_file, of_variable, "{}", key.name);
        assert_ne!(*of_file, key.domain.default_value(), "{}", key.name);
    }
}

#[test]
fn variables_and_flags_are_unique() {
    let mut variables: Vec<String> = keys().map(Key::variable).collect();
    variables.extend(["TIDEGATE_CONFIG".to_owned(), "TIDEGATE_LOG".to_owned()]);
    let mut flags: Vec<&str> = keys().filter_map(|key| key.flag).collect();
    let (all, all_flags) = (variables.len(), flags.len());
    variables.sort();
    variables.dedup();
    flags.sort_unstable();
    flags.dedup();
    assert_eq!((variables.len(), flags.len()), (all, all_flags));
}

#[test]
fn origins_are_what_a_browser_sends() {
    let origins = keys().find(|key| key.name == "http.allowed_origins").unwrap();
    let allowed = |text: &str| origins.domain.kind.list(std::iter::once(text)).is_some();
    for text in ["*", "https://a.example", "http://localhost:5173", "http://[::1]:80", "app://x"] {
        assert!(allowed(text), "{text}");
    }
    for text in ["", "a.example", "https://", "https://a/", "https://a:x", "https://a b", "://a"] {
        assert!(!allowed(text), "{text}");
    }
    let many = vec!["*"; 257];
    assert!(origins.domain.kind.list(many[..256].iter().copied()).is_some());
    assert!(origins.domain.kind.list(many.iter().copied()).is_none());
    let text = refusal("[http]\nallowed_origins = [\"a.example\"]\n", &[], &[]);
    assert!(text.contains("scheme://host[:port]"), "{text}");
}

#[test]
fn localhost_is_the_one_name_that_an_address_may_have() {
    let loaded = load("", &[], &[("listen.tcp", "localhost:9")]).unwrap();
    assert_eq!(loaded.config.listen.tcp, "127.0.0.1:9".parse().unwrap());
    refusal("", &[], &[("listen.tcp", "example.org:9")]);
    refusal("", &[], &[("listen.tcp", "")]);
    let none = load("[listen]\nadmin = \"127.0.0.1:9\"\n", &[("TIDEGATE_LISTEN_ADMIN", "")], &[]);
    assert_eq!(none.unwrap().config.listen.admin, None);
}

#[test]
fn a_secret_is_never_shown() {
    let loaded = load("", &[], &[("auth.manage_key", "opensesame")]).unwrap();
    let key = loaded.config.auth.manage_key.clone().unwrap();
    assert_eq!(key.reveal(), "opensesame");
    let shown = format!("{:?} {:?} {}", loaded, key, loaded.to_toml());
    assert!(!shown.contains("sesame"), "{shown}");
    assert!(shown.contains("# manage_key is set and not shown # flag --manage-key"), "{shown}");
    for text in [
        refusal("[auth]\nmanage_key = \"open sesame\"\n", &[], &[]),
        refusal("", &[("TIDEGATE_AUTH_MANAGE_KEY", "open sesame")], &[]),
        refusal("", &[], &[("auth.manage_key", "open sesame")]),
    ] {
        assert!(!text.contains("sesame"), "{text}");
        assert!(text.contains("allowed is 1 to 4_096 visible ASCII characters"), "{text}");
    }
}

#[test]
fn the_printed_configuration_reads_back_the_same() {
    let flags: Flags<'_> = &[
        ("listen.admin", "127.0.0.1:9"),
        ("store.data_dir", "a \"quoted\"\\path\u{1}"),
        ("debug.routes", "true"),
    ];
    let variables = [("TIDEGATE_HTTP_ALLOWED_ORIGINS", "https://a.b,http://c:1")];
    let first = load("[lease]\nrequests = 5\n", &variables, flags).unwrap();
    let text = first.to_toml();
    let second = load(&text, &[], &[]).expect("what is printed is a configuration file");
    assert_eq!(first.config, second.config);
    assert!(text.contains("requests = 5 # "), "{text}");
    assert!(text.lines().filter(|line| line.starts_with('#')).all(|line| line.len() <= 100));
}

#[test]
fn the_page_is_fresh() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().expect("docs")).expect("the checkout is writable");
        std::fs::write(&path, page::page()).expect("the checkout is writable");
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == page::page(),
        "docs/configuration.md is stale: UPDATE_DOCS=1 cargo test --lib page_is_fresh"
    );
}

#[test]
fn every_bound_of_the_conformance_page_has_a_key_or_a_reason() {
    let names = |text: &str, rule: &str| {
        text.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').any(|word| word == rule)
    };
    for number in 1..=20 {
        let rule = format!("R-LIM-{number}");
        let keyed = keys().any(|key| names(key.doc, &rule));
        let excused = page::WITHOUT_KEY.iter().any(|(excused, _)| *excused == rule);
        assert!(keyed != excused, "{rule}: key {keyed}, reason {excused}");
    }
    assert_eq!(SECTIONS.iter().map(|section| section.keys.len()).sum::<usize>(), keys().count());
}

proptest! {
    #[test]
    fn a_refusal_is_one_line_whatever_is_written(
        section in "[a-z\"\n ]{0,8}|limits|auth|http",
        key in "[a-z\"\\\\nu0\n]{0,8}|connections_max|manage_key|allowed_origins",
        value in ".{0,12}|\"[^\"]{0,300}\"|'''[^']{0,300}'''|[0-9_-]{1,30}",
        variable in "\\PC{0,12}|.{0,300}",
    ) {
        let text = format!("[{section}]\n{key} = {value}\n");
        if let Err(error) = toml(Path::new("t.toml"), &text) {
            let shown = error.to_string();
            prop_assert!(!shown.contains(char::is_control), "{shown:?}");
            prop_assert!(shown.chars().count() < 700, "{shown}");
        }
        let pairs = [
            (OsString::from(format!("TIDEGATE_{variable}")), OsString::new()),
            (OsString::from("TIDEGATE_LEASE_TTL_MS"), OsString::from(&variable)),
        ];
        for pair in pairs {
            if let Err(error) = layers::environment(std::iter::once(pair)) {
                let shown = error.to_string();
                prop_assert!(!shown.contains(char::is_control), "{shown:?}");
            }
        }
    }
}
