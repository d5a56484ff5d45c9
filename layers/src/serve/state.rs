//! The states of a connection, and the events that lead from one to the next.
//!
//! `served` holds the state, `awake` and `drive` run the server of `http1` or `http2`, `timing` says when something is
//! late, and `ending` closes the connection.
//!
//! ```text
//!            client speaks first         server speaks first (HTTP/2)
//!                       ┌──────── New ────────┐
//!                       ▼                     ▼
//!   gate closed      Unheard ──── Input ──▶ Unnamed ──── DrainAsked ──▶ DrainingUnnamed
//!                       │ Opened              │ Opened                     │ Opened
//!   ────────────────────┼─────────────────────┼────────────────────────────┼──────────
//!   gate open           ▼                     ▼                            ▼
//!                    Asleep ──── Input ──▶ Serving ───── DrainAsked ──▶ Draining
//!                       ▲                   │   ▲ │                     ▲  │ Refused
//!                       │             Dozed ▼   │ └── IdleLate ──▶ Farewell ▼
//!                       └─── StillIdle ── Dozing┘ Stirred               Refusing
//!
//!   any of them ─── Silenced, what is late, the end of hyper's connection ──▶ Ended
//! ```
//!
//! The line between the two halves is the [`Gate`](crate::silence::Gate): it is crossed once, and nothing above it is
//! ever answered. In `Unheard`, `Asleep` and `Dozing`, the connection speaks HTTP/1 or a protocol that is not known
//! yet. `Unheard` and `Asleep` hold no HTTP server and no buffer.
//!
//! | state | event | next state | action |
//! | --- | --- | --- | --- |
//! | New | ClientFirst | Unheard | Sleep |
//! | New | ServerFirst | Unnamed | Wake |
//! | Unheard | Opened | Asleep | Sleep |
//! | Unheard | Input, NoInput | Unnamed | Wake |
//! | Unheard | Late | Ended | End(Deadline) |
//! | Asleep | Input | Serving | Wake |
//! | Asleep | NoInput | Ended | End(Finished) |
//! | Asleep | Late | Ended | End(Idle) |
//! | Unnamed | Opened | Serving | GoOn |
//! | Unnamed | DrainAsked, Refused | DrainingUnnamed | Drain |
//! | Unnamed, DrainingUnnamed | Late | Ended | End(Deadline) |
//! | DrainingUnnamed | Opened | Draining | GoOn |
//! | Serving | Dozed | Dozing | LookAgain |
//! | Dozing | StillIdle | Asleep | Sleep |
//! | Dozing | Stirred | Serving | GoOn |
//! | Serving | IdleLate | Farewell | Drain |
//! | Serving, Farewell | DrainAsked | Draining | Drain |
//! | Serving, Farewell | Refused | Refusing | Drain |
//! | Draining | Refused | Refusing | GoOn |
//! | Farewell, Draining | IdleLate | Ended | End(Idle) |
//! | Refusing | IdleLate, NothingAnswered | Ended | End(Silenced) |
//! | Serving, Farewell | HeadLate | Ended | End(HeadTimeout) |
//! | Serving, Farewell, Draining, Refusing | BodyLate | Ended | End(Stalled) |
//! | Farewell | Finished | Ended | End(Idle) |
//! | any that is awake | Finished | Ended | End(Finished) |
//! | any that is awake | Failed | Ended | End(Failed) |
//! | any that is awake | Flooded | Ended | End(Flooded) |
//! | any | Silenced | Ended | End(Silenced) |
//!
//! Events that are not in the table change nothing.

use super::Ended;

/// What a connection is about. Its own task alone knows it; others see and change its [`Control`](crate::conn::Control).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnState {
    /// It was not looked at yet.
    New,
    /// It waits for the first bytes of a client that has not named a host.
    Unheard,
    /// It waits for the next request, or the first one behind an open gate.
    Asleep,
    /// A server runs, and no served host was named so far.
    Unnamed,
    /// A server runs behind an open gate.
    Serving,
    /// It was idle for a moment: without a last look it could be put to sleep with a request.
    Dozing,
    /// It was idle for too long, and the client was told.
    Farewell,
    /// It takes no further request, and no served host was named.
    DrainingUnnamed,
    /// It takes no further request, and ends when those in flight have.
    Draining,
    /// As `Draining`, because a request gets no answer.
    Refusing,
    /// Nothing leads out of it.
    Ended,
}

