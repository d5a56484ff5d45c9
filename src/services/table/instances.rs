//! What routes and the supervisor share about a service.

use std::{
    error::Error,
    fmt, iter,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use pmesh_layers::{balance::Health, pool::Http2Error, wait_ready::Readiness};

use crate::{settings::endpoint::Instance, telemetry::outages};

/// The slots of all instances of a service, and whether one of them is ready.
#[derive(Debug)]
pub struct Instances {
    /// Whether an instance is ready. Requests wait for it.
    pub readiness: Readiness,
    /// All endpoints that a route can send to: the two slots of each instance in turn, then those of older settings that
    /// are still occupied. A service that was removed has only the latter.
    pub slots: Vec<Slot>,
    /// How many slots are of the current settings.
    pub(super) current: usize,
}

/// A slot for an instance: an address, and what is known about the process that has it. Clones share the state.
#[derive(Debug, Clone)]
pub struct Slot {
    /// The instance, at this address.
    pub instance: Instance,
    /// Whether routes send requests to it. Drained at first; the supervisor calls `resume` when a process is ready there,
    /// and `drain` before it stops or once it has exited.
    pub health: Health,
    /// Whether a process has this address. The supervisor sets it.
    pub is_occupied: Arc<AtomicBool>,
    half: Half,
}

/// Which of the two addresses of an instance. A process that replaces another one takes the other address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// The first one.
    A,
    /// The second one.
    B,
}

impl Instances {
    /// The slots of the current settings: the two of each instance in turn.
    pub fn current(&self) -> &[Slot] {
        self.slots.get(..self.current).unwrap_or_default()
    }

    /// The two slots of an instance, numbered from 1; `None` if the current settings have fewer instances.
    pub fn pair(&self, number: u16) -> Option<&[Slot; 2]> {
        let (pairs, _) = self.current().as_chunks();
        pairs.get(usize::from(number).checked_sub(1)?)
    }

    /// A slot for a new process of an instance: the first one whose address no process has. `None` if both are taken.
    pub fn free_slot(&self, number: u16) -> Option<&Slot> {
        let is_taken = |slot: &Slot| {
            self.slots.iter().any(|other| other.is_occupied() && other.instance.address == slot.instance.address)
        };
        self.pair(number)?.iter().find(|slot| !is_taken(slot))
    }

    /// The slots of a service that was removed: those that are still occupied.
    pub(super) fn without_settings(&self) -> Arc<Self> {
        let slots = self.slots.iter().filter(|slot| slot.is_occupied()).cloned().collect();
        Arc::new(Self { readiness: self.readiness.clone(), slots, current: 0 })
    }

    /// Whether these slots are the same.
    pub(super) fn is_same(&self, slots: &[Slot], current: usize) -> bool {
        self.current == current
            && self.slots.len() == slots.len()
            && self.slots.iter().zip(slots).all(|(one, other)| one.health.is_same(&other.health))
    }
}

impl Slot {
    /// Creates an empty slot, which gets no requests.
    pub(super) fn new(instance: Instance, half: Half) -> Self {
        let health = outages::logged(instance.to_string(), advice);
        health.drain();
        Self { instance, health, is_occupied: Arc::default(), half }
    }

    /// Whether a process has this address.
    pub fn is_occupied(&self) -> bool {
        self.is_occupied.load(Ordering::Relaxed)
    }

    /// Which of the two addresses of the instance it is.
    pub fn half(&self) -> Half {
        self.half
    }

    /// The key that its address was assigned to.
    pub(super) fn key(&self) -> String {
        key(&self.instance.service, self.instance.number, self.half)
    }
}

/// The key that an address is assigned to, such as `web/1/a`. Must never change, so that services keep their addresses after
/// an update.
pub(super) fn key(service: impl fmt::Display, number: u16, half: Half) -> String {
    format!("{service}/{number}/{half}")
}

impl fmt::Display for Half {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::A => "a",
            Self::B => "b",
        })
    }
}

/// Advice for a failed request.
fn advice(_: &str, error: &(dyn Error + 'static)) -> Option<String> {
    let mut causes = iter::successors(Some(error), |error| (*error).source());
    match causes.find_map(|cause| cause.downcast_ref())? {
        Http2Error::NotHttp2(first_bytes) if first_bytes.starts_with("HTTP/1.") => {
            Some("the service speaks HTTP/1.1: remove protocol = \"h2c\"".to_owned())
        }
        _ => None,
    }
}
