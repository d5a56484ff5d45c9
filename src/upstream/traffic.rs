//! How the instances of services are used, for their supervisor.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use pmesh_layers::{balance::EndpointStats, pool::PoolStats};

use crate::{
    services::traffic::{Traffic, Use},
    settings::endpoint::{Endpoint, Instance},
};

/// How the instances of services are used. Clones share the counts.
#[derive(Debug, Clone, Default)]
pub struct InstanceTraffic(Arc<Mutex<HashMap<Instance, Counts>>>);

/// The counts of an instance.
#[derive(Debug, Default)]
struct Counts {
    /// Of each record and worker.
    requests: Vec<Arc<EndpointStats>>,
    /// Of each pool. While requests are in flight, a pool outlives the routes that use it.
    pools: Vec<Weak<PoolStats>>,
}

impl InstanceTraffic {
    /// Counts requests with `stats` and connections with `pools` as those of `endpoint`, if it is an instance.
    pub(super) fn add<'a>(
        &self,
        endpoint: &Endpoint,
        stats: &[Arc<EndpointStats>],
        pools: impl Iterator<Item = &'a Arc<PoolStats>>,
    ) {
        let Endpoint::Instance(instance) = endpoint else { return };
        let mut all = self.lock();
        let counts = all.entry(instance.clone()).or_default();
        for one in stats {
            if !counts.requests.iter().any(|known| Arc::ptr_eq(known, one)) {
                counts.requests.push(Arc::clone(one));
            }
        }
        counts.pools.extend(pools.map(Arc::downgrade));
    }

    /// Forgets instances that have no pools and no connections.
    pub(super) fn forget_unused(&self) {
        self.lock().retain(|_, counts| {
            counts.pools.retain(|pool| pool.strong_count() > 0);
            !counts.pools.is_empty()
        });
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Instance, Counts>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Traffic for InstanceTraffic {
    fn of(&self, instance: &Instance) -> Use {
        let all = self.lock();
        let Some(Counts { requests, pools }) = all.get(instance) else { return Use::default() };
        Use {
            requests: requests.iter().map(|stats| stats.requests()).sum(),
            in_use: pools.iter().filter_map(Weak::upgrade).map(|pool| in_use(&pool)).sum(),
        }
    }
}

/// The number of connections with requests or tunnels on them.
pub(super) fn in_use(pool: &PoolStats) -> usize {
    pool.open().saturating_sub(pool.idle())
}
