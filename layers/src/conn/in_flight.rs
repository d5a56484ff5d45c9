//! Counts requests, uploads and tunnels until they are dropped.

use std::{sync::Arc, task::Context};

use super::{
    Control, OwnTimeout, Received,
    received::OwnPieces,
    traffic::{REQUEST, UPLOAD, WAITING},
};

/// Counts a request as in flight until dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    control: Control,
    counted: u64,
    received: Received,
    /// The value of `received` when it was last checked.
    seen: u32,
    /// Replaces the server's timeout once the response has begun.
    own_timeout: Option<OwnTimeout>,
    is_http2: bool,
    /// Whether the response has ended. If it has not, dropping this means that the client cancelled the request.
    ended: bool,
}

impl Control {
    pub(crate) fn begin_request(&self, received: Received, is_http2: bool) -> InFlight {
        self.traffic().count_request(!matches!(received, Received::Nothing));
        InFlight {
            control: self.clone(),
            counted: REQUEST + WAITING,
            received,
            seen: 0,
            own_timeout: None,
            is_http2,
            ended: false,
        }
    }

    /// Counts a request body, which can continue after the response has ended.
    pub(crate) fn begin_upload(&self, received: &Received) -> Upload {
        self.traffic().count_upload();
        let own = match received {
            Received::Own(pieces) => Some(Arc::clone(pieces)),
            _ => None,
        };
        Upload { control: self.clone(), own }
    }

    /// Counts a stream that has become a tunnel.
    pub(crate) fn begin_tunnel(&self) -> OpenTunnel {
        self.traffic().count_tunnel();
        OpenTunnel(self.clone())
    }
}

impl InFlight {
    /// Notes that the head of the response has arrived.
    pub(crate) fn responded(&mut self) {
        self.counted = REQUEST;
        self.control.traffic().uncount(WAITING);
    }

    /// Sets how long the response may go without progress, instead of the server's timeout.
    pub(crate) fn set_own_timeout(&mut self, timeout: OwnTimeout) {
        self.own_timeout = Some(timeout);
        if self.is_http2 {
            self.control.traffic().count_own_timed();
        } else {
            self.control.traffic().set_own_timeout(Some(timeout));
        }
    }

    /// The response's own timeout, which replaces the server's.
    pub(crate) fn own_timeout(&self) -> Option<OwnTimeout> {
        self.own_timeout
    }

    /// Whether this is a stream that watches itself, because a stall does not end its connection.
    pub(crate) fn watches_itself(&self) -> bool {
        self.is_http2 && (self.own_timeout.is_some() || self.control.traffic().has_patient_streams())
    }

    /// Whether more of the request has arrived since the last call.
    pub(crate) fn has_received_more(&mut self) -> bool {
        let received = match &self.received {
            Received::Nothing => return false,
            Received::Connection if !self.control.traffic().has_uploads() => return false,
            Received::Connection => self.control.traffic().progress(),
            Received::Own(pieces) => pieces.count(),
        };
        std::mem::replace(&mut self.seen, received) != received
    }

    /// Notes a piece of the response of this many bytes.
    pub(crate) fn record_piece(&self, bytes: usize) {
        self.control.traffic().record_piece(bytes);
    }

    /// Leaves the request without a response. Its connection accepts no further requests.
    pub(crate) fn refuse(self) {
        let control = self.control.clone();
        drop(self);
        control.refuse();
    }

    /// Whether something that was written has not been sent yet.
    pub(crate) fn is_unsent(&self) -> bool {
        self.control.traffic().is_unsent()
    }

    /// Notes that the response has ended.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    pub(crate) fn mark_cut_short(&self) {
        self.control.traffic().mark_cut_short();
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let traffic = self.control.traffic();
        match self.own_timeout {
            Some(_) if self.is_http2 => traffic.end_own_timed(),
            Some(_) => traffic.set_own_timeout(None),
            None => {}
        }
        if let (Received::Own(pieces), false) = (&self.received, self.ended) {
            pieces.give_up();
        }
        traffic.end_counted(self.counted, !self.ended);
    }
}

/// Counts a request body as in flight until dropped.
#[derive(Debug)]
pub(crate) struct Upload {
    control: Control,
    own: Option<Arc<OwnPieces>>,
}

impl Upload {
    pub(crate) fn record_progress(&self) {
        self.control.traffic().record_progress();
        if let Some(pieces) = &self.own {
            pieces.record_piece();
        }
    }

    /// Whether nobody waits for the response any more. A body that is counted separately is woken when that happens.
    pub(crate) fn is_given_up(&self, cx: &Context<'_>) -> bool {
        self.own.as_ref().is_some_and(|pieces| pieces.is_given_up(cx))
    }
}

impl Drop for Upload {
    fn drop(&mut self) {
        self.control.traffic().end_counted(UPLOAD, false);
    }
}

/// Counts a tunnel as open until dropped.
#[derive(Debug)]
pub(crate) struct OpenTunnel(Control);

impl OpenTunnel {
    pub(crate) fn record_progress(&self) {
        self.0.traffic().record_progress();
    }
}

impl Drop for OpenTunnel {
    fn drop(&mut self) {
        self.0.traffic().end_tunnel();
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use super::*;
    use crate::conn::Phase;

    /// Everything in flight on a connection.
    #[derive(Default)]
    struct Begun {
        requests: VecDeque<InFlight>,
        uploads: VecDeque<Upload>,
        tunnels: VecDeque<OpenTunnel>,
        unsent: bool,
    }

    #[test]
    fn a_connection_with_anything_in_flight_is_never_idle() {
        let mut random = 0x9e37_79b9_u32;
        for _ in 0..200 {
            let (control, mut connection) = (Control::open(), Begun::default());
            for _ in 0..100 {
                random = random.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                step(&control, &mut connection, random >> 24);
                check(&control, &connection);
            }
        }
    }

    fn step(control: &Control, connection: &mut Begun, random: u32) {
        let Begun { requests, uploads, tunnels, unsent } = connection;
        match random % 10 {
            0 => {
                requests.push_back(control.begin_request(Received::Connection, false));
                uploads.push_back(control.begin_upload(&Received::Connection));
            }
            1 => requests.push_back(control.begin_request(Received::Nothing, false)),
            2 => {
                if let Some(mut request) = requests.pop_front() {
                    request.responded();
                    request.end();
                }
            }
            3 => drop(requests.pop_back()),
            4 => drop(uploads.pop_front()),
            5 => tunnels.push_back(control.begin_tunnel()),
            6 => drop(tunnels.pop_front()),
            7 => {
                control.traffic().mark_unsent();
                *unsent = true;
            }
            8 => {
                control.traffic().mark_sent();
                *unsent = false;
            }
            _ => control.traffic().record_read(),
        }
    }

    fn check(control: &Control, connection: &Begun) {
        let Begun { requests, uploads, tunnels, unsent } = connection;
        let (phase, idle) = (control.traffic().phase(), control.traffic().idle_for());
        let quiet = requests.is_empty() && uploads.is_empty() && tunnels.is_empty() && !unsent;
        assert_eq!(idle.is_some(), quiet);
        assert_eq!(matches!(phase, Phase::Idle | Phase::Head), quiet, "{phase:?}");
        assert_eq!(phase == Phase::Response, !requests.is_empty(), "{phase:?}");
        assert!(control.idle_for().is_none() || phase == Phase::Idle);
    }
}
