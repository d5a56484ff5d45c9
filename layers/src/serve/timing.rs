//! The deadlines of a connection: when its timer fires, and what is due then.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{ConnState, Event};
use crate::conn::{Phase, Traffic};

/// How long a connection with nothing in flight may take to end once asked to.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// How long a connection has to be idle before it sleeps. A client that sends one request after another is not idle
/// that long.
pub(super) const DOZE: Duration = Duration::from_millis(20);
/// How often to check whether a busy connection can sleep.
const BUSY: Duration = Duration::from_secs(2);
/// How often bodies are checked within their timeout. A stall is noticed at most a quarter of the timeout late.
const CHECKS_PER_TIMEOUT: u32 = 4;

/// Time limits for the phases of a connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadlines {
    /// Until a served name was seen.
    pub(super) silence: Instant,
    /// Without a request.
    pub(super) keep_alive: Duration,
    /// For a request head, from its first byte on, once the gate is open.
    pub(super) head: Duration,
    /// Without progress of a body, once the response has begun.
    pub(super) body: Duration,
    /// Whether an idle connection sleeps before its keep-alive timeout.
    pub(super) sleeps: bool,
}

/// What the timer of a connection watches.
#[derive(Debug)]
pub(super) struct Timing {
    deadlines: Deadlines,
    watched: TimerFor,
    /// Whether the timer was brought forward because the connection is idle.
    watches_idle: bool,
}

/// What the timer watches besides idleness.
#[derive(Debug, Clone, Copy)]
enum TimerFor {
    Nothing,
    /// The head that follows after this many requests.
    Head {
        requests: u32,
        until: Instant,
    },
    /// The progress of the bodies, when it was first seen, and how long it may stay the same.
    Bodies {
        progress: u32,
        since: Instant,
        timeout: Duration,
    },
}

/// What is due when the timer fires.
#[derive(Debug)]
pub(super) enum Due {
    /// Nothing before this time.
    At(Instant),
    Now(Event),
}

impl Timing {
    pub(super) fn new(deadlines: Deadlines) -> Self {
        Self { deadlines, watched: TimerFor::Nothing, watches_idle: false }
    }

    /// When the timer first fires.
    pub(super) fn first(&self) -> Instant {
        self.deadlines.silence.min(Instant::now() + self.deadlines.keep_alive)
    }

    /// The time by which the timer must fire, if that has just become known. Called at every wake-up, and reads the
    /// clock only if something arrives in pieces.
    pub(super) fn sooner(&mut self, state: ConnState, traffic: &Traffic) -> Option<Instant> {
        match (traffic.phase(), self.watched) {
            (Phase::Head, watched) => {
                let requests = traffic.requests();
                let known = matches!(watched, TimerFor::Head { requests: of, .. } if of == requests);
                if known || !state.is_named() {
                    return None;
                }
                let until = Instant::now() + self.deadlines.head;
                self.watched = TimerFor::Head { requests, until };
                Some(until)
            }
            (Phase::Bodies, TimerFor::Nothing | TimerFor::Head { .. }) => {
                let (now, timeout) = (Instant::now(), self.stall_timeout(traffic));
                self.watched = TimerFor::Bodies { progress: traffic.progress(), since: now, timeout };
                Some(now + timeout / CHECKS_PER_TIMEOUT)
            }
            // A response with a shorter timeout than the previous one.
            (Phase::Bodies, TimerFor::Bodies { progress, since, timeout }) => {
                let shorter = self.stall_timeout(traffic);
                if shorter >= timeout {
                    return None;
                }
                self.watched = TimerFor::Bodies { progress, since, timeout: shorter };
                Some(Instant::now() + shorter / CHECKS_PER_TIMEOUT)
            }
            (Phase::Idle, _) if self.deadlines.sleeps && !self.watches_idle && state.is_named() => {
                self.watches_idle = true;
                Some(Instant::now() + DOZE.min(self.deadlines.keep_alive))
            }
            _ => None,
        }
    }

    /// What is due when the timer fires.
    pub(super) fn due(&mut self, state: ConnState, traffic: &Traffic, now: Instant) -> Due {
        if !state.is_named() {
            let over = state.is_draining() || now >= self.deadlines.silence;
            // The gate may open at any time, and then another timeout applies.
            let again = self.deadlines.silence.min(now + self.deadlines.keep_alive.min(BUSY));
            return if over { Due::Now(Event::Late) } else { Due::At(again) };
        }
        match (traffic.phase(), self.watched) {
            (Phase::Head, TimerFor::Head { requests, until })
                if requests == traffic.requests() && !state.is_draining() =>
            {
                if now >= until {
                    Due::Now(Event::HeadLate)
                } else {
                    Due::At(until)
                }
            }
            (Phase::Bodies, watched) => self.due_for_bodies(watched, state, traffic, now),
            (phase, _) => {
                self.watched = TimerFor::Nothing;
                let timeout = if state.is_draining() { FAREWELL } else { self.deadlines.keep_alive };
                let sleeps = self.deadlines.sleeps && state == ConnState::Serving;
                let may_doze = sleeps && phase == Phase::Idle;
                match traffic.idle_for() {
                    Some(idle) if idle >= timeout => Due::Now(Event::IdleLate),
                    Some(idle) if may_doze && idle >= DOZE => Due::Now(Event::Dozed),
                    Some(idle) => Due::At(now + if may_doze { timeout.min(DOZE) } else { timeout } - idle),
                    None => Due::At(now + if sleeps { timeout.min(BUSY) } else { timeout }),
                }
            }
        }
    }

    fn due_for_bodies(&mut self, watched: TimerFor, state: ConnState, traffic: &Traffic, now: Instant) -> Due {
        let progress = traffic.progress();
        let since = match watched {
            TimerFor::Bodies { progress: seen, since, .. } if seen == progress && !traffic.has_patient_streams() => {
                since
            }
            _ => now,
        };
        let timeout = self.stall_timeout(traffic);
        self.watched = TimerFor::Bodies { progress, since, timeout };
        // The next check may be far away.
        self.watches_idle = false;
        if now.duration_since(since) >= timeout {
            return Due::Now(Event::BodyLate);
        }
        let next = (since + timeout).min(now + timeout / CHECKS_PER_TIMEOUT);
        Due::At(if state.is_draining() { next.min(now + FAREWELL) } else { next })
    }

    fn stall_timeout(&self, traffic: &Traffic) -> Duration {
        traffic.own_timeout().map_or(self.deadlines.body, Duration::from)
    }
}
