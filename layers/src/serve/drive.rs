//! Runs hyper's connection through its states.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
};

use tokio::time::{Instant, Sleep, sleep_until};

use super::{
    Ended,
    state::{Action, ConnState, Event},
    timing::{DOZE, Deadlines, Due, FAREWELL, Timing},
};
use crate::conn::{Control, Phase};

/// How far a connection was driven.
#[derive(Debug)]
pub(super) enum Driven {
    Ended(Ended),
    /// It goes to sleep: nothing is in flight, and nothing is left to write.
    Asleep,
}

/// A connection of hyper, whichever version.
pub(super) trait ServerConnection: Future<Output = hyper::Result<()>> {
    /// Takes no further request.
    fn drain(self: Pin<&mut Self>);
}

/// Runs `connection` to its end: its own, a deadline, an idle time, silence, or draining; or until it may sleep.
///
/// One timer serves all deadlines. Requests do not move it: when it fires, it looks what the connection waits for and
/// since when, and sleeps for the rest. It is brought forward by a head that comes in pieces and by the first body
/// that does, once until it fires, and by the end of the first response, for a connection that sleeps. Before that it is
/// far away: a timer that is the next one to fire interrupts the runtime's wait, and most connections with one request
/// have ended by then.
pub(super) async fn drive<C: ServerConnection>(
    mut connection: Pin<&mut C>,
    control: &Control,
    state: ConnState,
    deadlines: Deadlines,
) -> Driven {
    let timing = Timing::new(deadlines);
    let mut timer = pin!(sleep_until(timing.first()));
    let mut driver = Driver { control, state, timing };
    poll_fn(|cx| driver.poll(connection.as_mut(), timer.as_mut(), cx)).await
}

struct Driver<'a> {
    control: &'a Control,
    state: ConnState,
    timing: Timing,
}

impl Driver<'_> {
    fn poll<C: ServerConnection>(
        &mut self,
        mut connection: Pin<&mut C>,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Driven> {
        self.control.register_driver(cx.waker());
        // First: hyper closes an idle connection that drains without a look at a request that has come.
        let mut polled = connection.as_mut().poll(cx);
        while let Some(event) = self.happened(&mut polled) {
            match self.on(event) {
                Action::End(ended) => return Poll::Ready(Driven::Ended(ended)),
                Action::Drain => {
                    connection.as_mut().drain();
                    // A client that does not answer to it does not hold the end up.
                    let end = timer.deadline().min(Instant::now() + FAREWELL);
                    timer.as_mut().reset(end);
                    polled = connection.as_mut().poll(cx);
                }
                _ => {}
            }
        }
        if let Some(deadline) = self.timing.sooner(self.state, self.control.traffic())
            && deadline < timer.deadline()
        {
            timer.as_mut().reset(deadline);
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            let mut action = match self.timing.due(self.state, self.control.traffic(), Instant::now()) {
                Due::At(next) => {
                    timer.as_mut().reset(next);
                    continue;
                }
                Due::Now(event) => self.on(event),
            };
            let mut next = FAREWELL;
            if let Action::LookAgain = action {
                action = self.look_again(connection.as_mut(), cx);
                next = DOZE;
            }
            if let Action::Drain = action {
                connection.as_mut().drain();
                if let Poll::Ready(result) = connection.as_mut().poll(cx) {
                    action = self.on(self.over(result));
                }
            }
            match action {
                Action::End(ended) => return Poll::Ready(Driven::Ended(ended)),
                Action::Sleep => return Poll::Ready(Driven::Asleep),
                _ => timer.as_mut().reset(Instant::now() + next),
            }
        }
    }

    fn on(&mut self, event: Event) -> Action {
        let (state, action) = self.state.on(event);
        self.state = state;
        action
    }

    /// What has happened that the state does not say yet.
    fn happened(&self, polled: &mut Poll<hyper::Result<()>>) -> Option<Event> {
        let told = self.control.told();
        if told.is_silenced() {
            return Some(Event::Silenced);
        }
        if let Poll::Ready(result) = std::mem::replace(polled, Poll::Pending) {
            return Some(self.over(result));
        }
        if !self.state.is_named() && told.is_open() {
            return Some(Event::Opened);
        }
        let drains = self.state.is_draining();
        if !drains && told.is_draining() {
            return Some(if told.is_refused() { Event::Refused } else { Event::DrainAsked });
        }
        if self.state == ConnState::Draining && told.is_refused() {
            return Some(Event::Refused);
        }
        // No response has been sent, so there is nothing to wait for. Otherwise the last one gets the time of a
        // farewell.
        if self.state == ConnState::Refusing && self.nothing_answered() {
            return Some(Event::NothingAnswered);
        }
        None
    }

    fn nothing_answered(&self) -> bool {
        let traffic = self.control.traffic();
        traffic.completed() == 0 && traffic.phase() == Phase::Idle
    }

    /// hyper's connection is over.
    fn over(&self, result: hyper::Result<()>) -> Event {
        let told = self.control.told();
        match result {
            _ if told.is_silenced() => Event::Silenced,
            _ if told.is_flooded() => Event::Flooded,
            Ok(()) => Event::Finished,
            Err(error) => Event::Failed(error),
        }
    }

    /// hyper has to notice the end of the last body before its state is dropped.
    fn look_again<C: ServerConnection>(&mut self, connection: Pin<&mut C>, cx: &mut Context<'_>) -> Action {
        let traffic = self.control.traffic();
        let requests = traffic.requests();
        let event = match connection.poll(cx) {
            Poll::Ready(result) => self.over(result),
            Poll::Pending if traffic.requests() == requests && traffic.phase() == Phase::Idle => Event::StillIdle,
            Poll::Pending => Event::Stirred,
        };
        self.on(event)
    }
}
