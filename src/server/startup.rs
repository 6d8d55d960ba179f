//! What a start needs from the machine, gained before any task runs: the configuration, open
//! files, the data directory, the listeners. Whatever is missing is one line that says what to do.

use std::fs::{self, File, TryLockError};
use std::io::{self, IsTerminal, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use rlimit::Resource;
use socket2::{Domain, Protocol, Socket, Type};
use tracing_subscriber::EnvFilter;

use super::args::ServeArgs;
use super::config::{ConfigError, Listen, Loaded};
use super::serve::serve;

/// Exit code of a start that could not happen.
const REFUSED: u8 = 2;
/// Open files beside connections: listeners, the poller, standard streams, the store.
const OPEN_FILES_BESIDE: u64 = 64;
/// Connections that the kernel completes ahead of `accept`, at most.
const BACKLOG: i32 = 4_096;

/// Why the server cannot start. The text is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration is refused.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The log filter cannot be read.
    #[error("{variable} is not a log filter ({error}); set it to info or tidegate=debug")]
    LogFilter {
        /// The environment variable.
        variable: &'static str,
        /// Why.
        error: String,
    },
    /// The process may not open enough files.
    #[error(
        "{limit} open files are allowed, limits.connections_max ({connections}) needs {needed}; \
         raise the hard limit (ulimit -Hn, LimitNOFILE) or lower limits.connections_max, {fitting}"
    )]
    OpenFiles {
        /// The limit after it was raised.
        limit: u64,
        /// The connections asked for.
        connections: usize,
        /// The open files that they need.
        needed: u64,
        /// The connections that would fit, in words.
        fitting: String,
    },
    /// The data directory is of no use.
    #[error(
        "cannot use the data directory {}: {problem}; choose another with --data-dir, or keep \
         everything in memory with --ephemeral", directory.display()
    )]
    DataDir {
        /// The directory.
        directory: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {problem}, or choose another address with {flag}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What is wrong, and one thing to do about it.
        problem: String,
        /// The flag that sets it.
        flag: &'static str,
    },
}

/// What the machine gave.
#[derive(Debug)]
pub struct Prepared {
    /// The configuration.
    pub loaded: Loaded,
    /// The listeners, bound and listening.
    pub listeners: Listeners,
    /// The data directory; `None` when everything is kept in memory.
    pub data_dir: Option<DataDir>,
}

/// Bound listeners, in non-blocking mode.
#[derive(Debug)]
pub struct Listeners {
    /// For RSocket over TCP.
    pub tcp: TcpListener,
    /// For HTTP.
    pub http: TcpListener,
    /// For operators.
    pub admin: Option<TcpListener>,
}

/// A data directory that this process alone uses for as long as the value lives.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    _lock: File,
}

impl DataDir {
    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }
}

/// Load the configuration, start the log, and take from the machine what the server needs.
///
/// # Errors
/// The first thing that is missing.
pub fn prepare(args: &ServeArgs) -> Result<Prepared, StartError> {
    let loaded = load(args)?;
    start_log()?;
    let config = &loaded.config;
    raise_open_files(config.limits.connections_max)?;
    // Before the directory, so that a port in use leaves nothing behind.
    let listeners = listen(&config.listen)?;
    let data_dir = match config.store.ephemeral {
        true => None,
        false => Some(open_data_dir(&config.store.data_dir)?),
    };
    Ok(Prepared { loaded, listeners, data_dir })
}

/// `tidegate config`: print the configuration in force.
#[must_use]
pub fn run_config(args: &ServeArgs) -> ExitCode {
    match load(args) {
        Ok(loaded) => match io::stdout().write_all(loaded.to_toml().as_bytes()) {
            // A reader that has seen enough is no failure.
            Ok(()) => ExitCode::SUCCESS,
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => ExitCode::SUCCESS,
            Err(_) => ExitCode::FAILURE,
        },
        Err(error) => refuse(&error.into()),
    }
}

/// `tidegate serve`.
#[must_use]
pub fn run_serve(args: &ServeArgs) -> ExitCode {
    match prepare(args) {
        Ok(prepared) => serve(prepared),
        Err(error) => refuse(&error),
    }
}

