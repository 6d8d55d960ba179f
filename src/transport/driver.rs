//! The driver loop: one socket, one session, one task.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::{mpsc, watch};
use tokio::time::Sleep;

use super::buffers::{self, Lent, READ_LEN};
use super::options::{Accept, DrainFuture, DrainPlan, DrainSignal, Kind, Options};
use super::requester::WAITING_MAX;
use super::session::Session;
use super::{Requester, Totals};
use crate::protocol::{
    Cause, ClientSetup, Connection, Deadline, Handler, SetupRejection, StreamKey,
};
use crate::wire::{Deframer, Inbound};

/// Turns of one poll. After these the task yields, even when everything is ready, so that one busy
/// connection does not keep a thread from the others.
const TURNS: usize = 2;
/// Frames handed in, and parts polled, per turn.
const FRAMES_PER_TURN: usize = 1_024;
const PARTS_PER_TURN: usize = 1_024;
/// After its last frame a connection waits so long for the peer to take it and leave (R-CLOSE-5).
const LINGER: Duration = Duration::from_secs(2);

/// Runs one connection until it is over; a future that yields why it ended.
///
/// Nothing is queued for the peer beyond the write budget: sources are pulled only while there is
/// room, and the socket is written once per turn.
#[must_use = "a driver does nothing unless it is polled"]
pub struct Driver<S> {
    socket: S,
    session: Session,
    deframer: Deframer,
    /// Bytes that are not a whole frame yet, or whose turn has not come.
    inbox: BytesMut,
    stage: Stage,
    timer: Pin<Box<Sleep>>,
    timer_at: Instant,
    /// Since when the socket takes nothing, while there is something to take.
    stalled_since: Option<Instant>,
    write_stall: Duration,
    drain: Option<DrainFuture>,
    draining: Option<Draining>,
    totals: Arc<Totals>,
    closed: Option<watch::Sender<Option<Cause>>>,
}

/// How far the socket is.
enum Stage {
    Open,
    /// The connection is over: its last frames are written, then our side is shut.
    Closing {
        cause: Cause,
        until: Instant,
    },
    /// Our side is shut; what the peer still sends is read and dropped, lest a reset destroy our
    /// last frame on its way (R-CLOSE-5).
    Lingering {
        cause: Cause,
        until: Instant,
    },
    Done,
}

/// Subscriptions still to be completed, each at its time.
struct Draining {
    plan: DrainPlan,
    place: f64,
    keys: std::vec::IntoIter<StreamKey>,
    total: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    /// The accepting end. `first` is what was read past a handshake.
    pub fn server(
        socket: S,
        kind: Kind,
        first: BytesMut,
        options: &Options,
        accept: Accept,
        drain: Option<DrainSignal>,
    ) -> Self {
        let now = clock();
        let limits = Arc::clone(&options.limits);
        let connection = Connection::server(kind.framing(), limits, options.lease, now);
        let session = Session::new(connection, Some(accept), None, None, options.effects_max);
        Self::new(socket, kind, first, options, session, drain)
    }

    /// The connecting end and the handle that opens streams on it. `handler` serves what the peer
    /// requests; without one it is refused.
    pub fn client(
        socket: S,
        kind: Kind,
        first: BytesMut,
        options: &Options,
        setup: &ClientSetup,
        handler: Option<Box<dyn Handler>>,
    ) -> (Requester, Self) {
        let now = clock();
        let limits = Arc::clone(&options.limits);
        let connection = Connection::client(kind.framing(), limits, options.lease, setup, now);
        let (commands, waiting) = mpsc::channel(WAITING_MAX);
        let (closed, closed_signal) = watch::channel(None);
        let session = Session::new(connection, None, handler, Some(waiting), options.effects_max);
        let mut driver = Self::new(socket, kind, first, options, session, None);
        driver.closed = Some(closed);
        (Requester::new(commands, closed_signal), driver)
    }

    fn new(
        socket: S,
        kind: Kind,
        first: BytesMut,
        options: &Options,
        session: Session,
        drain: Option<DrainSignal>,
    ) -> Self {
        options.totals.open();
        let now = clock();
        Self {
            socket,
            session,
            deframer: kind.deframer(options.frame_len_max),
            inbox: first,
            stage: Stage::Open,
            timer: Box::pin(tokio::time::sleep(Duration::ZERO)),
            timer_at: now,
            stalled_since: None,
            write_stall: options.write_stall,
            drain: drain.map(DrainSignal::into_future),
            draining: None,
            totals: Arc::clone(&options.totals),
            closed: None,
        }
    }

