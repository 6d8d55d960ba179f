//! One connection's requests on their way to their handlers.

use std::sync::Arc;
use std::time::Instant;

use super::handlers::Guarded;
use super::metadata::{Format, Found};
use super::rate::Rate;
use super::router::Node;
use super::{
    Access, Authenticator, Call, Credential, Identity, MediaType, Params, Principal, Response,
    RouteError, RouteTotals, Router,
};
use crate::protocol::{Handler, Interaction, Reply, Request, SetupRejection};
use crate::wire::{Payload, Setup};

/// Bounds of what one connection may ask of the routes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServiceLimits {
    /// Entries of composite metadata, and tags of a route (R-LIM-19).
    pub entries_max: usize,
    /// Fire-and-forget requests a second of a client without a lease; a second's worth may come at
    /// once (R-FNF-5). What exceeds it is shed and counted.
    pub effects_per_second: u32,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self { entries_max: 256, effects_per_second: 20_000 }
    }
}

/// The routes of a server and who may use them, shared by its connections.
pub struct Service {
    router: Router,
    authenticator: Box<dyn Authenticator>,
    limits: ServiceLimits,
    totals: RouteTotals,
}

impl Service {
    /// Serves `router` to everyone whom `authenticator` lets in.
    pub fn new(
        router: Router,
        authenticator: impl Authenticator + 'static,
        limits: ServiceLimits,
    ) -> Self {
        let authenticator = Box::new(authenticator);
        Self { router, authenticator, limits, totals: RouteTotals::default() }
    }

    /// What it refused so far.
    #[must_use]
    pub fn totals(&self) -> &RouteTotals {
        &self.totals
    }

    /// Its routes.
    #[must_use]
    pub fn router(&self) -> &Router {
        &self.router
    }

    /// Decides about a SETUP: the handler of the connection's requests. Any MIME types are taken
    /// (R-SETUP-6); SETUP's data must be empty or an [`Identity`].
    ///
    /// # Errors
    /// REJECTED_SETUP with a text that says what is wrong.
    pub fn accept(self: &Arc<Self>, setup: &Setup) -> Result<Box<dyn Handler>, SetupRejection> {
        let client = self.meet(setup).inspect_err(|_| self.totals.count_setup_rejected())?;
        Ok(Box::new(client))
    }

    fn meet(self: &Arc<Self>, setup: &Setup) -> Result<Client, SetupRejection> {
        let format = Format::new(&setup.metadata_mime);
        let media = MediaType::from_bytes(&setup.data_mime);
        let metadata = setup.payload.metadata.as_ref();
        let found = format.read(metadata, self.limits.entries_max);
        let credential = found.map_err(|error| rejection("metadata: ", &error))?.credential;
        let identity = Identity::read(&media, &setup.payload.data).map_err(|error| {
            let encoding = media.identity_encoding().name();
            let what = format!("data must be empty or {{user, device?}} in {encoding}: ");
            rejection(&what, &error)
        })?;
        let principal = self
            .authenticator
            .authenticate(identity, credential.as_ref())
            .map_err(|denial| rejection("", &RouteError::Denied(denial.0)))?;
        // A lease is a budget of its own.
        let rate = (!setup.lease).then(|| Rate::new(self.limits.effects_per_second));
        let service = Arc::clone(self);
        Ok(Client { service, principal: Arc::new(principal), format, media, rate, last: None })
    }
}

fn rejection(what: &str, error: &RouteError) -> SetupRejection {
    SetupRejection::rejected(format!("SETUP {what}{}", error.message()))
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("router", &self.router).finish_non_exhaustive()
    }
}

/// The client at the other end of one connection.
struct Client {
    service: Arc<Service>,
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
        let service = Arc::clone(&self.service);
        let Some(node) = service.router.node(target.place) else {
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
                    self.service.totals.count_shed();
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
        self.service
            .authenticator
            .authorize(&self.principal, *access, credential)
            .map_err(|denial| RouteError::Denied(denial.0))?;
        match (access, credential) {
            // Where it is not needed it is nonsense (R-COMP-8); where it is, the authenticator
            // has judged it (R-AUTH-4).
            (Access::Read | Access::Write, Some(Credential::Unreadable)) => {
                Err(RouteError::Metadata("the authentication entry cannot be read".into()))
            }
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
            self.format.read(metadata, self.service.limits.entries_max)?;
        let Some(route) = route else { return Err(self.format.missing()) };
        let (place, params) = self.service.router.find(route.as_str())?;
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
            Interaction::FireAndForget => self.service.totals.count_dropped(class),
            Interaction::RequestResponse
            | Interaction::RequestStream
            | Interaction::RequestChannel => self.service.totals.count_refused(class),
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