/// What happens to a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// It is new, and the client sends the first byte.
    ClientFirst,
    /// It is new, and the server does.
    ServerFirst,
    /// Its gate was opened.
    Opened,
    /// Bytes have come while no server ran.
    Input,
    /// No bytes will come: the client has ended, or the connection takes no more requests.
    NoInput,
    /// The time to wait for a request, or for a name, is over.
    Late,
    /// It has to take no more requests.
    DrainAsked,
    /// So it is, because a request gets no answer.
    Refused,
    /// Of all its requests, none was or will be answered.
    NothingAnswered,
    /// It was idle for long enough to sleep.
    Dozed,
    /// So it still is after a last look.
    StillIdle,
    /// It is not.
    Stirred,
    /// It was idle for as long as it may be.
    IdleLate,
    /// The head of a request has not come in time.
    HeadLate,
    /// Nothing of a body has moved for too long.
    BodyLate,
    /// It has to end without another byte.
    Silenced,
    /// hyper has ended it in good order.
    Finished,
    /// hyper has given it up.
    Failed(hyper::Error),
    /// It has ended because its client kept the server busy for nothing.
    Flooded,
}

/// What to do about an event.
#[derive(Debug)]
pub(super) enum Action {
    /// Nothing.
    GoOn,
    /// Wait for bytes, without a server.
    Sleep,
    /// Run a server.
    Wake,
    /// Have hyper look once more, then say whether it is [still idle](Event::StillIdle).
    LookAgain,
    /// Have hyper take no further request, and give it a second to end if none is in flight.
    Drain,
    /// Close it.
    End(Ended),
}

impl ConnState {
    /// What follows from an event.
    pub(super) fn on(self, event: Event) -> (Self, Action) {
        use Action::{Drain, End, GoOn, LookAgain, Sleep, Wake};
        use ConnState::{
            Asleep, Dozing, Draining, DrainingUnnamed, Farewell, New, Refusing, Serving, Unheard, Unnamed,
        };

        match (self, event) {
            (Self::Ended, _) => (self, GoOn),

            (New, Event::ClientFirst) => (Unheard, Sleep),
            (New, Event::ServerFirst) => (Unnamed, Wake),
            (Unheard, Event::Opened) => (Asleep, Sleep),
            // hyper finds out by itself what is there, or that nothing is.
            (Unheard, Event::Input | Event::NoInput) => (Unnamed, Wake),
            (Asleep, Event::Input) => (Serving, Wake),
            (Asleep, Event::NoInput) => (Self::Ended, End(Ended::Finished)),
            (Asleep, Event::Late) => (Self::Ended, End(Ended::Idle)),

            (Unnamed, Event::Opened) => (Serving, GoOn),
            (Unnamed, Event::DrainAsked | Event::Refused) => (DrainingUnnamed, Drain),
            (DrainingUnnamed, Event::Opened) => (Draining, GoOn),
            (Unheard | Unnamed | DrainingUnnamed, Event::Late) => (Self::Ended, End(Ended::Deadline)),

            (Serving, Event::Dozed) => (Dozing, LookAgain),
            (Dozing, Event::StillIdle) => (Asleep, Sleep),
            (Dozing, Event::Stirred) => (Serving, GoOn),

            (Serving, Event::IdleLate) => (Farewell, Drain),
            (Serving | Farewell, Event::DrainAsked) => (Draining, Drain),
            (Serving | Farewell, Event::Refused) => (Refusing, Drain),
            (Draining, Event::Refused) => (Refusing, GoOn),
            (Farewell | Draining, Event::IdleLate) => (Self::Ended, End(Ended::Idle)),
            (Refusing, Event::IdleLate | Event::NothingAnswered) => (Self::Ended, End(Ended::Silenced)),

            (Serving | Farewell, Event::HeadLate) => (Self::Ended, End(Ended::HeadTimeout)),
            (Serving | Farewell | Draining | Refusing, Event::BodyLate) => (Self::Ended, End(Ended::Stalled)),

            (Farewell, Event::Finished) => (Self::Ended, End(Ended::Idle)),
            (state, Event::Finished) if state.is_awake() => (Self::Ended, End(Ended::Finished)),
            (state, Event::Failed(error)) if state.is_awake() => (Self::Ended, End(Ended::Failed(error))),
            (state, Event::Flooded) if state.is_awake() => (Self::Ended, End(Ended::Flooded)),
            (_, Event::Silenced) => (Self::Ended, End(Ended::Silenced)),

            (state, _) => (state, GoOn),
        }
    }

    /// Whether its client has named a served host.
    pub(super) fn is_named(self) -> bool {
        !matches!(self, Self::New | Self::Unheard | Self::Unnamed | Self::DrainingUnnamed)
    }

    /// Whether it was asked to take no further request, and hyper was told.
    pub(super) fn is_draining(self) -> bool {
        matches!(self, Self::DrainingUnnamed | Self::Draining | Self::Refusing)
    }

    /// Whether a server runs.
    fn is_awake(self) -> bool {
        !matches!(self, Self::New | Self::Unheard | Self::Asleep | Self::Ended)
    }
}

#[cfg(test)]
mod tests;