    /// Refuses the client at once, whatever it sends (a full server).
    pub fn reject(&mut self, rejection: SetupRejection) {
        self.session.connection.reject(rejection);
        self.handle_events(clock());
    }

    // ---- a turn ------------------------------------------------------------------------------

    /// One turn. `Ready` when the socket is done, `Pending` when there is nothing to do for now;
    /// the flag tells that there is more to do at once.
    fn turn(&mut self, cx: &mut Context<'_>, lent: &mut Lent) -> Poll<bool> {
        let now = clock();
        self.poll_drain_signal(cx, now);
        let mut more = false;
        let mut unread = false;
        if let Stage::Open = self.stage {
            unread = !self.session.connection.wants_frames();
            more = self.read(cx, now, lent);
        }
        if let Stage::Open = self.stage {
            if self.session.poll_commands(cx, now) {
                self.session.connection.abort(Cause::Closed);
            }
            self.session.connection.lend_buffer(&mut lent.write);
            self.session.connection.flush();
            self.handle_events(now);
            self.session.poll_ready(now, PARTS_PER_TURN);
            self.handle_events(now);
            self.session.connection.flush_rest();
            self.handle_events(now);
        }
        let wrote = self.write(cx, now);
        self.session.connection.lend_buffer(&mut lent.write);
        match self.stage {
            // What was not read for want of room may be read now.
            Stage::Open if unread && self.session.connection.wants_frames() => Poll::Ready(true),
            Stage::Open => Poll::Ready(more || self.has_more(wrote)),
            Stage::Closing { .. } | Stage::Lingering { .. } => self.poll_closing(cx, now),
            Stage::Done => Poll::Ready(false),
        }
    }

    fn has_more(&self, wrote: bool) -> bool {
        self.session.is_ready() || (wrote && self.session.connection.is_congested())
    }

