//! Who asks, and what they may do.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;

use super::error::quote;
use super::{MediaType, RouteError};
use crate::wire::Auth;

/// Who opened a connection, as far as the [`Authenticator`] believes it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Principal {
    /// The user; `None` for an anonymous one.
    pub user: Option<String>,
    /// Which of the user's devices or tabs.
    pub device: Option<String>,
    /// Whether routes that need [`Access::Manage`] are open to it.
    pub manage: bool,
}

/// What a route does, and so what it asks of a principal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Access {
    /// It tells what is there.
    Read,
    /// It adds to it.
    Write,
    /// It controls it: moderation, waiting rooms, seasons.
    Manage,
}

impl Access {
    /// The name that documents and messages use.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Manage => "manage",
        }
    }
}

/// The data of a SETUP: who the client says it is. Unknown fields are ignored.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// 1 to 128 bytes without control characters; nothing for an anonymous client.
    #[serde(default)]
    pub user: Option<String>,
    /// As `user`: which of the user's devices or tabs.
    #[serde(default)]
    pub device: Option<String>,
}

impl Identity {
    /// The longest user or device, bytes.
    pub const LEN_MAX: usize = 128;

    /// Reads SETUP's data: in its MIME type, as JSON when that is not MessagePack, or none at all.
    ///
    /// # Errors
    /// [`RouteError::Data`] when it is something else.
    pub fn read(media: &MediaType, data: &[u8]) -> Result<Self, RouteError> {
        if data.is_empty() {
            return Ok(Self::default());
        }
        let identity: Self = media.identity_encoding().decode(data)?;
        check("user", identity.user.as_deref())?;
        check("device", identity.device.as_deref())?;
        Ok(identity)
    }
}

fn check(field: &str, value: Option<&str>) -> Result<(), RouteError> {
    let Some(value) = value else { return Ok(()) };
    if value.is_empty() || value.len() > Identity::LEN_MAX || value.chars().any(char::is_control) {
        let max = Identity::LEN_MAX;
        let text = format!("{field} must be 1 to {max} bytes of text, not {}", quote(value));
        return Err(RouteError::Data(text.into()));
    }
    Ok(())
}

/// What a client shows to prove who it is: the first authentication entry of the metadata, whatever
/// follows it (R-AUTH-6).
#[derive(Clone, Debug)]
pub enum Credential {
    /// An entry that could be read.
    Shown(Auth),
    /// An entry that could not (R-AUTH-4).
    Unreadable,
}

/// Why an [`Authenticator`] refused: text for the client, without secrets (R-AUTH-4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial(pub Cow<'static, str>);

/// Decides who a client is and what it may do. Called on the connection's own task: it must not
/// block.
pub trait Authenticator: Send + Sync {
    /// Who opens a connection.
    ///
    /// # Errors
    /// [`Denial`], which rejects the SETUP.
    fn authenticate(
        &self,
        identity: Identity,
        credential: Option<&Credential>,
    ) -> Result<Principal, Denial>;

    /// Whether a principal may use a route of this class; `credential` came with the request.
    ///
    /// # Errors
    /// [`Denial`], which refuses the request with REJECTED and a text that says not to retry.
    fn authorize(
        &self,
        principal: &Principal,
        access: Access,
        credential: Option<&Credential>,
    ) -> Result<(), Denial>;
}

/// The authenticator until there are tokens: everyone is who they say they are and may read and
/// write; managing needs the manage key as a bearer token, in SETUP or in the request.
///
/// A SETUP with another credential is let in: it proves nothing that this authenticator asks for.
#[derive(Default)]
pub struct Open {
    manage_key: Option<Box<[u8]>>,
}

impl Open {
    /// With the key that opens `manage` routes; without one they are closed to everybody. An empty
    /// key is none.
    #[must_use]
    pub fn new(manage_key: Option<&str>) -> Self {
        let key = manage_key.filter(|key| !key.is_empty());
        Self { manage_key: key.map(|key| key.as_bytes().into()) }
    }

    fn opens(&self, credential: Option<&Credential>) -> bool {
        let (Some(key), Some(Credential::Shown(Auth::Bearer(token)))) =
            (&self.manage_key, credential)
        else {
            return false;
        };
        // In constant time for keys of one length, so that nobody guesses it byte by byte.
        key.ct_eq(token.as_bytes()).into()
    }
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let key = self.manage_key.as_ref().map(|_| "(hidden)");
        f.debug_struct("Open").field("manage_key", &key).finish()
    }
}

