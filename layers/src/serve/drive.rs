use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::{Read, Write};
use tokio::{
    io::AsyncRead,
    time::{Instant, Sleep, sleep_until},
};

use super::Ended;
use crate::{
    conn::{Control, Phase},
    silence::Gate,
};

/// How long a connection may take to end once it was asked to, with nothing in flight.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// How long a connection has to be idle to be put to sleep: a client that sends requests one after the other is not.
const DOZE: Duration = Duration::from_millis(20);
/// How often one that is busy is looked at, to put it to sleep.
const BUSY: Duration = Duration::from_secs(2);
/// How often bodies are looked at within their timeout: so much later at the most, a fourth, it may be noticed.
const LOOKS: u32 = 4;

/// How long a connection may take for each of its phases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Until a served name was seen.
    pub(super) silence: Instant,
    /// Without a request.
    pub(super) keep_alive: Duration,
    /// From the first byte of a head to its end, once the gate is open.
    pub(super) head: Duration,
    /// Without a piece of a body, once the response has begun.
    pub(super) body: Duration,
    /// Whether a connection that is idle comes back as [`Driven::Idle`] before it has been idle for too long.
    pub(super) sleeps: bool,
}

/// How far a connection was driven.
#[derive(Debug)]
pub(super) enum Driven {
    Ended(Ended),
    /// Nothing is in flight, and nothing left to write.
    Idle,
}

/// Runs `connection` to its end: its own, a deadline, an idle time, silence, or draining; or until it may sleep.
///
/// One timer serves all deadlines. Requests do not move it: when it fires, it looks what the connection waits for and
/// since when, and sleeps for the rest. It is brought forward by a head that comes in pieces and by the first body
/// that does, once until it fires, and by the end of the first response, for a connection that sleeps. Before that it is
/// far away: a timer that is the next one to fire interrupts the runtime's wait, and most connections with one request
/// have ended by then.
pub(super) async fn drive<C: Connection>(
    mut connection: Pin<&mut C>,
    control: &Control,
    deadlines: Deadlines,
) -> Driven {
    let mut driver =
        Driver { control, deadlines, watched: Watched::Nothing, watches_idle: false, draining: false, farewell: false };
    let mut timer = pin!(sleep_until(deadlines.silence.min(Instant::now() + deadlines.keep_alive)));
    poll_fn(|cx| driver.poll(connection.as_mut(), timer.as_mut(), cx)).await
}

/// Whether the client speaks HTTP/2 from its first byte; no, as far as is known, once the connection is to end.
pub(super) async fn detect_http2<IO: AsyncRead + Unpin>(gate: &mut Gate<IO>, control: &Control) -> bool {
    let mut preface = pin!(gate.starts_with_h2_preface());
    poll_fn(|cx| {
        control.register_driver(cx.waker());
        if control.is_draining() || control.is_silenced() {
            return Poll::Ready(false);
        }
        preface.as_mut().poll(cx).map(|found| found.unwrap_or(false))
    })
    .await
}

struct Driver<'a> {
    control: &'a Control,
    deadlines: Deadlines,
    watched: Watched,
    /// Whether the timer was brought forward for a connection that is idle.
    watches_idle: bool,
    draining: bool,
    farewell: bool,
}

/// What the timer keeps an eye on, besides idleness.
#[derive(Debug, Clone, Copy)]
enum Watched {
    Nothing,
    /// The head that comes after so many requests.
    Head {
        requests: u32,
        until: Instant,
    },
    /// How far the bodies had come, and when that was first seen.
    Bodies {
        progress: u32,
        since: Instant,
    },
}