    /// Hands in the frames that are there, then reads once. Whether there is more at once.
    fn read(&mut self, cx: &mut Context<'_>, now: Instant, lent: &mut Lent) -> bool {
        if self.inbox.is_empty() && !lent.read_is_out {
            std::mem::swap(&mut self.inbox, &mut lent.read);
            lent.read_is_out = true;
        }
        let mut more = self.hand_in(now);
        if !more && matches!(self.stage, Stage::Open) && self.session.connection.wants_frames() {
            self.inbox.reserve(READ_LEN);
            match self.poll_read(cx) {
                Poll::Ready(Ok(0) | Err(_)) => self.lose_socket(),
                Poll::Ready(Ok(len)) => {
                    self.session.turn.bytes_in += len as u64;
                    self.hand_in(now);
                    more = true;
                }
                Poll::Pending => {}
            }
            self.handle_events(now);
        }
        more
    }

    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let read = std::pin::pin!(self.socket.read_buf(&mut self.inbox));
        read.poll(cx)
    }

    /// Hands in whole frames while they are wanted. Whether the turn's budget was used up.
    fn hand_in(&mut self, now: Instant) -> bool {
        for _ in 0..FRAMES_PER_TURN {
            if !self.session.connection.wants_frames() {
                return false;
            }
            match self.deframer.next(&mut self.inbox) {
                Ok(Some(Inbound::Frame(frame))) => {
                    self.session.connection.handle_frame(now, frame);
                }
                Ok(Some(Inbound::Ping(data))) => self.session.connection.handle_ping(&data),
                Ok(Some(Inbound::Pong)) => {}
                Ok(Some(Inbound::Close(_))) => {
                    self.session.connection.handle_websocket_close();
                }
                Ok(None) => return false,
                Err(error) => self.session.connection.handle_framing_error(&error),
            }
            self.handle_events(now);
        }
        true
    }

    fn handle_events(&mut self, now: Instant) {
        if let Some(cause) = self.session.handle_events(now) {
            if let Some(closed) = &self.closed {
                let _ = closed.send(Some(cause.clone()));
            }
            self.stage = Stage::Closing { cause, until: now + LINGER };
        }
    }

    /// Writes what the socket takes, once. Whether it took something.
    fn write(&mut self, cx: &mut Context<'_>, now: Instant) -> bool {
        let output = self.session.connection.output();
        if output.is_empty() {
            self.stalled_since = None;
            return false;
        }
        match Pin::new(&mut self.socket).poll_write(cx, output) {
            Poll::Ready(Ok(taken)) if taken > 0 => {
                self.session.turn.bytes_out += taken as u64;
                self.session.connection.advance(taken);
                self.session.relieve();
                self.stalled_since = None;
                if !self.session.connection.output().is_empty() {
                    cx.waker().wake_by_ref();
                }
                true
            }
            Poll::Ready(_) => {
                self.lose_socket();
                self.handle_events(now);
                false
            }
            Poll::Pending => {
                self.stalled_since.get_or_insert(now);
                false
            }
        }
    }

    /// The peer is gone: nobody is left to write to.
    fn lose_socket(&mut self) {
        self.discard_output();
        self.session.connection.handle_eof();
    }

    fn discard_output(&mut self) {
        let left = self.session.connection.output().len();
        self.session.connection.advance(left);
    }

    // ---- the end -----------------------------------------------------------------------------

    fn poll_closing(&mut self, cx: &mut Context<'_>, now: Instant) -> Poll<bool> {
        if let Stage::Closing { cause, until } = &self.stage {
            let until = *until;
            let shut = self.session.connection.output().is_empty()
                && (now >= until || Pin::new(&mut self.socket).poll_shutdown(cx).is_ready());
            if shut {
                self.stage = Stage::Lingering { cause: cause.clone(), until: now + LINGER };
            } else if now >= until {
                self.stage = Stage::Lingering { cause: cause.clone(), until: now };
            } else {
                return Poll::Pending;
            }
        }
        if let Stage::Lingering { cause, until } = &self.stage {
            let polite = !matches!(cause, Cause::PeerClosed | Cause::Timeout(Deadline::WriteStall));
            if polite && now < *until {
                ready!(self.poll_discard(cx));
            }
        }
        Poll::Ready(false)
    }

    /// Reads to the end without keeping anything.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        const READS: usize = 16;
        for _ in 0..READS {
            self.inbox.clear();
            self.inbox.reserve(READ_LEN);
            match ready!(self.poll_read(cx)) {
                Ok(0) | Err(_) => return Poll::Ready(()),
                Ok(_) => {}
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    // ---- time --------------------------------------------------------------------------------

    /// Carries out what is due, and arms the one timer. It is set earlier when it must be, and else
    /// left to fire: a deadline that moves with every frame costs nothing.
    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let now = clock();
        let due = self.next_timeout();
        if due.is_some_and(|due| due <= now) {
            self.handle_timeout(now);
            return Poll::Ready(());
        }
        let Some(due) = due else { return Poll::Pending };
        if due < self.timer_at || self.timer_at <= now {
            self.timer_at = due;
            self.timer.as_mut().reset(due.into());
        }
        ready!(self.timer.as_mut().poll(cx));
        Poll::Ready(())
    }

    fn next_timeout(&self) -> Option<Instant> {
        let own = match &self.stage {
            Stage::Open => self.session.poll_timeout(),
            Stage::Closing { until, .. } | Stage::Lingering { until, .. } => Some(*until),
            Stage::Done => None,
        };
        let stall = match &self.stage {
            Stage::Open => self.stalled_since.map(|since| since + self.write_stall),
            Stage::Closing { .. } | Stage::Lingering { .. } | Stage::Done => None,
        };
        let idle = self.session.connection.live_streams() == 0;
        let drain = self.draining.as_ref().map(|draining| draining.next_time(idle));
        [own, stall, drain].into_iter().flatten().min()
    }

    fn handle_timeout(&mut self, now: Instant) {
        if !matches!(self.stage, Stage::Open) {
            return;
        }
        if self.stalled_since.is_some_and(|since| now >= since + self.write_stall) {
            self.totals.count_write_stall();
            self.discard_output();
            self.session.connection.abort(Cause::Timeout(Deadline::WriteStall));
        }
        self.session.connection.handle_timeout(now);
        self.session.handle_paces(now);
        self.complete_due(now);
        self.handle_events(now);
    }

    // ---- drain -------------------------------------------------------------------------------

    fn poll_drain_signal(&mut self, cx: &mut Context<'_>, now: Instant) {
        let Some(signal) = &mut self.drain else {
            if self.draining.is_some() {
                self.complete_due(now);
                self.handle_events(now);
            }
            return;
        };
        let Poll::Ready(plan) = signal.as_mut().poll(cx) else { return };
        self.drain = None;
        let Some((plan, place)) = plan else { return };
        self.session.connection.drain_requests(plan.message.clone());
        let keys: Vec<StreamKey> = self.session.keys().collect();
        let total = keys.len();
        self.draining = Some(Draining { plan, place, keys: keys.into_iter(), total });
        self.complete_due(now);
        self.handle_events(now);
    }

    /// Completes the subscriptions whose time has come; when none is left, ends the connection.
    fn complete_due(&mut self, now: Instant) {
        let Some(draining) = &mut self.draining else { return };
        while draining.keys.len() > 0 && draining.next_completion() <= now {
            if let Some(key) = draining.keys.next() {
                self.session.complete(key);
            }
        }
        let late = now >= draining.plan.deadline;
        let idle = draining.keys.len() == 0 && self.session.connection.live_streams() == 0;
        if late || (idle && draining.is_done(now)) {
            self.session.connection.finish("the server is draining: connect again");
        }
    }
}

