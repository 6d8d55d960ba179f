//! Routes with parameters, registered by interaction.

use std::collections::HashMap;
use std::fmt;

use matchit::InsertError;
use thiserror::Error;

use super::handlers::{Channel, Effect, Guarded, Respond, Stream};
use super::{Access, Call, Params, Response, RouteError, SourceResult};
use crate::protocol::{EffectFuture, Interaction};

/// Routes on their way to a [`Router`].
///
/// A pattern is words of `a-z 0-9 _ -` and parameters `{name}`, joined by dots. Each interaction
/// has its own method and handler type, so a handler of the wrong kind does not compile. One
/// pattern may serve several interactions.
///
/// ```compile_fail,E0271
/// # use tidegate::routes::{Access, Call, RouteError, Routes};
/// # use tidegate::wire::Payload;
/// fn answer(call: Call) -> Result<Payload, RouteError> {
///     Ok(call.payload)
/// }
/// Routes::new().request_stream("debug.echo", Access::Read, answer);
/// ```
#[derive(Default)]
pub struct Routes {
    nodes: Vec<Node>,
    places: HashMap<&'static str, usize>,
    conflict: Option<RouteConflict>,
}

/// One pattern and what it serves.
pub(super) struct Node {
    pub(super) pattern: &'static str,
    /// The names of its parameters, in order.
    names: Vec<&'static str>,
    pub(super) respond: Option<Guarded<Respond>>,
    pub(super) stream: Option<Guarded<Stream>>,
    pub(super) channel: Option<Guarded<Channel>>,
    pub(super) effect: Option<Guarded<Effect>>,
}

