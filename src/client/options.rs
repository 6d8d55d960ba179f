//! What a client says about itself, and its bounds.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use serde::Serialize;

use super::Metadata;
use super::media::Encoding;
use crate::protocol::ClientSetup;
use crate::transport;
use crate::wire::Payload;

/// How to connect, and what SETUP says.
#[derive(Clone)]
pub struct Options {
    /// The user in SETUP's data; `None` is anonymous.
    pub user: Option<String>,
    /// The user's device in SETUP's data; only with a user.
    pub device: Option<String>,
    /// A bearer token: in the metadata of SETUP and of every request that is made by route.
    pub bearer: Option<String>,
    /// MIME type of all data, at most 127 bytes (R-SETUP-6).
    pub data_mime: String,
    /// How often KEEPALIVE is sent.
    pub keepalive: Duration,
    /// The longest silence of the responder that is tolerated.
    pub lifetime: Duration,
    /// Whether requests are limited by the responder's LEASE frames.
    pub lease: bool,
    /// How long connecting may take, with the WebSocket handshake.
    pub connect_timeout: Duration,
    /// Sent as SETUP's payload instead of what the fields above say.
    pub setup: Option<Payload>,
    /// Bounds of the connection, and where its counters are added up.
    pub transport: transport::Options,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            user: None,
            device: None,
            bearer: None,
            data_mime: "application/json".into(),
            keepalive: Duration::from_secs(20),
            lifetime: Duration::from_secs(90),
            lease: false,
            connect_timeout: Duration::from_secs(10),
            setup: None,
            transport: transport::Options::default(),
        }
    }
}

impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("user", &self.user)
            .field("device", &self.device)
            .field("bearer", &self.bearer.as_ref().map(|_| "[redacted]"))
            .field("data_mime", &self.data_mime)
            .field("keepalive", &self.keepalive)
            .field("lifetime", &self.lifetime)
            .field("lease", &self.lease)
            .field("connect_timeout", &self.connect_timeout)
            .field("transport", &self.transport)
            .finish_non_exhaustive()
    }
}

/// SETUP's data.
#[derive(Serialize)]
struct Introduction<'a> {
    user: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    device: Option<&'a str>,
}

impl Options {
    pub(super) fn to_setup(&self) -> ClientSetup {
        const COMPOSITE: &[u8] = b"message/x.rsocket.composite-metadata.v0";
        ClientSetup {
            keepalive: self.keepalive,
            lifetime: self.lifetime,
            lease: self.lease,
            metadata_mime: Bytes::from_static(COMPOSITE),
            data_mime: Bytes::copy_from_slice(self.data_mime.as_bytes()),
            payload: self.setup.clone().unwrap_or_else(|| self.introduction()),
        }
    }

    fn introduction(&self) -> Payload {
        let data = self.user.as_deref().map(|user| {
            let introduction = Introduction { user, device: self.device.as_deref() };
            Encoding::of(&self.data_mime).encode(&introduction)
        });
        // A token that cannot be encoded is an error of every request that carries it.
        let metadata =
            self.bearer.as_deref().and_then(|token| Metadata::new().bearer(token).finish().ok());
        Payload { metadata, data: data.unwrap_or_default() }
    }
}
