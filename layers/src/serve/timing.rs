//! The deadlines of a connection: when its timer fires, and what is due then.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{ConnState, Event};
use crate::conn::{Phase, Traffic};

/// How long a connection may take to end once it was asked to, with nothing in flight.
pub(super) const FAREWELL: Duration = Duration::from_secs(1);
/// How long a connection has to be idle to be put to sleep: a client that sends requests one after the other is not.
pub(super) const DOZE: Duration = Duration::from_millis(20);
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
    /// Whether a connection that is idle goes to sleep before it has been idle for too long.
    pub(super) sleeps: bool,
}

/// What the timer of a connection keeps an eye on.
#[derive(Debug)]
pub(super) struct Timing {
    deadlines: Deadlines,
    watched: TimerFor,
    /// Whether the timer was brought forward for a connection that is idle.
    watches_idle: bool,
}

/// What it is besides idleness.
#[derive(Debug, Clone, Copy)]
enum TimerFor {
    Nothing,
    /// The head that comes after so many requests.
    Head {
        requests: u32,
        until: Instant,
    },
    /// How far the bodies had come, when that was first seen, and how long they may stay there.
    Bodies {
        progress: u32,
        since: Instant,
        timeout: Duration,
    },
}

/// What is due when the timer has fired.
#[derive(Debug)]
pub(super) enum Due {
    /// Nothing until then.
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

    /// When the timer must fire at the latest, where that has become clear just now. It is called at every wake-up,
    /// and looks at the clock only if something comes in pieces.
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
                Some(now + timeout / LOOKS)
            }
            // A response with a shorter timeout than the one before.
            (Phase::Bodies, TimerFor::Bodies { progress, since, timeout }) => {
                let shorter = self.stall_timeout(traffic);
                if shorter >= timeout {
                    return None;
                }
                self.watched = TimerFor::Bodies { progress, since, timeout: shorter };
                Some(Instant::now() + shorter / LOOKS)
            }
            (Phase::Idle, _) if self.deadlines.sleeps && !self.watches_idle && state.is_named() => {
                self.watches_idle = true;
                Some(Instant::now() + DOZE.min(self.deadlines.keep_alive))
            }
            _ => None,
        }
    }

    /// What is due when the timer has fired.
    pub(super) fn due(&mut self, state: ConnState, traffic: &Traffic, now: Instant) -> Due {
        if !state.is_named() {
            let over = state.is_draining() || now >= self.deadlines.silence;
            // The gate may open at any time, and it is another time that counts then.
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
            (Phase::Bodies, watched) => self.of_bodies(watched, state, traffic, now),
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

    fn of_bodies(&mut self, watched: TimerFor, state: ConnState, traffic: &Traffic, now: Instant) -> Due {
        let progress = traffic.progress();
        let since = match watched {
            TimerFor::Bodies { progress: seen, since, .. } if seen == progress && !traffic.has_patient_streams() => {
                since
            }
            _ => now,
        };
        let timeout = self.stall_timeout(traffic);
        self.watched = TimerFor::Bodies { progress, since, timeout };
        // The next look may be far away.
        self.watches_idle = false;
        if now.duration_since(since) >= timeout {
            return Due::Now(Event::BodyLate);
        }
        let next = (since + timeout).min(now + timeout / LOOKS);
        Due::At(if state.is_draining() { next.min(now + FAREWELL) } else { next })
    }

    fn stall_timeout(&self, traffic: &Traffic) -> Duration {
        traffic.own_timeout().map_or(self.deadlines.body, Duration::from)
    }
}
