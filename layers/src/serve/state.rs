//! The states of a connection, and the events that lead from one to the next.
//!
//! `served` holds the state, `awake` and `drive` run the server of `http1` or `http2`, `timing` decides when something
//! is late, and `ending` closes the connection.
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
//!   any of them ─── Silenced, a deadline, the end of hyper's connection ──▶ Ended
//! ```
//!
//! The line in the middle is the [`Gate`](crate::silence::Gate). A connection crosses it once, and gets no response
//! before that. In `Unheard`, `Asleep` and `Dozing`, the connection speaks HTTP/1, or its protocol is not known yet.
//! `Unheard` and `Asleep` hold no HTTP server and no buffer.
//!
//! | state | event | next state | action |
//! | --- | --- | --- | --- |
//! | New | ClientFirst | Unheard | Sleep |
//! | New | ServerFirst | Unnamed | Wake |
//! | Unheard | Opened | Asleep | Sleep |
//! | Unheard | Input, NoInput | Unnamed | Wake |
//! | Unheard | Late | Ended | End(SilenceDeadline) |
//! | Asleep | Input | Serving | Wake |
//! | Asleep | NoInput | Ended | End(Finished) |
//! | Asleep | Late | Ended | End(Idle) |
//! | Unnamed | Opened | Serving | GoOn |
//! | Unnamed | DrainAsked, Refused | DrainingUnnamed | Drain |
//! | Unnamed, DrainingUnnamed | Late | Ended | End(SilenceDeadline) |
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
//! An event that is not in the table changes nothing.

use super::Ended;

/// The state of a connection. Only its own task knows it; others see and change its [`Control`](crate::conn::Control).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ConnState {
    /// Not polled yet.
    New,
    /// Waiting for the first bytes of a client that has not named a host.
    Unheard,
    /// Waiting for the next request, or for the first one behind an open gate.
    Asleep,
    /// A server runs, but no served host has been named.
    Unnamed,
    /// A server runs behind an open gate.
    Serving,
    /// Idle for a moment. hyper is polled once more, so that the connection does not go to sleep on a request that has
    /// just arrived.
    Dozing,
    /// Idle for too long, and hyper is closing it.
    Farewell,
    /// Accepts no further request, and no served host has been named.
    DrainingUnnamed,
    /// Accepts no further request, and ends after the requests in flight.
    Draining,
    /// Like `Draining`, but a request was left without a response.
    Refusing,
    /// No event leads out of it.
    Ended,
}

/// Something that happens to a connection.
#[derive(Debug)]
pub(super) enum Event {
    /// The connection is new, and the client sends the first byte.
    ClientFirst,
    /// The connection is new, and the server sends the first byte.
    ServerFirst,
    /// The gate was opened.
    Opened,
    /// Bytes arrived while no server was running.
    Input,
    /// No bytes will arrive: the client has closed its side, or the connection accepts no more requests.
    NoInput,
    /// The wait for a request, or for a name, took too long.
    Late,
    /// The connection must accept no more requests.
    DrainAsked,
    /// The connection must accept no more requests, because one gets no response.
    Refused,
    /// No request was answered, and none will be.
    NothingAnswered,
    /// Idle for long enough to sleep.
    Dozed,
    /// Still idle after a last look.
    StillIdle,
    /// Not idle any more after a last look.
    Stirred,
    /// Idle for longer than allowed.
    IdleLate,
    /// The head of a request did not arrive in time.
    HeadLate,
    /// No body made progress for too long.
    BodyLate,
    /// The connection must end without another byte.
    Silenced,
    /// hyper has closed the connection normally.
    Finished,
    /// hyper's connection has failed.
    Failed(hyper::Error),
    /// The connection was ended because its client kept the server busy for nothing.
    Flooded,
}

/// What to do about an event.
#[derive(Debug)]
pub(super) enum Action {
    /// Nothing.
    GoOn,
    /// Wait for bytes without a server.
    Sleep,
    /// Run a server.
    Wake,
    /// Poll hyper once more, then report whether the connection is [still idle](Event::StillIdle).
    LookAgain,
    /// Make hyper accept no further request, and give it a second to end if none is in flight.
    Drain,
    /// Close the connection.
    End(Ended),
}

impl ConnState {
    /// The next state after an event, and what to do.
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
            // hyper finds out what has arrived, if anything.
            (Unheard, Event::Input | Event::NoInput) => (Unnamed, Wake),
            (Asleep, Event::Input) => (Serving, Wake),
            (Asleep, Event::NoInput) => (Self::Ended, End(Ended::Finished)),
            (Asleep, Event::Late) => (Self::Ended, End(Ended::Idle)),

            (Unnamed, Event::Opened) => (Serving, GoOn),
            (Unnamed, Event::DrainAsked | Event::Refused) => (DrainingUnnamed, Drain),
            (DrainingUnnamed, Event::Opened) => (Draining, GoOn),
            (Unheard | Unnamed | DrainingUnnamed, Event::Late) => (Self::Ended, End(Ended::SilenceDeadline)),

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

    /// Whether the client has named a served host.
    pub(super) fn is_named(self) -> bool {
        !matches!(self, Self::New | Self::Unheard | Self::Unnamed | Self::DrainingUnnamed)
    }

    /// Whether hyper was asked to accept no further request.
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