impl Draining {
    /// The place of stream i of n is (i + place) / n of the spread: even for many streams on one
    /// connection as for one stream on each of many.
    fn next_completion(&self) -> Instant {
        let total = self.total.max(1) as f64;
        let done = (self.total - self.keys.len()) as f64;
        let part = ((done + self.place) / total).clamp(0.0, 1.0);
        self.plan.start + self.plan.spread.mul_f64(part)
    }

    /// A connection without streams leaves at its place, one with streams after its last.
    fn is_done(&self, now: Instant) -> bool {
        self.total > 0 || self.next_completion() <= now
    }

    fn next_time(&self, idle: bool) -> Instant {
        if idle || self.keys.len() > 0 {
            self.next_completion().min(self.plan.deadline)
        } else {
            self.plan.deadline
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Future for Driver<S> {
    type Output = Cause;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Cause> {
        let this = self.get_mut();
        let mut lent = buffers::borrow();
        let polled = this.poll_turns(cx, &mut lent);
        this.keep_rest(&mut lent);
        buffers::give_back(lent);
        this.totals
            .add(&this.session.connection.take_stats(), &std::mem::take(&mut this.session.turn));
        polled
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Driver<S> {
    fn poll_turns(&mut self, cx: &mut Context<'_>, lent: &mut Lent) -> Poll<Cause> {
        let now = clock();
        if self.next_timeout().is_some_and(|due| due <= now) {
            self.handle_timeout(now);
        }
        for _ in 0..TURNS {
            match self.turn(cx, lent) {
                Poll::Ready(true) => continue,
                Poll::Ready(false) if !matches!(self.stage, Stage::Open) => {
                    return Poll::Ready(self.end());
                }
                Poll::Ready(false) | Poll::Pending => {}
            }
            if self.poll_timer(cx).is_ready() {
                continue;
            }
            if self.session.park(cx.waker()) {
                return Poll::Pending;
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Bytes of buffers that stay with the connection between polls.
    #[cfg(test)]
    pub(super) fn held_memory(&self) -> usize {
        self.inbox.capacity() + self.session.connection.output_capacity()
    }

    /// Parts that wait for their poll.
    #[cfg(test)]
    pub(super) fn queued_parts(&self) -> usize {
        self.session.queued_parts()
    }

    fn end(&mut self) -> Cause {
        match std::mem::replace(&mut self.stage, Stage::Done) {
            Stage::Closing { cause, .. } | Stage::Lingering { cause, .. } => cause,
            Stage::Open | Stage::Done => Cause::Closed,
        }
    }

    /// An incomplete frame stays, in memory of its own; the thread's buffer goes back.
    fn keep_rest(&mut self, lent: &mut Lent) {
        let rest = match self.inbox.len() {
            0 => BytesMut::new(),
            1..READ_LEN => BytesMut::from(self.inbox.chunk()),
            // A large frame is on its way: its buffer grows where it is.
            READ_LEN.. => return,
        };
        let used = std::mem::replace(&mut self.inbox, rest);
        if lent.read_is_out {
            lent.read = used;
            lent.read_is_out = false;
        }
    }
}

impl<S> Drop for Driver<S> {
    fn drop(&mut self) {
        self.totals.close();
    }
}

/// The runtime's clock, which tests can pause.
fn clock() -> Instant {
    tokio::time::Instant::now().into_std()
}
