//! Which pages may open a WebSocket: browsers send `Origin`, and nothing else stops another site's
//! page from connecting in a user's name.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Uri, header};

/// The rule of DESIGN section 4: the listed origins, else the same host name whatever the port, and
/// any loopback name on a loopback listener. A client that sends no `Origin` is no browser and is
/// let in.
#[derive(Debug)]
pub(super) struct OriginPolicy {
    allowed: Vec<String>,
    loopback: bool,
}

impl OriginPolicy {
    /// `listener` is the address that pages reach.
    pub(super) fn new(allowed: Vec<String>, listener: SocketAddr) -> Self {
        Self { allowed, loopback: listener.ip().is_loopback() }
    }

    /// Whether this handshake may go on; else what to do about it.
    pub(super) fn check(&self, headers: &HeaderMap, peer: SocketAddr) -> Result<(), String> {
        let Some(origin) = headers.get(header::ORIGIN) else { return Ok(()) };
        let origin = origin.to_str().unwrap_or("");
        let allowed = if self.allowed.is_empty() {
            self.is_same_host(origin, headers)
        } else {
            self.allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
        };
        if allowed {
            return Ok(());
        }
        tracing::info!(%peer, origin, "a WebSocket was refused for its origin");
        Err(format!("origin '{origin}' may not connect: add it to http.allowed_origins"))
    }

    fn is_same_host(&self, origin: &str, headers: &HeaderMap) -> bool {
        let Some(from) = host_of(origin) else { return false };
        let own = headers.get(header::HOST).and_then(|host| host.to_str().ok());
        let same = own.and_then(|host| host_of(&format!("http://{host}")));
        same.is_some_and(|own| own == from) || (self.loopback && is_loopback(&from))
    }
}

/// The host name of an origin, lower-case and without its port.
fn host_of(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    uri.host().map(|host| host.trim_matches(['[', ']']).to_ascii_lowercase())
}

fn is_loopback(host: &str) -> bool {
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(policy: &OriginPolicy, origin: Option<&str>, host: &str) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(header::HOST, host.parse().unwrap());
        if let Some(origin) = origin {
            headers.insert(header::ORIGIN, origin.parse().unwrap());
        }
        policy.check(&headers, "127.0.0.1:1".parse().unwrap()).is_ok()
    }

    #[test]
    fn a_page_of_the_same_host_may_connect_whatever_its_port() {
        let policy = OriginPolicy::new(Vec::new(), "192.0.2.1:80".parse().unwrap());
        assert!(check(&policy, Some("https://live.example:3000"), "live.example:8080"));
        assert!(!check(&policy, Some("https://evil.example"), "live.example:8080"));
        assert!(!check(&policy, Some("null"), "live.example:8080"));
        assert!(!check(&policy, Some("http://localhost:3000"), "live.example"));
    }

    #[test]
    fn a_loopback_listener_takes_any_loopback_name() {
        let policy = OriginPolicy::new(Vec::new(), "127.0.0.1:8080".parse().unwrap());
        for origin in ["http://localhost:5173", "http://127.0.0.1:1", "http://[::1]:3000"] {
            assert!(check(&policy, Some(origin), "127.0.0.1:8080"), "{origin}");
        }
        assert!(!check(&policy, Some("http://evil.example"), "127.0.0.1:8080"));
    }

    #[test]
    fn listed_origins_are_the_only_ones() {
        let allowed = vec!["https://a.example".to_owned()];
        let policy = OriginPolicy::new(allowed, "127.0.0.1:8080".parse().unwrap());
        assert!(check(&policy, Some("https://a.example"), "x"));
        assert!(!check(&policy, Some("http://localhost"), "localhost"));
        assert!(check(&policy, None, "x"), "a client without Origin is no browser");
    }
}
