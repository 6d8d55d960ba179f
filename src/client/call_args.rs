//! The command line of `tidegate call`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use clap::builder::RangedI64ValueParser;
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, ValueEnum};

/// Greatest credit that one REQUEST_N grants (R-HDR-3).
const CREDIT_MAX: i64 = (1 << 31) - 1;
/// Longest tag of a route, bytes: its length is one byte.
const ROUTE_BYTES_MAX: usize = 255;
/// Longest MIME type that composite metadata can name, bytes (R-COMP-4).
const MIME_BYTES_MAX: usize = 128;
/// Longest `--wait`, seconds.
const WAIT_SECONDS_MAX: f64 = 86_400.0;
/// Where a URL names no port or path.
const TCP_PORT: u16 = 7000;
const WS_PORT: u16 = 80;
const WS_PATH: &str = "/rsocket";

const EXAMPLES: &str = "\
Each item that comes back is one line. Exit codes: 0 done, 1 an ERROR frame (its code and message on
standard error), 2 usage, 3 connection.

Examples:
  tidegate call request tcp://127.0.0.1:7000 debug.echo --data '{\"hello\":\"world\"}'
  tidegate call stream ws://127.0.0.1:8080 debug.count -n 5 --wait 2
  tidegate call stream tcp://127.0.0.1:7000 event.launch.reactions -n 10 --follow
  tidegate call fnf tcp://127.0.0.1:7000 event.launch.react --user ada --data '{\"emoji\":\"🎉\"}'
  seq 5 | tidegate call channel tcp://127.0.0.1:7000 debug.echo --data -";

/// What `tidegate call` was asked to do.
#[derive(Args, Clone)]
#[command(after_help = EXAMPLES)]
pub struct CallArgs {
    /// What to send.
    #[arg(value_enum)]
    pub interaction: CallInteraction,
    /// The server.
    #[arg(help = "Server: tcp://HOST[:PORT] or ws://HOST[:PORT][/PATH]")]
    pub url: CallUrl,
    /// Route, such as event.launch.reactions.
    #[arg(value_parser = route)]
    pub route: String,
    /// Ask for N items of a stream or channel, then cancel; without it, items until the end.
    #[arg(short = 'n', value_name = "N", value_parser = credit())]
    pub n: Option<u32>,
    /// What to send: the text itself, @FILE for the content of a file, - for standard input (on a
    /// channel one item a line, as credit allows).
    #[arg(long, value_name = "JSON|@FILE|-", allow_hyphen_values = true)]
    pub data: Option<CallData>,
    /// User that SETUP names; anonymous without it.
    #[arg(long, value_name = "ID")]
    pub user: Option<String>,
    /// Bearer token for routes that manage.
    #[arg(long, value_name = "KEY")]
    pub bearer: Option<String>,
    /// MIME type of the data, as it is sent.
    #[arg(long, value_name = "TYPE", default_value = "application/json", value_parser = mime)]
    pub mime: String,
    /// Ask for N more each time instead of cancelling (10 without -n).
    #[arg(long)]
    pub follow: bool,
    /// Stay for this long after the last item, to show that no more come.
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub wait: Option<Duration>,
}

/// The interaction to start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CallInteraction {
    /// One request, one response.
    Request,
    /// One request, many items.
    Stream,
    /// Items both ways.
    Channel,
    /// Fire-and-forget: one request, no response.
    Fnf,
    /// METADATA_PUSH.
    Push,
}

impl CallInteraction {
    /// Whether several items may come back, so that credit is the caller's to give.
    #[must_use]
    pub const fn is_streaming(self) -> bool {
        matches!(self, Self::Stream | Self::Channel)
    }
}

impl CallArgs {
    /// Check what no single argument shows.
    ///
    /// # Errors
    /// A usage error; [`clap::Error::exit`] prints it and ends with code 2.
    pub fn check(&self) -> Result<(), clap::Error> {
        let streaming = self.interaction.is_streaming();
        let wrong = match (self.n.is_some(), self.follow) {
            (true, _) if !streaming => "-n",
            (_, true) if !streaming => "--follow",
            (true | false, true | false) => return Ok(()),
        };
        let text = format!("{wrong} is for `stream` and `channel` alone");
        Err(Usage::command().error(ErrorKind::ArgumentConflict, text))
    }
}

/// The command that usage errors of [`CallArgs::check`] speak for.
#[derive(Parser)]
#[command(name = "tidegate call")]
struct Usage {
    #[command(flatten)]
    _args: CallArgs,
}