impl Authenticator for Open {
    fn authenticate(
        &self,
        identity: Identity,
        credential: Option<&Credential>,
    ) -> Result<Principal, Denial> {
        let Identity { user, device } = identity;
        Ok(Principal { user, device, manage: self.opens(credential) })
    }

    fn authorize(
        &self,
        principal: &Principal,
        access: Access,
        credential: Option<&Credential>,
    ) -> Result<(), Denial> {
        match access {
            Access::Read | Access::Write => Ok(()),
            Access::Manage if self.manage_key.is_none() => {
                Err(Denial("managing is closed: the server runs without --manage-key".into()))
            }
            Access::Manage if principal.manage || self.opens(credential) => Ok(()),
            Access::Manage => Err(Denial("managing needs the manage key as a bearer token".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bearer(token: &str) -> Credential {
        Credential::Shown(Auth::Bearer(token.to_owned()))
    }

    #[test]
    fn setup_data_tells_who_it_is() {
        let json = br#"{"user":"ada","device":"tab-1","theme":"dark"}"#;
        let ada = Identity { user: Some("ada".into()), device: Some("tab-1".into()) };
        for mime in ["application/json", "text/plain", "application/cbor"] {
            assert_eq!(Identity::read(&MediaType::new(mime), json).unwrap(), ada);
        }
        let packed = b"\x81\xA4user\xA3ada";
        let identity = Identity::read(&MediaType::MessagePack, packed).unwrap();
        assert_eq!((identity.user.as_deref(), identity.device), (Some("ada"), None));
        let nobody = Identity::read(&MediaType::MessagePack, b"").unwrap();
        assert_eq!(nobody, Identity::default());
    }

    #[test]
    fn setup_data_that_is_no_identity_is_refused_with_its_field() {
        let refuse = |data: &str| {
            Identity::read(&MediaType::Json, data.as_bytes()).unwrap_err().message().into_owned()
        };
        assert!(refuse(r#"{"user":7}"#).contains("field user"));
        assert!(refuse(r#"{"user":""}"#).contains("user must be 1 to 128 bytes"));
        assert!(refuse(r#"{"device":"a\u0000b"}"#).contains("device must be"));
        assert!(refuse(&format!(r#"{{"user":"{}"}}"#, "x".repeat(129))).contains("user must be"));
        assert!(refuse("hello").starts_with("bad data: JSON"));
    }

    #[test]
    fn manage_needs_the_key_in_setup_or_request() {
        let open = Open::new(Some("s3cret"));
        let (right, wrong) = (bearer("s3cret"), bearer("s3creT"));
        let nobody = open.authenticate(Identity::default(), None).unwrap();
        assert!(open.authorize(&nobody, Access::Write, None).is_ok());
        assert!(open.authorize(&nobody, Access::Manage, None).is_err());
        assert!(open.authorize(&nobody, Access::Manage, Some(&wrong)).is_err());
        assert!(open.authorize(&nobody, Access::Manage, Some(&Credential::Unreadable)).is_err());
        assert!(open.authorize(&nobody, Access::Manage, Some(&right)).is_ok());
        let manager = open.authenticate(Identity::default(), Some(&right)).unwrap();
        assert!(open.authorize(&manager, Access::Manage, None).is_ok());
        let other = open.authenticate(Identity::default(), Some(&wrong)).unwrap();
        assert!(open.authorize(&other, Access::Manage, None).is_err());
    }

    #[test]
    fn without_a_key_manage_is_closed_even_to_an_empty_token() {
        for open in [Open::new(None), Open::new(Some("")), Open::default()] {
            let manager = open.authenticate(Identity::default(), Some(&bearer(""))).unwrap();
            let denial = open.authorize(&manager, Access::Manage, Some(&bearer(""))).unwrap_err();
            assert!(denial.0.contains("--manage-key"), "{}", denial.0);
        }
    }

    #[test]
    fn r_auth_4_the_key_is_never_printed() {
        assert!(!format!("{:?}", Open::new(Some("s3cret"))).contains("s3cret"));
    }
}
