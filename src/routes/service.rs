//! One connection's requests on their way to their handlers.

use std::sync::Arc;
use std::time::Instant;

use super::handlers::Guarded;
use super::metadata::{Format, Found};
use super::rate::Rate;
use super::router::Node;
use super::{
    Access, Authenticator, Call, Credential, Identity, Limits, MediaType, Params, Principal,
    Response, RouteError, Router, Totals,
};
use crate::protocol::{Handler, Interaction, Reply, Request, SetupRejection, StreamError};
use crate::wire::{Payload, Setup};

/// The routes of a server with what guards them. Clones are the same service.
#[derive(Clone)]
pub struct Service(Arc<Shared>);

struct Shared {
    router: Router,
    authenticator: Box<dyn Authenticator>,
    limits: Limits,
    totals: Totals,
}

impl Service {
    /// Serves `router` to everyone whom `authenticator` lets in.
    pub fn new(
        router: Router,
        authenticator: impl Authenticator + 'static,
        limits: Limits,
    ) -> Self {
        let authenticator = Box::new(authenticator);
        Self(Arc::new(Shared { router, authenticator, limits, totals: Totals::default() }))
    }

    /// What it refused so far.
    #[must_use]
    pub fn totals(&self) -> &Totals {
        &self.0.totals
    }

    /// Its routes.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.0.router
    }

    /// Decides about a SETUP: the handler of the connection's requests. Any MIME types are taken
    /// (R-SETUP-6); SETUP's data must be empty or an [`Identity`].
    ///
    /// # Errors
    /// REJECTED_SETUP with a text that says what is wrong.
    pub fn accept(&self, setup: &Setup) -> Result<Box<dyn Handler>, SetupRejection> {
        let client = self.meet(setup).inspect_err(|_| self.0.totals.count_setup_rejected())?;
        Ok(Box::new(client))
    }

    fn meet(&self, setup: &Setup) -> Result<Client, SetupRejection> {
        let format = Format::new(&setup.metadata_mime);
        let media = MediaType::from_bytes(&setup.data_mime);
        let reject = |error: &RouteError| {
            SetupRejection::rejected(format!("SETUP: {}", error.message()))
        };
        let entries_max = self.0.limits.metadata_entries_max;
        let found = format.read(setup.payload.metadata.as_ref(), entries_max);
        let credential = found.map_err(|error| reject(&error))?.credential;
        let identity = Identity::read(&media, &setup.payload.data).map_err(|error| {
            SetupRejection::rejected(format!(
                "SETUP data must be empty or {{\"user\", \"device\"?}} in {}: {}",
                media.identity_encoding().name(),
                error.message()
            ))
        })?;
        let principal = self
            .0
            .authenticator
            .authenticate(identity, credential.as_ref())
            .map_err(|denial| reject(&RouteError::Denied(denial.0)))?;
        let rate = (!setup.lease).then(|| Rate::new(self.0.limits.fnf_per_second));
        let shared = Arc::clone(&self.0);
        Ok(Client { shared, principal: Arc::new(principal), format, media, rate, last: None })
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("router", &self.0.router).finish_non_exhaustive()
    }
}

/// The client at the other end of one connection.
struct Client {
    shared: Arc<Shared>,
    principal: Arc<Principal>,
    format: Format,
    media: MediaType,
    /// Only without a lease: the lease is the budget of those that have one.
    rate: Option<Rate>,
    last: Option<Last>,
}

/// Clients say the same metadata again and again: the last one is not read twice.
struct Last {
    metadata: Box<[u8]>,
    target: Target,
}

/// Longer metadata is read each time, so that an idle connection keeps little.
const LAST_LEN_MAX: usize = 256;

/// Where a request goes, as far as its metadata tells.
#[derive(Clone)]
struct Target {
    place: usize,
    params: Params,
    media: MediaType,
}

impl Handler for Client {
    fn request(&mut self, request: Request) -> Reply {
        let interaction = request.interaction;
        self.answer(request).unwrap_or_else(|error| self.refuse(interaction, error))
    }
}

