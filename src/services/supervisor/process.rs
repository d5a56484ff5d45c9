//! One process of a service, from its launch until it is gone.

use std::{
    sync::{Arc, atomic::Ordering},
    time::{Duration, SystemTime},
};

use tokio::time::Instant;

use crate::{services::table::Slot, settings::Service};

/// A process that was launched and is not gone yet.
#[derive(Debug)]
pub(super) struct Process {
    /// Its id. No other process gets it.
    pub(super) id: u64,
    /// The version of the target that it belongs to.
    pub(super) version: u64,
    /// What it runs.
    pub(super) definition: Arc<Service>,
    /// Where it listens.
    pub(super) slot: Slot,
    /// Its phase.
    pub(super) phase: Phase,
    /// Its process id, once it runs.
    pub(super) pid: Option<u32>,
    /// When it was launched.
    pub(super) launched: Instant,
    /// The same, for people.
    pub(super) started: SystemTime,
    /// Whether it has announced that it is about to exit.
    pub(super) is_leaving: bool,
}

/// The phase of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Started, and must be ready by this time.
    Starting(Instant),
    /// Gets requests.
    Ready,
    /// Gets no new requests.
    Draining {
        /// When to look next whether it still has requests.
        look: Instant,
        /// When it is stopped in any case.
        until: Instant,
    },
    /// Was asked to stop, and is killed at this time.
    Stopping(Instant),
    /// Was killed.
    Killed,
}

impl Process {
    pub(super) fn new(id: u64, version: u64, definition: Arc<Service>, slot: Slot, now: Instant) -> Self {
        slot.is_occupied.store(true, Ordering::Release);
        slot.health.drain();
        let phase = Phase::Starting(now + definition.start_timeout);
        let (launched, started) = (now, SystemTime::now());
        Self { id, version, definition, slot, phase, pid: None, launched, started, is_leaving: false }
    }

    /// Whether it serves or is starting.
    pub(super) fn is_live(&self) -> bool {
        matches!(self.phase, Phase::Starting(_) | Phase::Ready)
    }

    /// Whether it gets requests.
    pub(super) fn is_ready(&self) -> bool {
        self.phase == Phase::Ready && !self.is_leaving
    }

    /// When something is due next.
    pub(super) fn deadline(&self) -> Option<Instant> {
        match self.phase {
            Phase::Starting(until) => Some(until),
            Phase::Draining { look, until } => Some(look.min(until)),
            Phase::Stopping(kill_at) => Some(kill_at),
            Phase::Ready | Phase::Killed => None,
        }
    }

    /// How long it has been running.
    pub(super) fn age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.launched)
    }

    /// Uses the handle of `slot`, which stands for the same address.
    pub(super) fn move_to(&mut self, slot: &Slot) {
        slot.is_occupied.store(true, Ordering::Release);
        if self.is_ready() {
            slot.health.resume();
        } else {
            slot.health.drain();
        }
        self.slot = slot.clone();
    }
}

/// The process is gone.
impl Drop for Process {
    fn drop(&mut self) {
        self.slot.health.drain();
        self.slot.is_occupied.store(false, Ordering::Release);
    }
}
