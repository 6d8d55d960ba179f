//! What a line measured, beside its limit.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How much of it is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Size {
    /// Seconds, in every `cargo test`: what comes out and what it holds is checked, how fast it is
    /// is not.
    Ci,
    /// As the promise states it, on the release build.
    Stated,
}

impl Size {
    /// `ACCEPTANCE=1` asks for the stated size.
    pub fn of_run() -> Self {
        match std::env::var("ACCEPTANCE") {
            Ok(value) if value == "1" => Self::Stated,
            _ => Self::Ci,
        }
    }

    pub fn pick<T>(self, ci: T, stated: T) -> T {
        match self {
            Self::Ci => ci,
            Self::Stated => stated,
        }
    }
}

/// The figures of one line. [`Self::finish`] has to be called.
pub struct Figures {
    line: &'static str,
    size: Size,
    text: String,
    failed: Vec<String>,
}

impl Figures {
    pub fn new(line: &'static str, size: Size) -> Self {
        Self { line, size, text: String::new(), failed: Vec::new() }
    }

    /// A promise about what comes out: checked in every size.
    pub fn holds(&mut self, figure: &str, limit: &str, holds: bool) {
        self.row(figure, limit, holds, true);
    }

    /// A count that has to be exactly this, in every size.
    pub fn exactly(&mut self, what: &str, count: u64, wanted: u64) {
        let limit = format!("exactly {wanted}");
        self.row(&format!("{what}: {count}"), &limit, count == wanted, true);
    }

    /// Bytes held, checked in every size.
    pub fn bytes_below(&mut self, what: &str, bytes: u64, limit: u64) {
        let figure = format!("{what}: {}", kib(bytes));
        self.row(&figure, &format!("below {}", kib(limit)), bytes < limit, true);
    }

    /// A duration, checked in the stated size.
    pub fn time_below(&mut self, what: &str, time: Duration, limit: Duration) {
        let figure = format!("{what}: {:.1} ms", time.as_secs_f64() * 1e3);
        let limit_text = format!("below {:.0} ms", limit.as_secs_f64() * 1e3);
        self.row(&figure, &limit_text, time < limit, false);
    }

    /// Any other figure whose limit concerns the stated size alone.
    pub fn measured(&mut self, figure: &str, limit: &str, holds: bool) {
        self.row(figure, limit, holds, false);
    }

    /// A figure without a limit.
    pub fn note(&mut self, figure: &str) {
        println!("{figure}");
        writeln!(self.text, "{figure}").unwrap();
    }

    fn row(&mut self, figure: &str, limit: &str, holds: bool, always: bool) {
        let verdict = if holds { "ok" } else { "FAILED" };
        let row = format!("{figure} · {limit} · {verdict}");
        println!("{row}");
        writeln!(self.text, "{row}").unwrap();
        if !holds && (always || self.size == Size::Stated) {
            self.failed.push(row);
        }
    }

    /// Writes the stated run down and fails if a figure is beyond its limit.
    pub fn finish(self) {
        if self.size == Size::Stated {
            let root = Path::new(env!("CARGO_MANIFEST_DIR"));
            let path = root.join("tests/acceptance").join(format!("{}.txt", self.line));
            fs::write(path, self.page()).unwrap();
        }
        assert!(self.failed.is_empty(), "{}:\n{}", self.line, self.failed.join("\n"));
    }

    fn page(&self) -> String {
        let cores = std::thread::available_parallelism().unwrap();
        let build = if cfg!(debug_assertions) { "debug" } else { "release" };
        let date = output("date", &["-u", "+%F %R UTC"]);
        let commit = output("git", &["rev-parse", "--short", "HEAD"]);
        let head = format!("make acceptance LINE={}", self.line);
        let machine = format!("{date} · {cores} cores · {build} build of {commit}");
        format!("{head}\n{machine}\n\n{}", self.text)
    }
}

fn output(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

fn kib(bytes: u64) -> String {
    format!("{}.{} KiB", bytes / 1024, bytes % 1024 * 10 / 1024)
}
