//! Drives hyper's connection through its states.

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

/// Why a connection is no longer driven.
#[derive(Debug)]
pub(super) enum Driven {
    Ended(Ended),
    /// The connection can sleep: nothing is in flight, and nothing is left to write.
    Asleep,
}

/// A hyper connection, HTTP/1 or HTTP/2.
pub(super) trait ServerConnection: Future<Output = hyper::Result<()>> {
    /// Stops accepting requests.
    fn drain(self: Pin<&mut Self>);
}

/// Drives `connection` until it can sleep or ends: by itself, at a deadline, after an idle time, in silence, or after
/// draining.
///
/// One timer serves all deadlines. Requests do not move it. When it fires, the driver checks what the connection is
/// waiting for and since when, and sets the timer to the time that is left. Only these bring it forward: a head that
/// arrives in pieces, the first body that does (once, until the timer fires), a response with a shorter timeout than the
/// previous one, and the end of the first response if the connection can sleep. Until then the timer is far ahead,
/// because the runtime wakes up for the timer that fires next, and most connections with one request end before that.
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
        // Poll before draining: hyper closes a draining idle connection without checking whether a request has arrived.
        let mut polled = connection.as_mut().poll(cx);
        while let Some(event) = self.happened(&mut polled) {
            match self.on(event) {
                Action::End(ended) => return Poll::Ready(Driven::Ended(ended)),
                Action::Drain => {
                    connection.as_mut().drain();
                    // A client that does not react must not keep the connection open for longer.
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
                action = self.check_again(connection.as_mut(), cx);
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

    /// An event that the state does not reflect yet.
    fn happened(&self, polled: &mut Poll<hyper::Result<()>>) -> Option<Event> {
        let orders = self.control.orders();
        if orders.is_silenced() {
            return Some(Event::Silenced);
        }
        if let Poll::Ready(result) = std::mem::replace(polled, Poll::Pending) {
            return Some(self.over(result));
        }
        if !self.state.is_named() && orders.is_open() {
            return Some(Event::Opened);
        }
        let drains = self.state.is_draining();
        if !drains && orders.is_draining() {
            return Some(if orders.is_refused() { Event::Refused } else { Event::DrainAsked });
        }
        if self.state == ConnState::Draining && orders.is_refused() {
            return Some(Event::Refused);
        }
        // No response has been sent, so there is nothing to wait for. Otherwise the last one gets `FAREWELL` to reach
        // the client.
        if self.state == ConnState::Refusing && self.nothing_answered() {
            return Some(Event::NothingAnswered);
        }
        None
    }

    fn nothing_answered(&self) -> bool {
        let traffic = self.control.traffic();
        traffic.completed() == 0 && traffic.phase() == Phase::Idle
    }

    /// The event for the end of hyper's connection.
    fn over(&self, result: hyper::Result<()>) -> Event {
        let orders = self.control.orders();
        match result {
            _ if orders.is_silenced() => Event::Silenced,
            _ if orders.is_flooded() => Event::Flooded,
            Ok(()) => Event::Finished,
            Err(error) => Event::Failed(error),
        }
    }

    /// Polls once more: hyper has to notice the end of the last body before its state is dropped.
    fn check_again<C: ServerConnection>(&mut self, connection: Pin<&mut C>, cx: &mut Context<'_>) -> Action {
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