impl Driver<'_> {
    fn poll<C: Connection>(
        &mut self,
        mut connection: Pin<&mut C>,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Driven> {
        self.control.register_driver(cx.waker());
        let mut ended = connection.as_mut().poll(cx);
        // Only now: hyper closes an idle connection without a look at a request that has come.
        if !self.draining && self.control.is_draining() && ended.is_pending() {
            self.draining = true;
            connection.as_mut().drain();
            // A client that does not answer to it does not hold the end up.
            let end = timer.deadline().min(Instant::now() + FAREWELL);
            timer.as_mut().reset(end);
            ended = connection.as_mut().poll(cx);
        }
        if self.control.is_silenced() {
            return Poll::Ready(Driven::Ended(Ended::Silenced));
        }
        if let Poll::Ready(result) = ended {
            return Poll::Ready(Driven::Ended(self.ended(result)));
        }
        // No response has been sent, so there is nothing to wait for. Otherwise the last one gets the time of a
        // farewell.
        if self.draining
            && self.control.is_refused()
            && self.control.completed() == 0
            && self.control.phase() == Phase::Idle
        {
            return Poll::Ready(Driven::Ended(Ended::Silenced));
        }
        if let Some(deadline) = self.watch().filter(|deadline| *deadline < timer.deadline()) {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            match self.look(Instant::now()) {
                Look::Again(at) => timer.as_mut().reset(at),
                Look::Ended(ended) => return Poll::Ready(Driven::Ended(ended)),
                Look::Sleep => {
                    // hyper has to notice the end of the last body before its state is dropped.
                    let requests = self.control.requests();
                    if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                        return Poll::Ready(Driven::Ended(self.ended(result)));
                    }
                    if self.control.requests() == requests && self.control.phase() == Phase::Idle {
                        return Poll::Ready(Driven::Idle);
                    }
                    timer.as_mut().reset(Instant::now() + DOZE);
                }
                Look::Farewell => {
                    self.farewell = true;
                    connection.as_mut().drain();
                    if connection.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Driven::Ended(Ended::Idle));
                    }
                    timer.as_mut().reset(Instant::now() + FAREWELL);
                }
            }
        }
    }

    fn ended(&self, result: hyper::Result<()>) -> Ended {
        match result {
            _ if self.control.is_flooded() => Ended::Flooded,
            Ok(()) => Ended::Finished,
            Err(error) => Ended::Failed(error),
        }
    }

    /// When the timer must fire at the latest, where that has become clear just now. It is called at every wake-up,
    /// and looks at the clock only if something comes in pieces.
    fn watch(&mut self) -> Option<Instant> {
        match (self.control.phase(), self.watched) {
            (Phase::Head, watched) => {
                let requests = self.control.requests();
                let known = matches!(watched, Watched::Head { requests: of, .. } if of == requests);
                if known || !self.control.is_open() {
                    return None;
                }
                let until = Instant::now() + self.deadlines.head;
                self.watched = Watched::Head { requests, until };
                Some(until)
            }
            (Phase::Bodies, Watched::Nothing | Watched::Head { .. }) => {
                let now = Instant::now();
                self.watched = Watched::Bodies { progress: self.control.progress(), since: now };
                Some(now + self.deadlines.body / LOOKS)
            }
            (Phase::Idle, _) if self.deadlines.sleeps && !self.watches_idle && self.control.is_open() => {
                self.watches_idle = true;
                Some(Instant::now() + DOZE.min(self.deadlines.keep_alive))
            }
            _ => None,
        }
    }

    /// What is due when the timer has fired.
    fn look(&mut self, now: Instant) -> Look {
        if !self.control.is_open() {
            let over = self.draining || now >= self.deadlines.silence;
            // The gate may open at any time, and it is another time that counts then.
            let again = self.deadlines.silence.min(now + self.deadlines.keep_alive.min(BUSY));
            return if over { Look::Ended(Ended::Deadline) } else { Look::Again(again) };
        }
        let timeout = if self.draining { FAREWELL } else { self.deadlines.keep_alive };
        match (self.control.phase(), self.watched) {
            (Phase::Head, Watched::Head { requests, until })
                if requests == self.control.requests() && !self.draining =>
            {
                if now >= until {
                    Look::Ended(Ended::HeadTimeout)
                } else {
                    Look::Again(until)
                }
            }
            (Phase::Bodies, watched) => {
                let progress = self.control.progress();
                let since = match watched {
                    Watched::Bodies { progress: seen, since } if seen == progress => since,
                    _ => now,
                };
                self.watched = Watched::Bodies { progress, since };
                let body = self.deadlines.body;
                if now.duration_since(since) >= body {
                    return Look::Ended(Ended::Stalled);
                }
                let next = (since + body).min(now + body / LOOKS);
                Look::Again(if self.draining { next.min(now + FAREWELL) } else { next })
            }
            (phase, _) => {
                self.watched = Watched::Nothing;
                let sleeps = self.deadlines.sleeps && !self.draining && !self.farewell;
                let may_doze = sleeps && phase == Phase::Idle;
                match self.control.idle_for() {
                    Some(idle) if idle >= timeout && (self.farewell || self.draining) => {
                        Look::Ended(if self.control.is_refused() { Ended::Silenced } else { Ended::Idle })
                    }
                    Some(idle) if idle >= timeout => Look::Farewell,
                    Some(idle) if may_doze && idle >= DOZE => Look::Sleep,
                    Some(idle) => Look::Again(now + if may_doze { timeout.min(DOZE) } else { timeout } - idle),
                    None => Look::Again(now + if sleeps { timeout.min(BUSY) } else { timeout }),
                }
            }
        }
    }
}

/// What follows from a look at the connection.
#[derive(Debug)]
enum Look {
    Again(Instant),
    /// It has been idle for long enough.
    Sleep,
    /// It has been idle for too long, and is told.
    Farewell,
    Ended(Ended),
}

/// A connection of hyper, whichever version.
pub(super) trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no further request.
    fn drain(self: Pin<&mut Self>);
}

impl<I, S, B> Connection for hyper::server::conn::http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<tower::BoxError>,
    I: Read + Write + Unpin + Send + 'static,
    B: http_body::Body + 'static,
    B::Error: Into<tower::BoxError>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Connection for hyper::server::conn::http2::Connection<I, S, E>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<tower::BoxError>,
    I: Read + Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<tower::BoxError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
