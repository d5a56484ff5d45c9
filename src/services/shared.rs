//! What the supervisor shows to other threads.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use pmesh_layers::wait_ready::Readiness;
use tokio::sync::broadcast;

use super::{
    recent::{Followers, Recent},
    report::{OutputLine, ServiceReport, ServicesReport},
    usage::usage,
};

/// The state of all services, and their last lines.
#[derive(Debug, Default)]
pub(super) struct Shared {
    known: Mutex<BTreeMap<String, Known>>,
    of_all: Arc<Followers>,
}

#[derive(Debug)]
struct Known {
    report: ServiceReport,
    readiness: Readiness,
    recent: Arc<Recent>,
}

impl Shared {
    /// Shows this state of a service from now on.
    pub(super) fn show(&self, report: ServiceReport, readiness: &Readiness) {
        let mut known = self.lock();
        match known.get_mut(&report.name) {
            Some(known) => (known.report, known.readiness) = (report, readiness.clone()),
            None => {
                let recent = Arc::new(Recent::new(Arc::clone(&self.of_all)));
                known.insert(report.name.clone(), Known { report, readiness: readiness.clone(), recent });
            }
        }
    }

    /// Forgets a service.
    pub(super) fn forget(&self, name: &str) {
        self.lock().remove(name);
    }

    /// The last lines of a service that was shown.
    pub(super) fn recent(&self, name: &str) -> Option<Arc<Recent>> {
        self.lock().get(name).map(|known| Arc::clone(&known.recent))
    }

    /// The state of all services, with the memory and processor time that their processes use now.
    pub(super) fn report(&self) -> ServicesReport {
        let mut services: Vec<_> = self.lock().values().map(Known::report).collect();
        add_usage(&mut services);
        ServicesReport { services }
    }

    /// The same for one service.
    pub(super) fn report_on(&self, name: &str) -> Option<ServiceReport> {
        let mut service = self.lock().get(name).map(Known::report)?;
        add_usage(std::slice::from_mut(&mut service));
        Some(service)
    }

    /// The names of all services.
    pub(super) fn names(&self) -> Vec<String> {
        self.lock().keys().cloned().collect()
    }

    /// The last lines of all services, at most `count`, and a receiver of further ones.
    pub(super) fn output(&self, count: usize) -> (Vec<OutputLine>, broadcast::Receiver<OutputLine>) {
        let recents: Vec<_> = self.lock().values().map(|known| Arc::clone(&known.recent)).collect();
        // Locked together, so that each line is either among the last or a further one.
        let rings: Vec<_> = recents.iter().map(|recent| recent.lock()).collect();
        let further = self.of_all.follow();
        let mut lines: Vec<_> = rings.iter().flat_map(|ring| ring.last(count)).collect();
        lines.sort_by_key(|line| line.time_ms);
        (lines.split_off(lines.len().saturating_sub(count)).into_iter().cloned().collect(), further)
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Known>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn report(&self) -> ServiceReport {
        let waiting_requests = self.readiness.waiting() as u64;
        ServiceReport { waiting_requests, ..self.report.clone() }
    }
}

fn add_usage(services: &mut [ServiceReport]) {
    let roots: Vec<_> = services.iter().flat_map(|service| &service.instances).filter_map(|one| one.pid).collect();
    let used = usage(&roots);
    for instance in services.iter_mut().flat_map(|service| &mut service.instances) {
        if let Some(used) = instance.pid.and_then(|pid| used.get(&pid)) {
            (instance.memory_bytes, instance.cpu_ms) = (Some(used.memory), Some(used.cpu_ms));
        }
    }
}
