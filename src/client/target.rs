//! Where to connect: `tcp://host:port` or `ws://host[:port][/path]`.

use http::Uri;

use super::ConnectError;

/// A URL that [`connect`](super::connect) can use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Target {
    /// RSocket frames with length prefixes.
    Tcp {
        /// Host and port, as the resolver takes them.
        address: String,
    },
    /// RSocket over WebSocket.
    WebSocket {
        /// Host and port, as the resolver takes them.
        address: String,
        /// The `Host` header: as it was written.
        host: String,
        /// Path and query; `/rsocket` when the URL has none.
        path: String,
    },
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// [`ConnectError::Url`], which says what is expected.
    pub fn parse(url: &str) -> Result<Self, ConnectError> {
        let fail = |problem| ConnectError::Url { url: url.to_owned(), problem };
        let expected = "expected tcp://HOST:PORT or ws://HOST[:PORT][/PATH]";
        let uri: Uri = url.parse().map_err(|_| fail(expected))?;
        let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(fail(expected));
        };
        if authority.host().is_empty() || authority.as_str().contains('@') {
            return Err(fail(expected));
        }
        // A port that is there but is none (":x", ":99999") must not become the default.
        let port = authority.port_u16();
        if port.is_none() && authority.as_str() != authority.host() {
            return Err(fail("the port must be a number from 1 to 65535"));
        }
        match scheme {
            "tcp" => {
                let port = port.ok_or_else(|| fail("tcp:// needs a port: tcp://HOST:PORT"))?;
                if uri.path() != "/" || uri.query().is_some() {
                    return Err(fail("tcp:// takes no path: tcp://HOST:PORT"));
                }
                Ok(Self::Tcp { address: address(authority.host(), port) })
            }
            "ws" => {
                let given = uri.path_and_query().map_or("/", |path| path.as_str());
                let path = if given == "/" { "/rsocket" } else { given };
                Ok(Self::WebSocket {
                    address: address(authority.host(), port.unwrap_or(80)),
                    host: authority.as_str().to_owned(),
                    path: path.to_owned(),
                })
            }
            "wss" => Err(fail("TLS is not supported: use ws://, or a proxy that ends it")),
            _ => Err(fail(expected)),
        }
    }

    /// Host and port.
    #[must_use]
    pub fn address(&self) -> &str {
        match self {
            Self::Tcp { address } | Self::WebSocket { address, .. } => address,
        }
    }
}

fn address(host: &str, port: u16) -> String {
    format!("{host}:{port}")
}
