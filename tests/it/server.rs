//! A server process on free ports of the loopback interface, and what the system says of it.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// How long a start may take on a busy machine.
const START: Duration = Duration::from_secs(20);
/// What is kept of the log, bytes.
const LOG_MAX: usize = 1 << 20;
/// `/proc` counts processor time in hundredths of a second on every Linux.
const TICKS_PER_SECOND: u64 = 100;

/// A running server; it is killed when this is dropped.
pub struct Server {
    child: Child,
    pub tcp: SocketAddr,
    pub http: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Server {
    /// Starts one in memory, with the debug routes and these keys: `("limits.write_stall_ms",
    /// "2000")`.
    pub fn start(settings: &[(&str, &str)]) -> Self {
        Self::start_with(&["--ephemeral", "--debug-routes"], settings)
    }

    /// Starts one with these flags instead.
    pub fn start_with(flags: &[&str], settings: &[(&str, &str)]) -> Self {
        let mut command = command();
        command.args(["serve", "--tcp", "127.0.0.1:0", "--http", "127.0.0.1:0"]).args(flags);
        for (key, value) in settings {
            let name = format!("TIDEGATE_{}", key.replace('.', "_").to_ascii_uppercase());
            command.env(name, value);
        }
        let mut child = command.stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let kept = Arc::clone(&log);
        thread::spawn(move || keep(stderr, &kept));
        let until = Instant::now() + START;
        let (tcp, http) = loop {
            if let Some(addresses) = addresses(&log.lock().unwrap()) {
                break addresses;
            }
            if Instant::now() > until || child.try_wait().unwrap().is_some() {
                panic!("the server did not start: {}", log.lock().unwrap());
            }
            thread::sleep(Duration::from_millis(5));
        };
        let server = Self { child, tcp, http, log };
        assert_eq!(server.get("/readyz").0, 200, "{}", server.log());
        server
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it wrote to stderr so far.
    pub fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Resident memory now, bytes.
    pub fn memory(&self) -> u64 {
        self.status("VmRSS:") * 1024
    }

    /// The most resident memory that it had since [`Self::forget_peak`], bytes.
    pub fn memory_peak(&self) -> u64 {
        self.status("VmHWM:") * 1024
    }

    /// Peaks count from now on.
    pub fn forget_peak(&self) {
        fs::write(format!("/proc/{}/clear_refs", self.pid()), "5").unwrap();
    }

    pub fn threads(&self) -> u64 {
        self.status("Threads:")
    }

    /// Open file descriptors.
    pub fn descriptors(&self) -> usize {
        fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// Processor time so far.
    pub fn cpu(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).unwrap();
        // Fields are counted behind the command's name, which may hold anything.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
        Duration::from_millis(ticks * 1_000 / TICKS_PER_SECOND)
    }

    fn status(&self, field: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
        line.split_whitespace().next().unwrap().parse().unwrap()
    }

    /// `/metrics` as it is now.
    pub fn metrics(&self) -> Metrics {
        let (status, body) = self.get("/metrics");
        assert_eq!(status, 200, "{body}");
        let lines = body.lines().filter(|line| !line.starts_with('#'));
        let samples = lines.filter_map(|line| line.rsplit_once(' '));
        Metrics(samples.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }

    /// Waits until the metrics are as `done` wants them, or for 10 s; the last ones either way.
    pub fn metrics_when(&self, done: impl Fn(&Metrics) -> bool) -> Metrics {
        let until = Instant::now() + Duration::from_secs(10);
        loop {
            let metrics = self.metrics();
            if done(&metrics) || Instant::now() > until {
                return metrics;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// One HTTP request: its status and body.
    pub fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(START)).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.http)
            .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
    }

    /// Sends SIGTERM.
    pub fn terminate(&self) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for its end; `None` when it takes longer.
    pub fn wait(&mut self, within: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + within;
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() > until {
                return status;
            }
            thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Samples of `/metrics`, by name with labels.
pub struct Metrics(BTreeMap<String, String>);

impl Metrics {
    /// The sum of the samples of this name whose labels include all these; 0 when there is none.
    pub fn get(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        self.values(name, labels).map(|value| value.parse::<f64>().unwrap()).sum()
    }

    /// The same as a whole number.
    pub fn count(&self, name: &str, labels: &[(&str, &str)]) -> u64 {
        self.values(name, labels).map(|value| value.parse::<u64>().unwrap()).sum()
    }

    fn values(&self, name: &str, labels: &[(&str, &str)]) -> impl Iterator<Item = &String> {
        let wanted: Vec<String> = labels.iter().map(|(k, v)| format!("{k}=\"{v}\"")).collect();
        let is_it = move |sample: &str| {
            let (base, labels) = sample.split_once('{').unwrap_or((sample, ""));
            base == name && wanted.iter().all(|label| labels.contains(label.as_str()))
        };
        self.0.iter().filter(move |(sample, _)| is_it(sample)).map(|(_, value)| value)
    }
}

/// The binary, with none of this process's settings.
pub fn command() -> Command {
    let built = env!("CARGO_BIN_EXE_tidegate");
    let path = std::env::var("TIDEGATE_BIN").unwrap_or_else(|_| built.to_owned());
    let mut command = Command::new(path);
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("TIDEGATE_")) {
        command.env_remove(name);
    }
    command.stdin(Stdio::null());
    command
}

fn keep(stderr: impl BufRead, kept: &Mutex<String>) {
    for line in stderr.lines() {
        let Ok(line) = line else { return };
        let mut kept = kept.lock().unwrap();
        if kept.len() < LOG_MAX {
            kept.push_str(&line);
            kept.push('\n');
        }
    }
}

/// From the line that says that it is ready.
fn addresses(log: &str) -> Option<(SocketAddr, SocketAddr)> {
    let (_, line) = log.split_once("is ready: tcp://")?;
    let (tcp, rest) = line.split_once(" and ws://")?;
    let (http, _) = rest.split_once("/rsocket")?;
    Some((tcp.parse().ok()?, http.parse().ok()?))
}
