//! The addresses of all instances of all services, with what routes and the supervisor share about each.

mod addresses;
mod error;
mod instances;
#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use self::addresses::Addresses;
pub(in crate::services) use self::addresses::require_free;
pub use self::{
    error::AddressError,
    instances::{Half, Instances, Slot},
};
use crate::settings::{Service, ServiceName, Settings};

/// The services of a configuration, by name.
pub type ServiceSlots = BTreeMap<ServiceName, Arc<Instances>>;

/// The addresses of all services. Outlives generations, and belongs to the thread that builds them.
#[derive(Debug, Default)]
pub struct ServiceTable {
    addresses: Option<Addresses>,
    services: ServiceSlots,
}

impl ServiceTable {
    /// Creates a table without services.
    pub fn new() -> Self {
        Self::default()
    }

    /// Assigns addresses to all instances of `settings`. Instances keep the addresses that they have. New slots are drained
    /// and empty. Slots that `settings` no longer have stay while they are occupied, including those of removed services.
    ///
    /// # Errors
    ///
    /// If there is no address for an instance. Call [`keep_only`](Self::keep_only) to undo the assignments.
    pub fn assign(&mut self, settings: &Settings) -> Result<(), AddressError> {
        let addresses = match &mut self.addresses {
            Some(addresses) if addresses.are_for(settings) => addresses,
            place => place.insert(Addresses::new(settings)),
        };
        let occupied = |before: &Arc<Instances>| before.slots.iter().any(Slot::is_occupied);
        let mut services = self.services.clone();
        services.retain(|_, before| occupied(before));
        services.values_mut().for_each(|before| *before = before.without_settings());
        for service in &settings.services {
            let before = self.services.get(&service.name);
            services.insert(service.name.clone(), instances(service, settings, before, addresses)?);
        }
        self.services = services;
        Ok(())
    }

    /// The instances of a service.
    pub fn get(&self, name: &ServiceName) -> Option<&Arc<Instances>> {
        self.services.get(name)
    }

    /// All services, as they are now.
    pub fn snapshot(&self) -> ServiceSlots {
        self.services.clone()
    }

    /// Sets the services to those of the current generation, and frees all other addresses.
    pub fn keep_only(&mut self, services: &ServiceSlots) {
        self.services.clone_from(services);
        if let Some(addresses) = &mut self.addresses {
            addresses.keep_only(self.services.values().flat_map(|instances| &instances.slots).map(Slot::key));
        }
    }
}

fn instances(
    service: &Service,
    settings: &Settings,
    before: Option<&Arc<Instances>>,
    addresses: &mut Addresses,
) -> Result<Arc<Instances>, AddressError> {
    let mut slots = Vec::new();
    for number in 1..=service.instances {
        for half in [Half::A, Half::B] {
            let instance = addresses.instance(service, number, half, settings)?;
            let known = before.and_then(|before| before.slots.iter().find(|slot| slot.instance == instance));
            slots.push(known.cloned().unwrap_or_else(|| Slot::new(instance, half)));
        }
    }
    let current = slots.len();
    let others = before.iter().flat_map(|before| &before.slots);
    let is_current = |slot: &Slot| slots.iter().any(|other| other.instance == slot.instance);
    let others: Vec<_> = others.filter(|slot| slot.is_occupied() && !is_current(slot)).cloned().collect();
    slots.extend(others);
    let is_same = |before: &&Arc<Instances>| before.is_same(&slots, current);
    Ok(match before.filter(is_same) {
        Some(before) => Arc::clone(before),
        None => {
            let readiness = before.map(|before| before.readiness.clone()).unwrap_or_default();
            Arc::new(Instances { readiness, slots, current })
        }
    })
}
