//! From an accepted SETUP to the handler of its connection.

use std::sync::Arc;

use super::metadata::Format;
use super::rate::Rate;
use super::router::Router;
use super::{
    Authenticator, Call, Credential, Identity, MediaType, Principal, Response, RouteError,
};
use crate::protocol::{Handler, Interaction, Reply, Request, SetupRejection, StreamError};
use crate::wire::Setup;

/// Bounds of what one connection may ask of the routes.
#[derive(Clone, Copy, Debug)]
pub struct ServiceLimits {
    /// Entries of composite metadata, and tags of a route (R-LIM-19).
    pub entries_max: usize,
    /// Fire-and-forget requests a second of a client without a lease; a second's worth may come at
    /// once (R-FNF-5).
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
}

impl Service {
    /// Serves these routes.
    pub fn new(
        router: Router,
        authenticator: impl Authenticator + 'static,
        limits: ServiceLimits,
    ) -> Self {
        Self { router, authenticator: Box::new(authenticator), limits }
    }

    /// Decides about a SETUP and makes the handler of its connection.
    ///
    /// # Errors
    /// REJECTED_SETUP, for data that names no user, metadata that cannot be read (conformance
    /// 3.11), or a refused client.
    pub fn accept(self: &Arc<Self>, setup: &Setup) -> Result<Box<dyn Handler>, SetupRejection> {
        let rejected = |error: RouteError| SetupRejection::rejected(error.message());
        let format = Format::from_mime(&setup.metadata_mime);
        let media = MediaType::from_bytes(&setup.data_mime);
        let metadata = setup.payload.metadata.as_ref();
        let found = format.read(metadata, self.limits.entries_max).map_err(rejected)?;
        let identity = Identity::read(&media, &setup.payload.data).map_err(rejected)?;
        let principal = self
            .authenticator
            .authenticate(identity, found.credential.as_ref())
            .map_err(|denial| SetupRejection::rejected(denial.0))?;
        // A lease is a budget of its own.
        let rate = (!setup.lease).then(|| Rate::new(self.limits.effects_per_second));
        let service = Arc::clone(self);
        Ok(Box::new(Connection { service, format, media, principal: Arc::new(principal), rate }))
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("router", &self.router).finish_non_exhaustive()
    }
}

/// One connection: what its SETUP said, and its budget.
struct Connection {
    service: Arc<Service>,
    format: Format,
    media: MediaType,
    principal: Arc<Principal>,
    rate: Option<Rate>,
}

impl Handler for Connection {
    fn request(&mut self, request: Request) -> Reply {
        self.dispatch(request).unwrap_or_else(|error| Reply::Refused(StreamError::from(error)))
    }
}

impl Connection {
    fn dispatch(&mut self, request: Request) -> Result<Reply, RouteError> {
        let Request { interaction, payload, complete } = request;
        let limits = self.service.limits;
        let found = self.format.read(payload.metadata.as_ref(), limits.entries_max)?;
        let route = found.route.ok_or_else(|| self.format.missing_route())?;
        let router = &self.service.router;
        let (place, params) = router.find(route.as_str())?;
        let node = router.node(place).ok_or_else(|| self.format.missing_route())?;
        let call = Call {
            principal: Arc::clone(&self.principal),
            params,
            media: found.media.unwrap_or_else(|| self.media.clone()),
            payload,
            interaction,
            complete,
        };
        let credential = found.credential.as_ref();
        let wrong = || node.wrong(interaction);
        match interaction {
            Interaction::RequestResponse => {
                let route = node.respond.as_ref().ok_or_else(wrong)?;
                self.authorize(route.access, credential)?;
                Ok(match (route.handler)(call) {
                    Response::Ready(answer) => Reply::Ready(answer.map_err(StreamError::from)),
                    Response::Later(future) => Reply::Response(future),
                })
            }
            Interaction::RequestStream => {
                let route = node.stream.as_ref().ok_or_else(wrong)?;
                self.authorize(route.access, credential)?;
                (route.handler.0)(call).map(Reply::Source)
            }
            Interaction::RequestChannel => {
                let route = node.channel.as_ref().ok_or_else(wrong)?;
                self.authorize(route.access, credential)?;
                (route.handler.0)(call).map(Reply::Source)
            }
            Interaction::FireAndForget => {
                let route = node.effect.as_ref().ok_or_else(wrong)?;
                self.authorize(route.access, credential)?;
                let now = tokio::time::Instant::now().into_std();
                if self.rate.as_mut().is_none_or(|rate| rate.take(now)) {
                    (route.handler.run)(call).map(Reply::Effect)
                } else {
                    (route.handler.shed)(call);
                    Ok(Reply::Effect(None))
                }
            }
        }
    }

    fn authorize(
        &self,
        access: super::Access,
        credential: Option<&Credential>,
    ) -> Result<(), RouteError> {
        let authenticator = &self.service.authenticator;
        authenticator
            .authorize(&self.principal, access, credential)
            .map_err(|denial| RouteError::Denied(denial.0))
    }
}