fn refuse(error: &StartError) -> ExitCode {
    eprintln!("tidegate: {error}");
    ExitCode::from(REFUSED)
}

fn load(args: &ServeArgs) -> Result<Loaded, ConfigError> {
    Loaded::load(args.config.as_deref(), std::env::vars_os(), &args.settings())
}

/// Log lines go to standard error; `TIDEGATE_LOG`, else `RUST_LOG`, says which.
fn start_log() -> Result<(), StartError> {
    let set = ["TIDEGATE_LOG", "RUST_LOG"]
        .into_iter()
        .filter_map(|variable| Some((variable, std::env::var(variable).ok()?)))
        .find(|(_, filter)| !filter.is_empty());
    let (variable, filter) = set.unwrap_or(("TIDEGATE_LOG", "info".to_owned()));
    let filter = EnvFilter::try_new(filter)
        .map_err(|error| StartError::LogFilter { variable, error: error.to_string() })?;
    // Someone who embeds the server may have a subscriber already: theirs stays.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(io::stderr)
        .with_ansi(io::stderr().is_terminal())
        .try_init();
    Ok(())
}

/// Raise the soft limit to the hard one, and see whether that is enough.
fn raise_open_files(connections: usize) -> Result<(), StartError> {
    // What cannot be raised is judged as it stands.
    let limit = rlimit::increase_nofile_limit(u64::MAX)
        .or_else(|_| Resource::NOFILE.get_soft())
        .unwrap_or(u64::MAX);
    check_open_files(limit, connections)
}

fn check_open_files(limit: u64, connections: usize) -> Result<(), StartError> {
    let needed = u64::try_from(connections).unwrap_or(u64::MAX).saturating_add(OPEN_FILES_BESIDE);
    if limit >= needed {
        return Ok(());
    }
    let fitting = match limit.saturating_sub(OPEN_FILES_BESIDE) {
        0 => format!("which leaves room from {} files on", OPEN_FILES_BESIDE + 1),
        room => format!("to {room} at most"),
    };
    Err(StartError::OpenFiles { limit, connections, needed, fitting })
}

/// Create the directory, lock it and prove that it can be written.
fn open_data_dir(directory: &Path) -> Result<DataDir, StartError> {
    let unusable =
        |problem: String| StartError::DataDir { directory: directory.to_owned(), problem };
    let failed = |error: io::Error| unusable(error.to_string());
    if directory.exists() && !directory.is_dir() {
        return Err(unusable("it is a file".to_owned()));
    }
    fs::create_dir_all(directory).map_err(failed)?;
    let lock = File::create(directory.join("lock")).map_err(failed)?;
    lock.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => unusable("another process uses it".to_owned()),
        TryLockError::Error(error) => failed(error),
    })?;
    let probe = directory.join("probe");
    fs::write(&probe, b"tidegate").and_then(|()| fs::remove_file(&probe)).map_err(failed)?;
    Ok(DataDir { path: directory.to_owned(), _lock: lock })
}

fn listen(addresses: &Listen) -> Result<Listeners, StartError> {
    let tcp = bind(addresses.tcp, "--tcp")?;
    let http = bind(addresses.http, "--http")?;
    let admin = addresses.admin.map(|address| bind(address, "--admin")).transpose()?;
    Ok(Listeners { tcp, http, admin })
}

fn bind(address: SocketAddr, flag: &'static str) -> Result<TcpListener, StartError> {
    let open = || {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
        // A restart must not wait for the last connections' TIME_WAIT.
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        io::Result::Ok(TcpListener::from(socket))
    };
    open().map_err(|error| StartError::Listen { address, problem: bind_problem(&error), flag })
}

fn bind_problem(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use; stop what holds it".to_owned(),
        io::ErrorKind::PermissionDenied => {
            "the port needs privileges; grant CAP_NET_BIND_SERVICE".to_owned()
        }
        io::ErrorKind::AddrNotAvailable => {
            "this machine has no such address; name one of its own".to_owned()
        }
        _ => format!("{error}; mend that"),
    }
}

#[cfg(test)]
mod tests;
