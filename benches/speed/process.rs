//! Servers as processes, and what the kernel says of them.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Clock ticks a second in `/proc/PID/stat`: USER_HZ, which is 100 on every Linux port in use.
const TICKS: f64 = 100.0;

/// A server process; it ends with the value.
pub(crate) struct Server {
    child: Child,
    port: u16,
}

/// What a process has used.
pub(crate) struct Usage {
    /// User and system time, seconds.
    pub(crate) cpu: f64,
    /// Resident now.
    pub(crate) resident_bytes: u64,
    /// Most that was ever resident.
    pub(crate) peak_bytes: u64,
}

impl Server {
    pub(crate) async fn tidegate(binary: &Path) -> Self {
        let (tcp, http) = (free_port(), free_port());
        let mut command = Command::new(binary);
        command
            .args(["serve", "--ephemeral", "--debug-routes"])
            .args(["--tcp", &format!("127.0.0.1:{tcp}")])
            .args(["--http", &format!("127.0.0.1:{http}")])
            .env("TIDEGATE_LOG", "warn");
        Self::start(command, tcp).await
    }

    pub(crate) async fn peer(binary: &Path) -> Self {
        let port = free_port();
        let mut command = Command::new(binary);
        command.arg(format!("127.0.0.1:{port}"));
        Self::start(command, port).await
    }

    async fn start(mut command: Command, port: u16) -> Self {
        let child = command.stdout(Stdio::null()).stderr(Stdio::inherit()).spawn().unwrap();
        let server = Self { child, port };
        for _ in 0..500 {
            if tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
                return server;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{command:?} did not listen");
    }

    pub(crate) fn url(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    pub(crate) fn usage(&self) -> Usage {
        let pid = self.child.id();
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        // The name in parentheses may hold spaces; utime and stime are the 12th and 13th after it.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        let ticks: f64 = fields[11..13].iter().map(|field| field.parse::<f64>().unwrap()).sum();
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let kib = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
        };
        Usage { cpu: ticks / TICKS, resident_bytes: kib("VmRSS"), peak_bytes: kib("VmHWM") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