/// Where the data comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallData {
    /// The argument itself.
    Text(String),
    /// The content of a file.
    File(PathBuf),
    /// Standard input.
    Stdin,
}

impl FromStr for CallData {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.strip_prefix('@') {
            Some("") => Err("a file name follows the @"),
            Some(path) => Ok(Self::File(PathBuf::from(path))),
            None if text == "-" => Ok(Self::Stdin),
            None => Ok(Self::Text(text.to_owned())),
        }
    }
}

/// A server's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallUrl {
    /// `tcp://`.
    Tcp {
        /// Name or IP address, without brackets.
        host: String,
        /// Port; 7000 when the URL names none.
        port: u16,
    },
    /// `ws://`.
    WebSocket {
        /// Name or IP address, without brackets.
        host: String,
        /// Port; 80 when the URL names none.
        port: u16,
        /// Path with its query; `/rsocket` when the URL names none.
        path: String,
    },
}

impl CallUrl {
    /// Host and port as the `Host` header and a resolver take them; IPv6 is in brackets.
    #[must_use]
    pub fn authority(&self) -> String {
        let (Self::Tcp { host, port } | Self::WebSocket { host, port, .. }) = self;
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

impl fmt::Display for CallUrl {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { .. } => write!(formatter, "tcp://{}", self.authority()),
            Self::WebSocket { path, .. } => write!(formatter, "ws://{}{path}", self.authority()),
        }
    }
}

impl FromStr for CallUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const SCHEMES: &str = "a URL begins with tcp:// or ws://";
        let (scheme, rest) = text.split_once("://").ok_or(SCHEMES)?;
        if text.bytes().any(|byte| !byte.is_ascii_graphic()) {
            return Err("a URL has neither spaces nor characters beyond ASCII");
        }
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        match scheme {
            "tcp" if path.is_empty() || path == "/" => {
                let (host, port) = host_and_port(authority, TCP_PORT)?;
                Ok(Self::Tcp { host, port })
            }
            "tcp" => Err("a tcp:// URL has no path"),
            "ws" if path.is_empty() || path.starts_with('/') && !path.contains('#') => {
                let (host, port) = host_and_port(authority, WS_PORT)?;
                let path = if path.is_empty() { WS_PATH } else { path }.to_owned();
                Ok(Self::WebSocket { host, port, path })
            }
            "ws" => Err("the path of a ws:// URL begins with / and has no #"),
            "wss" | "tls" => Err("TLS is not supported; use ws:// or tcp://"),
            _ => Err(SCHEMES),
        }
    }
}

fn host_and_port(authority: &str, default: u16) -> Result<(String, u16), &'static str> {
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) =
                rest.split_once(']').ok_or("the ] after an IPv6 address is missing")?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
        }
        None => {
            let (host, port) = authority.split_once(':').unwrap_or((authority, ""));
            (host, Some(port))
        }
    };
    let port = match port {
        Some("") => default,
        Some(digits) => digits.parse().map_err(|_| "a port is a number from 1 to 65535")?,
        None => return Err("a port follows the ] after a colon"),
    };
    if host.is_empty() || host.contains('@') {
        return Err("a URL names a host, and no user");
    }
    if port == 0 {
        return Err("a port is a number from 1 to 65535");
    }
    Ok((host.to_owned(), port))
}

fn credit() -> RangedI64ValueParser<u32> {
    RangedI64ValueParser::new().range(1..=CREDIT_MAX)
}

fn route(text: &str) -> Result<String, String> {
    match text.len() {
        1..=ROUTE_BYTES_MAX => Ok(text.to_owned()),
        _ => Err(format!("a route has 1 to {ROUTE_BYTES_MAX} bytes")),
    }
}

fn mime(text: &str) -> Result<String, String> {
    let plain = text.contains('/') && text.bytes().all(|byte| byte.is_ascii_graphic());
    if plain && text.len() <= MIME_BYTES_MAX {
        return Ok(text.to_owned());
    }
    Err(format!("a MIME type is like application/json, up to {MIME_BYTES_MAX} ASCII characters"))
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.0..=WAIT_SECONDS_MAX).contains(&seconds) => {
            Ok(Duration::from_secs_f64(seconds))
        }
        Ok(_) | Err(_) => Err(format!("seconds are a number from 0 to {WAIT_SECONDS_MAX}")),
    }
}

#[cfg(test)]
mod tests;