impl Client {
    fn answer(&mut self, request: Request) -> Result<Reply, RouteError> {
        let Request { interaction, payload, complete } = request;
        let (target, credential) = self.target(&payload)?;
        let shared = Arc::clone(&self.shared);
        let Some(node) = shared.router.node(target.place) else {
            return Err(RouteError::Failed("a route without a node".into()));
        };
        let Target { place: _, params, media } = target;
        let principal = Arc::clone(&self.principal);
        let call = Call { principal, params, media, payload, interaction, complete };
        let credential = credential.as_ref();
        match interaction {
            Interaction::RequestResponse => {
                let handler = self.admit(node, interaction, node.respond.as_ref(), credential)?;
                respond(handler(call))
            }
            Interaction::RequestStream => {
                let handler = self.admit(node, interaction, node.stream.as_ref(), credential)?;
                (handler.0)(call).map(Reply::Source)
            }
            Interaction::RequestChannel => {
                let handler = self.admit(node, interaction, node.channel.as_ref(), credential)?;
                (handler.0)(call).map(Reply::Source)
            }
            Interaction::FireAndForget => {
                let effect = self.admit(node, interaction, node.effect.as_ref(), credential)?;
                if self.rate.as_mut().is_some_and(|rate| !rate.take(now())) {
                    self.shared.totals.count_shed();
                    (effect.shed)(call);
                    return Ok(Reply::Effect(None));
                }
                (effect.run)(call).map(Reply::Effect)
            }
        }
    }

    /// The handler, when the route has one for this interaction and the client may use it.
    fn admit<'a, H>(
        &self,
        node: &Node,
        interaction: Interaction,
        guarded: Option<&'a Guarded<H>>,
        credential: Option<&Credential>,
    ) -> Result<&'a H, RouteError> {
        let Some(Guarded { access, handler }) = guarded else {
            return Err(node.wrong(interaction));
        };
        self.shared
            .authenticator
            .authorize(&self.principal, *access, credential)
            .map_err(|denial| RouteError::Denied(denial.0))?;
        match (access, credential) {
            // Where it is not needed it is nonsense (R-COMP-8); where it is, the authenticator
            // has judged it (R-AUTH-4).
            (Access::Read | Access::Write, Some(Credential::Unreadable)) => Err(
                RouteError::Metadata("the authentication entry cannot be read".into()),
            ),
            (Access::Read | Access::Write | Access::Manage, _) => Ok(handler),
        }
    }

    /// Where the request goes, and what it shows for itself.
    fn target(&mut self, payload: &Payload) -> Result<(Target, Option<Credential>), RouteError> {
        let metadata = payload.metadata.as_ref();
        if let (Some(last), Some(metadata)) = (&self.last, metadata)
            && *last.metadata == **metadata
        {
            return Ok((last.target.clone(), None));
        }
        let Found { route, media, credential } =
            self.format.read(metadata, self.shared.limits.metadata_entries_max)?;
        let Some(route) = route else { return Err(self.format.missing()) };
        let (place, params) = self.shared.router.find(route.as_str())?;
        let media = media.unwrap_or_else(|| self.media.clone());
        let target = Target { place, params, media };
        // A credential is judged each time it is shown.
        if let (None, Some(metadata)) = (&credential, metadata)
            && metadata.len() <= LAST_LEN_MAX
        {
            self.last = Some(Last { metadata: metadata[..].into(), target: target.clone() });
        }
        Ok((target, credential))
    }

    fn refuse(&self, interaction: Interaction, error: RouteError) -> Reply {
        let class = error.class();
        tracing::debug!(class = class.name(), interaction = interaction.name(), "refused");
        match interaction {
            Interaction::FireAndForget => self.shared.totals.count_dropped(class),
            Interaction::RequestResponse
            | Interaction::RequestStream
            | Interaction::RequestChannel => self.shared.totals.count_refused(class),
        }
        Reply::Refused(error.into())
    }
}

fn respond(response: Response) -> Result<Reply, RouteError> {
    match response {
        Response::Ready(answer) => answer.map(|payload| Reply::Ready(Ok(payload))),
        Response::Later(future) => Ok(Reply::Response(future)),
    }
}

/// The clock of the runtime, which tests move.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

#[cfg(test)]
mod tests;
