//! A connection with the application's half of its streams: what outlives any one socket.

use std::collections::{BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use tokio::sync::mpsc;

use super::options::{Accept, AcceptFuture};
use super::ready::{Part, PartWaker, ReadySet};
use super::requester::Command;
use super::totals::{PauseReason, Turn};
use crate::protocol::{
    Cause, Connection, EffectFuture, Event, Filled, Handler, Interaction, Pause, Reply, Request,
    RequestRefused, ResponseFuture, SetupRejection, Source, StreamError, StreamKey,
};
use crate::wire::Setup;

const PANICKED: &str = "the handler failed";

/// Owns the sources, their wakers and the ready set. It knows no socket: a resumed connection could
/// be handed to another driver.
pub(super) struct Session {
    pub(super) connection: Connection,
    pub(super) turn: Turn,
    accept: Option<Accept>,
    accepting: Option<(AcceptFuture, Arc<PartWaker>)>,
    handler: Option<Box<dyn Handler>>,
    works: Vec<Option<Work>>,
    effects: Vec<Option<(EffectFuture, Arc<PartWaker>)>>,
    effects_free: Vec<usize>,
    effects_max: usize,
    ready: Arc<ReadySet>,
    /// What is to be polled, in turn; each part stands here or in the shared set at most once.
    queue: VecDeque<Part>,
    /// The first in the queue waits for more room than there is: nobody is polled until the socket
    /// has taken something.
    congested: bool,
    /// Streams that keep a pace, by the time of their next poll; one entry each.
    paced: BTreeSet<(Instant, StreamKey)>,
    commands: Option<mpsc::Receiver<Command>>,
    /// A request that waits for room or a lease.
    waiting: Option<Command>,
}

/// The application's half of one stream.
struct Work {
    key: StreamKey,
    part: Arc<PartWaker>,
    waker: Waker,
    /// Its entry in `paced`.
    paced: Option<Instant>,
    task: Task,
}

enum Task {
    Source(Box<dyn Source>),
    Response(ResponseFuture),
}

impl Session {
    pub(super) fn new(
        connection: Connection,
        accept: Option<Accept>,
        handler: Option<Box<dyn Handler>>,
        commands: Option<mpsc::Receiver<Command>>,
        effects_max: usize,
    ) -> Self {
        Self {
            connection,
            turn: Turn::default(),
            accept,
            accepting: None,
            handler,
            works: Vec::new(),
            effects: Vec::new(),
            effects_free: Vec::new(),
            effects_max,
            ready: Arc::default(),
            queue: VecDeque::new(),
            congested: false,
            paced: BTreeSet::new(),
            commands,
            waiting: None,
        }
    }

    // ---- events ------------------------------------------------------------------------------

    /// Carries out what the connection reports; to be called after every mutation of it.
    pub(super) fn handle_events(&mut self, now: Instant) -> Option<Cause> {
        while let Some(event) = self.connection.poll_event() {
            match event {
                Event::Setup(setup) => self.start_accepting(setup),
                Event::Request(key, request) => self.handle_request(key, request),
                Event::FireAndForget(request) => self.handle_effect(request),
                Event::Credit(key) | Event::Input(key) => self.mark(key),
                Event::OutboundCancelled(key) => self.handle_outbound_cancelled(key),
                Event::Ended(key) => self.drop_work(key),
                Event::MetadataPush(metadata) => {
                    if let Some(handler) = &mut self.handler {
                        let pushed = AssertUnwindSafe(|| handler.metadata_push(metadata));
                        if catch_unwind(pushed).is_err() {
                            tracing::error!("a METADATA_PUSH handler panicked");
                        }
                    }
                }
                Event::Lease => {}
                Event::Closed(cause) => {
                    self.close(now);
                    return Some(cause);
                }
            }
        }
        None
    }

    fn start_accepting(&mut self, setup: Setup) {
        let Some(accept) = &self.accept else { return };
        let part = PartWaker::new(&self.ready, Part::Accept);
        let started = catch_unwind(AssertUnwindSafe(|| accept(setup)));
        match started {
            Ok(future) => {
                let _ = part.claim();
                self.accepting = Some((future, part));
                self.enqueue(Part::Accept);
            }
            Err(_) => self.connection.reject(SetupRejection::rejected(PANICKED)),
        }
    }

    fn handle_request(&mut self, key: StreamKey, request: Request) {
        let interaction = request.interaction;
        let Some(handler) = &mut self.handler else {
            let refusal = StreamError::rejected("this side serves no requests: do not retry");
            self.connection.fail_stream(key, &refusal);
            return;
        };
        let reply = catch_unwind(AssertUnwindSafe(|| handler.request(request)));
        let is_response = interaction == Interaction::RequestResponse;
        match reply {
            Ok(Reply::Ready(response)) if is_response => self.connection.respond(key, response),
            Ok(Reply::Response(future)) if is_response => self.work(key, Task::Response(future)),
            Ok(Reply::Source(source)) if !is_response => self.work(key, Task::Source(source)),
            Ok(Reply::Refused(error)) => self.connection.fail_stream(key, &error),
            Ok(Reply::Ready(_) | Reply::Response(_) | Reply::Source(_) | Reply::Effect(_)) => {
                tracing::error!(?interaction, "a handler's reply does not fit its interaction");
                self.connection.fail_stream(key, &StreamError::application(PANICKED));
            }
            Err(_) => self.connection.fail_stream(key, &StreamError::application(PANICKED)),
        }
    }

    fn handle_effect(&mut self, request: Request) {
        if self.effects.len() - self.effects_free.len() >= self.effects_max {
            self.turn.sheds += 1;
            return;
        }
        let Some(handler) = &mut self.handler else { return };
        let reply = catch_unwind(AssertUnwindSafe(|| handler.request(request)));
        let Ok(Reply::Effect(Some(future))) = reply else { return };
        let index = self.effects_free.pop().unwrap_or(self.effects.len());
        let part = PartWaker::new(&self.ready, Part::Effect(index));
        let _ = part.claim();
        if index == self.effects.len() {
            self.effects.push(None);
        }
        if let Some(place) = self.effects.get_mut(index) {
            *place = Some((future, part));
        }
        self.enqueue(Part::Effect(index));
    }

    fn handle_outbound_cancelled(&mut self, key: StreamKey) {
        if let Some(Work { task: Task::Source(source), .. }) = self.work_mut(key) {
            source.outbound_cancelled();
        }
    }

    /// Requests that this side made find their error in their input; everything else is dropped.
    fn close(&mut self, now: Instant) {
        for index in 0..self.works.len() {
            let key = self.works.get(index).and_then(|work| work.as_ref().map(|work| work.key));
            if let Some(key) = key.filter(|key| self.connection.has_input(*key)) {
                self.poll_stream(key, now, 0);
            }
        }
        self.works = Vec::new();
        self.effects = Vec::new();
        self.effects_free = Vec::new();
        self.queue = VecDeque::new();
        self.paced = BTreeSet::new();
        self.handler = None;
        self.accepting = None;
        self.commands = None;
        if let Some(Command::Request { sent, .. }) = self.waiting.take() {
            let _ = sent.send(Err(RequestRefused::Closed));
        }
        while self.connection.poll_event().is_some() {}
    }

    // ---- works -------------------------------------------------------------------------------

    fn work(&mut self, key: StreamKey, task: Task) {
        let part = PartWaker::new(&self.ready, Part::Stream(key));
        let _ = part.claim();
        let waker = Waker::from(Arc::clone(&part));
        let slot = key.slot();
        if slot >= self.works.len() {
            self.works.resize_with(slot + 1, || None);
        }
        if let Some(place) = self.works.get_mut(slot) {
            *place = Some(Work { key, part, waker, paced: None, task });
            self.enqueue(Part::Stream(key));
        }
    }

    fn work_mut(&mut self, key: StreamKey) -> Option<&mut Work> {
        self.works.get_mut(key.slot())?.as_mut().filter(|work| work.key == key)
    }

    fn drop_work(&mut self, key: StreamKey) {
        let place = self.works.get_mut(key.slot());
        if let Some(place) = place
            && let Some(work) = place.take_if(|work| work.key == key)
            && let Some(until) = work.paced
        {
            self.paced.remove(&(until, key));
        }
        if self.connection.live_streams() == 0 && self.works.len() > WORKS_KEPT {
            self.works = Vec::new();
            // Effects and the decision about SETUP may still stand in it.
            self.sweep();
            self.queue.shrink_to(QUEUE_SLACK);
        }
    }

    fn mark(&mut self, key: StreamKey) {
        if let Some(work) = self.work_mut(key)
            && work.part.claim()
        {
            self.enqueue(Part::Stream(key));
        }
    }

    fn enqueue(&mut self, part: Part) {
        self.queue.push_back(part);
        self.sweep();
    }

    /// Parts of streams that have gone stay queued until their turn, which does not come while the
    /// reader takes nothing: they are swept out before they outnumber the others, whoever opens and
    /// cancels streams meanwhile.
    fn sweep(&mut self) {
        let parts = self.works.len() + self.effects.len();
        if self.queue.len() <= 2 * parts + QUEUE_SLACK {
            return;
        }
        let works = &self.works;
        self.queue.retain(|part| match part {
            Part::Stream(key) => {
                let work = works.get(key.slot()).and_then(Option::as_ref);
                work.is_some_and(|work| work.key == *key)
            }
            Part::Effect(_) | Part::Accept => true,
        });
    }

    /// Keys of the streams that this side serves or requested, in slot order.
    pub(super) fn keys(&self) -> impl Iterator<Item = StreamKey> + '_ {
        self.works.iter().flatten().map(|work| work.key)
    }

    /// Completes a served stream because the server drains.
    pub(super) fn complete(&mut self, key: StreamKey) {
        self.connection.complete_stream(key);
    }

    // ---- a turn ------------------------------------------------------------------------------

    /// Whether a ready part waits for its poll.
    pub(super) fn is_ready(&self) -> bool {
        !self.queue.is_empty() && !self.congested && self.connection.room() > 0
    }

    /// The socket has taken something.
    pub(super) fn relieve(&mut self) {
        self.congested = false;
    }

    #[cfg(test)]
    pub(super) fn queued_parts(&self) -> usize {
        self.queue.len()
    }

    /// Registers the driver's waker; `false` when something was woken meanwhile.
    pub(super) fn park(&self, waker: &Waker) -> bool {
        self.ready.park(waker)
    }

    /// Polls the parts that are ready, each once and at most `budget` of them, while there is room.
    pub(super) fn poll_ready(&mut self, now: Instant, budget: usize) {
        self.ready.take(&mut self.queue);
        self.sweep();
        let mut pending = self.queue.len().min(budget);
        while pending > 0 && !self.congested && self.connection.room() > 0 {
            let Some(part) = self.queue.pop_front() else { return };
            // Those that are ready share the room; a lone source gets all of it.
            let share = (self.connection.room() / pending).max(SHARE_MIN);
            pending -= 1;
            self.congested = match part {
                Part::Stream(key) => self.poll_stream(key, now, share),
                Part::Effect(index) => {
                    self.poll_effect(index);
                    false
                }
                Part::Accept => {
                    self.poll_accept(now);
                    false
                }
            };
        }
    }

    fn poll_accept(&mut self, now: Instant) {
        let Some((future, part)) = &mut self.accepting else { return };
        part.polled();
        let waker = Waker::from(Arc::clone(part));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        let decision = match polled {
            Ok(Poll::Pending) => return,
            Ok(Poll::Ready(decision)) => decision,
            Err(_) => Err(SetupRejection::rejected(PANICKED)),
        };
        self.accepting = None;
        match decision {
            Ok(handler) => {
                self.handler = Some(handler);
                self.connection.accept(now);
            }
            Err(rejection) => self.connection.reject(rejection),
        }
    }

    fn poll_effect(&mut self, index: usize) {
        let Some(place) = self.effects.get_mut(index) else { return };
        let Some((future, part)) = place else { return };
        part.polled();
        let waker = Waker::from(Arc::clone(part));
        let polled = catch_unwind(AssertUnwindSafe(|| {
            future.as_mut().poll(&mut Context::from_waker(&waker))
        }));
        if !matches!(polled, Ok(Poll::Pending)) {
            *place = None;
            self.effects_free.push(index);
        }
    }

    /// Polls one stream: takes what the peer sent, then fills. Whether it waits for more room than
    /// there is.
    fn poll_stream(&mut self, key: StreamKey, now: Instant, share: usize) -> bool {
        let Self { connection, works, turn, .. } = self;
        let work = works.get_mut(key.slot()).and_then(Option::as_mut);
        let Some(work) = work.filter(|work| work.key == key) else { return false };
        work.part.polled();
        let mut cx = Context::from_waker(&work.waker);
        let polled = match &mut work.task {
            Task::Response(future) => {
                let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
                match polled {
                    Ok(Poll::Pending) => {}
                    Ok(Poll::Ready(response)) => connection.respond(key, response),
                    Err(_) => {
                        connection.fail_stream(key, &StreamError::application(PANICKED));
                    }
                }
                return false;
            }
            Task::Source(source) => catch_unwind(AssertUnwindSafe(|| {
                if connection.is_draining(key) {
                    connection.drain(key, |input| source.poll_drain(&mut cx, input));
                }
                connection
                    .fill(key, now, share, |quota, items| source.poll_fill(&mut cx, quota, items))
            })),
        };
        match polled {
            Ok(Some(Filled { pause, written })) => {
                if let Some(reason) = PauseReason::of(&pause)
                    && let Some(count) = turn.pauses.get_mut(reason as usize)
                {
                    *count += 1;
                }
                self.handle_pause(key, &pause, written)
            }
            Ok(None) => false,
            Err(_) => {
                connection.give_up_stream(key, &StreamError::application(PANICKED));
                false
            }
        }
    }

    fn handle_pause(&mut self, key: StreamKey, pause: &Pause, written: u64) -> bool {
        match pause {
            // It had its share and goes to the back.
            Pause::Congested if written > 0 => {
                self.mark(key);
                false
            }
            // Its item waits for room: first again when the socket has taken something, lest
            // smaller items pass it for ever.
            Pause::Congested => {
                if let Some(work) = self.work_mut(key)
                    && work.part.claim()
                {
                    self.queue.push_front(Part::Stream(key));
                }
                true
            }
            Pause::Paced(until) => {
                self.pace(key, *until);
                false
            }
            Pause::CaughtUp | Pause::NoCredit | Pause::Done | Pause::Failed(_) => false,
        }
    }

    fn pace(&mut self, key: StreamKey, until: Instant) {
        let Some(work) = self.work_mut(key) else { return };
        if let Some(before) = work.paced.replace(until) {
            self.paced.remove(&(before, key));
        }
        self.paced.insert((until, key));
    }

    // ---- time --------------------------------------------------------------------------------

    /// Marks the streams whose pace has ended.
    pub(super) fn handle_paces(&mut self, now: Instant) {
        while let Some((_, key)) = self.paced.first().copied().filter(|(until, _)| *until <= now) {
            self.paced.pop_first();
            if let Some(work) = self.work_mut(key) {
                work.paced = None;
            }
            self.mark(key);
        }
    }

    /// The next time that matters to the connection or a paced source.
    pub(super) fn poll_timeout(&self) -> Option<Instant> {
        let pace = self.paced.first().map(|(until, _)| *until);
        [self.connection.poll_timeout(), pace].into_iter().flatten().min()
    }

    // ---- requests of this side ---------------------------------------------------------------

    /// Sends what requesters ask for, while room and lease allow. `true` when all of them are gone
    /// and nothing is live: the connection has no purpose left.
    pub(super) fn poll_commands(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        const PER_TURN: usize = 256;
        for _ in 0..PER_TURN {
            let command = match self.waiting.take() {
                Some(command) => command,
                None => match self.commands.as_mut().map(|commands| commands.poll_recv(cx)) {
                    Some(Poll::Ready(Some(command))) => command,
                    Some(Poll::Ready(None)) => return self.connection.live_streams() == 0,
                    Some(Poll::Pending) | None => return false,
                },
            };
            if let Some(command) = self.send(now, command) {
                self.waiting = Some(command);
                return false;
            }
        }
        cx.waker().wake_by_ref();
        false
    }

    /// Sends one command, or gives it back when it has to wait.
    fn send(&mut self, now: Instant, command: Command) -> Option<Command> {
        let (request, source, sent) = match command {
            // It has no credit to bound it, so the socket does.
            Command::MetadataPush(_) if self.connection.room() == 0 => return Some(command),
            Command::MetadataPush(metadata) => {
                self.connection.metadata_push(metadata);
                return None;
            }
            Command::Request { request, source, sent } => (request, source, sent),
        };
        if sent.is_closed() {
            return None;
        }
        match self.connection.request(now, &request) {
            Ok(key) => {
                if let Some(key) = key {
                    self.work(key, Task::Source(source));
                }
                let _ = sent.send(Ok(()));
                None
            }
            Err(RequestRefused::Full | RequestRefused::NoLease) => {
                Some(Command::Request { request, source, sent })
            }
            Err(refused) => {
                let _ = sent.send(Err(refused));
                None
            }
        }
    }
}

/// Of the room, a source may always use this much, bytes: below it, a pass over many streams would
/// cost more than it moves.
const SHARE_MIN: usize = 1 << 10;

/// Parts of gone streams that may stay queued however few live ones there are.
const QUEUE_SLACK: usize = 64;

/// An idle connection that once had many streams keeps no table for them.
const WORKS_KEPT: usize = 64;
