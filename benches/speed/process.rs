//! Servers as processes, and what the kernel says of them.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

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
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
        let kib = |key: &str| {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
        };
        Usage { cpu: cpu_seconds(pid), resident_bytes: kib("VmRSS"), peak_bytes: kib("VmHWM") }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Time on a processor of every thread, which the scheduler counts in nanoseconds; `/proc/PID/stat`
/// counts in hundredths of a second. Threads that have ended are not in it: servers keep theirs.
fn cpu_seconds(pid: u32) -> f64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let on_cpu = |task: std::io::Result<std::fs::DirEntry>| -> u64 {
        let text = std::fs::read_to_string(task.unwrap().path().join("schedstat")).unwrap();
        text.split_whitespace().next().unwrap().parse().unwrap()
    };
    tasks.map(on_cpu).sum::<u64>() as f64 / 1e9
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