/// Why [`Routes::build`] refused: a bug of ours, found at start.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum RouteConflict {
    /// A pattern that no route can have.
    #[error("the route pattern '{0}' is not words of a-z 0-9 _ - and {{parameters}} with dots")]
    Malformed(&'static str),
    /// Two handlers for one pattern and interaction.
    #[error("{} has two handlers for {}", .0, .1.name())]
    Twice(&'static str, Interaction),
    /// Two patterns that match the same routes.
    #[error("{0} matches the same routes as {1}")]
    Ambiguous(&'static str, String),
}

impl Routes {
    /// No routes yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Serves request/response. The handler answers at once with a `Result<Payload, RouteError>`,
    /// or later: see [`Response`].
    #[must_use]
    pub fn request_response<F, R>(self, pattern: &'static str, access: Access, handler: F) -> Self
    where
        F: Fn(Call) -> R + Send + Sync + 'static,
        R: Into<Response>,
    {
        let handler: Respond = Box::new(move |call| handler(call).into());
        self.add(pattern, Interaction::RequestResponse, |node| {
            node.respond.replace(Guarded { access, handler }).is_some()
        })
    }

    /// Serves request/stream.
    #[must_use]
    pub fn request_stream<F>(self, pattern: &'static str, access: Access, handler: F) -> Self
    where
        F: Fn(Call) -> SourceResult + Send + Sync + 'static,
    {
        self.add(pattern, Interaction::RequestStream, |node| {
            node.stream.replace(Guarded { access, handler: Stream(Box::new(handler)) }).is_some()
        })
    }

    /// Serves request/channel. The first item is the call's payload; the others come through the
    /// source's `poll_drain`.
    #[must_use]
    pub fn request_channel<F>(self, pattern: &'static str, access: Access, handler: F) -> Self
    where
        F: Fn(Call) -> SourceResult + Send + Sync + 'static,
    {
        self.add(pattern, Interaction::RequestChannel, |node| {
            node.channel.replace(Guarded { access, handler: Channel(Box::new(handler)) }).is_some()
        })
    }

    /// Serves fire-and-forget. `handler` does what is quick at once and returns the rest; an error
    /// drops the request and is counted. `shed` is told of a request that was over the client's
    /// budget and is not handled: the topic that it was meant for counts it.
    #[must_use]
    pub fn fire_and_forget<F, S>(
        self,
        pattern: &'static str,
        access: Access,
        handler: F,
        shed: S,
    ) -> Self
    where
        F: Fn(Call) -> Result<Option<EffectFuture>, RouteError> + Send + Sync + 'static,
        S: Fn(Call) + Send + Sync + 'static,
    {
        self.add(pattern, Interaction::FireAndForget, |node| {
            let handler = Effect { run: Box::new(handler), shed: Box::new(shed) };
            node.effect.replace(Guarded { access, handler }).is_some()
        })
    }

    /// Checks all patterns together.
    ///
    /// # Errors
    /// The first [`RouteConflict`].
    pub fn build(self) -> Result<Router, RouteConflict> {
        let Self { nodes, places: _, conflict } = self;
        if let Some(conflict) = conflict {
            return Err(conflict);
        }
        let mut paths = matchit::Router::new();
        for (place, node) in nodes.iter().enumerate() {
            paths.insert(node.pattern.replace('.', "/"), place).map_err(|error| match error {
                InsertError::Conflict { with } => {
                    RouteConflict::Ambiguous(node.pattern, with.replace('/', "."))
                }
                _ => RouteConflict::Malformed(node.pattern),
            })?;
        }
        Ok(Router { paths, nodes })
    }

    fn add(
        mut self,
        pattern: &'static str,
        interaction: Interaction,
        set: impl FnOnce(&mut Node) -> bool,
    ) -> Self {
        let Some(names) = parameters(pattern) else {
            self.conflict.get_or_insert(RouteConflict::Malformed(pattern));
            return self;
        };
        let place = *self.places.entry(pattern).or_insert(self.nodes.len());
        if place == self.nodes.len() {
            self.nodes.push(Node::new(pattern, names));
        }
        if self.nodes.get_mut(place).is_some_and(set) {
            self.conflict.get_or_insert(RouteConflict::Twice(pattern, interaction));
        }
        self
    }
}

/// The names of a pattern's parameters; `None` when it is malformed.
fn parameters(pattern: &'static str) -> Option<Vec<&'static str>> {
    let mut names = Vec::new();
    for segment in pattern.split('.') {
        let name = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let word = name.unwrap_or(segment);
        let fits = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-');
        if word.is_empty() || !word.bytes().all(fits) || names.contains(&word) {
            return None;
        }
        names.extend(name);
    }
    (pattern.len() <= ROUTE_LEN_MAX).then_some(names)
}

/// What one routing tag can carry, bytes (R-RTE-4).
const ROUTE_LEN_MAX: usize = 255;

impl Node {
    fn new(pattern: &'static str, names: Vec<&'static str>) -> Self {
        Self { pattern, names, respond: None, stream: None, channel: None, effect: None }
    }

    /// The interactions that it serves with the access that each needs.
    fn served(&self) -> impl Iterator<Item = (Interaction, Access)> + use<> {
        let served = [
            (Interaction::RequestResponse, self.respond.as_ref().map(|guarded| guarded.access)),
            (Interaction::FireAndForget, self.effect.as_ref().map(|guarded| guarded.access)),
            (Interaction::RequestStream, self.stream.as_ref().map(|guarded| guarded.access)),
            (Interaction::RequestChannel, self.channel.as_ref().map(|guarded| guarded.access)),
        ];
        served.into_iter().filter_map(|(interaction, access)| Some((interaction, access?)))
    }

    /// The error for a client that asked in another way.
    pub(super) fn wrong(&self, asked: Interaction) -> RouteError {
        let offered = self.served().map(|(interaction, _)| interaction).collect();
        RouteError::Interaction { pattern: self.pattern, asked, offered }
    }
}

/// All routes of a server, checked. Immutable; connections share it.
pub struct Router {
    paths: matchit::Router<usize>,
    nodes: Vec<Node>,
}

impl Router {
    /// Every route: pattern, interaction and the access that it needs, in order of registration.
    pub fn routes(&self) -> impl Iterator<Item = (&'static str, Interaction, Access)> + '_ {
        self.nodes.iter().flat_map(|node| {
            node.served().map(|(interaction, access)| (node.pattern, interaction, access))
        })
    }

    pub(super) fn node(&self, place: usize) -> Option<&Node> {
        self.nodes.get(place)
    }

    /// The node that a route names, and its parameters.
    pub(super) fn find(&self, route: &str) -> Result<(usize, Params), RouteError> {
        // A slash would be taken for a dot.
        let path = if route.contains('/') { String::new() } else { route.replace('.', "/") };
        let Ok(found) = self.paths.at(&path) else {
            let nearest = nearest(route, self.nodes.iter().map(|node| node.pattern));
            return Err(RouteError::Unknown { route: route.to_owned(), nearest });
        };
        let place = *found.value;
        let Some(node) = self.nodes.get(place) else {
            return Err(RouteError::Failed("a route without a node".into()));
        };
        let mut params = Vec::with_capacity(node.names.len());
        for name in &node.names {
            let value = found.params.get(name).unwrap_or_default();
            if !is_id(value) {
                let (pattern, value) = (node.pattern, value.to_owned());
                return Err(RouteError::Parameter { pattern, name, value });
            }
            params.push((*name, value.into()));
        }
        Ok((place, Params::new(params)))
    }
}

impl fmt::Debug for Router {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes.iter().map(|node| node.pattern)).finish()
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.nodes.iter().map(|node| node.pattern)).finish()
    }
}

/// 1 to 64 of `A-Z a-z 0-9 _ -`.
fn is_id(value: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    (1..=64).contains(&value.len()) && value.bytes().all(fits)
}

/// Longer routes get no suggestion: comparing them costs more than a refusal should.
const SUGGEST_LEN_MAX: usize = 96;

/// The pattern that is spelled most like `route`, if one is close.
fn nearest(route: &str, patterns: impl Iterator<Item = &'static str>) -> Option<&'static str> {
    if route.is_empty() || route.len() > SUGGEST_LEN_MAX {
        return None;
    }
    // Two other ways to write a route: with slashes, and in capitals.
    let route = route.trim_matches('/').replace('/', ".").to_lowercase();
    let scored = patterns.map(|pattern| (distance(&route, pattern), pattern));
    let (distance, pattern) = scored.min_by_key(|(distance, _)| *distance)?;
    (distance <= (route.len() / 4).max(2)).then_some(pattern)
}

/// How many letters differ, where a parameter may be anything.
fn distance(route: &str, pattern: &str) -> usize {
    let is_parameter = |segment: &str| segment.starts_with('{');
    let words = pattern.split('.').filter(|segment| !is_parameter(segment));
    // The parameter was left out.
    let without = strsim::osa_distance(route, &words.collect::<Vec<_>>().join(".")) + 1;
    if route.split('.').count() != pattern.split('.').count() {
        return without;
    }
    let pairs = route.split('.').zip(pattern.split('.'));
    let differing = pairs.filter(|(_, segment)| !is_parameter(segment));
    let with = differing.map(|(found, wanted)| strsim::osa_distance(found, wanted)).sum::<usize>();
    with.min(without)
}

#[cfg(test)]
mod tests;
