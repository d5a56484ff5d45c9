//! Decides which connections are let in, and which are closed to make room for them.
//!
//! [`Admission`] limits the number of client connections, in all and per client. Other nodes have slots of their own, so
//! no number of clients can keep them out.

pub mod client_stream;
pub mod connections;
pub mod exhaustion;
pub mod room;
pub mod room_connector;
pub mod spares;
pub mod strangers;

use std::{
    collections::HashMap,
    net::IpAddr,
    pin::pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use arc_swap::ArcSwap;
use ipnet::IpNet;
use pmesh_layers::forwarded::ClientNetwork;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    task::AbortHandle,
    time::timeout,
};

use crate::admission::{
    exhaustion::{Exhaustion, Transition},
    room::{Closing, Room},
    spares::SpareDescriptors,
};

/// How often a connection that waits for a slot looks for another one to close.
const RETRY_INTERVAL: Duration = Duration::from_millis(50);

/// Maximum number of connections on the internal port that have not proved that they come from a node.
const MAX_UNPROVEN: usize = 64;

/// Counts open connections, for all workers. The cost is per connection, not per request.
#[derive(Debug)]
pub struct Admission {
    limits: ArcSwap<Limits>,
    free: Arc<Semaphore>,
    slots: Arc<Mutex<Slots>>,
    /// Slots on the internal port, for connections that have not proved that they come from a node.
    unproven: Arc<Semaphore>,
    full: Exhaustion,
    clients: Mutex<HashMap<ClientNetwork, usize>>,
    room: Room,
    spares: SpareDescriptors,
}

/// The connection limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Maximum number of client connections over all workers, at least 1.
    pub max: usize,
    /// Maximum number of connections of one client; 0 means no limit.
    pub per_client: usize,
    /// Proxies in front of pmesh. Their connections carry many clients, so `per_client` does not apply to them.
    pub exempt: Vec<IpNet>,
}

impl Limits {
    fn max(&self) -> usize {
        self.max.clamp(1, Semaphore::MAX_PERMITS)
    }
}

/// The number of slots, free and taken.
#[derive(Debug)]
struct Slots {
    count: usize,
    /// Removes surplus slots as they become free.
    shrinking: Option<AbortHandle>,
}

impl Admission {
    /// Creates the counters for this number of workers. `spares` are descriptors held back for other nodes.
    pub fn new(limits: Limits, workers: usize, spares: SpareDescriptors) -> Self {
        let max = limits.max();
        let (free, unproven) = (Arc::new(Semaphore::new(max)), Arc::new(Semaphore::new(MAX_UNPROVEN)));
        let slots = Arc::new(Mutex::new(Slots { count: max, shrinking: None }));
        let (full, clients, room) = (Exhaustion::default(), Mutex::default(), Room::new(workers));
        Self { limits: ArcSwap::from_pointee(limits), free, slots, unproven, full, clients, room, spares }
    }

    /// Changes the limits. Open connections stay: if they exceed the new maximum, new ones wait until enough of them
    /// have been closed. Must be called within a tokio runtime.
    pub fn set_limits(&self, limits: Limits) {
        let max = limits.max();
        self.limits.store(Arc::new(limits));
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(shrinking) = slots.shrinking.take() {
            shrinking.abort();
        }
        if max >= slots.count {
            self.free.add_permits(max - slots.count);
            slots.count = max;
            return;
        }
        slots.count -= self.free.forget_permits(slots.count - max);
        if slots.count > max {
            let (free, shared) = (Arc::clone(&self.free), Arc::clone(&self.slots));
            let surplus = u32::try_from(slots.count - max).unwrap_or(u32::MAX);
            let shrinking = async move {
                // All at once, so that no new connection gets one of these slots meanwhile.
                let Ok(surplus) = free.acquire_many_owned(surplus).await else { return };
                surplus.forget();
                shared.lock().unwrap_or_else(PoisonError::into_inner).count = max;
            };
            slots.shrinking = Some(tokio::spawn(shrinking).abort_handle());
        }
    }

    /// The maximum number of client connections.
    pub fn max(&self) -> usize {
        self.limits.load().max()
    }

    /// The connections that can be closed to make room.
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// The descriptors that are held back from clients.
    pub fn spare_descriptors(&self) -> &SpareDescriptors {
        &self.spares
    }

    /// Closes a connection because the system has no descriptor left for a new one of `worker`.
    pub fn make_room(&self, worker: usize) -> Option<Closing> {
        let max = self.max();
        let taken = max - self.free.available_permits().min(max);
        // Any descriptor will do, even that of a connection on the internal port.
        self.room.close_one_for_node(worker).or_else(|| self.room.close_one(worker, taken))
    }

    /// Waits for a slot for a client connection of `worker`.
    ///
    /// Strangers (connections that have not named a served host) may hold no more slots than are free. Beyond that, the
    /// oldest one is closed, so that clients that name a served host find a slot. If all slots are taken, one is freed
    /// with [`Room::close_one`].
    pub async fn slot(self: &Arc<Self>, worker: usize) -> Slot {
        let free = self.free.available_permits();
        if free > 0 && self.room.strangers().count() > free {
            self.room.strangers().crowd_out(worker, false);
        }
        let permit = if let Ok(permit) = Arc::clone(&self.free).try_acquire_owned() {
            if let Some(Transition::Recovered) = self.full.accepted() {
                tracing::info!(max_connections = self.max(), "below the connection limit again");
            }
            Some(permit)
        } else {
            if let Some(Transition::Exhausted) = self.full.failed() {
                tracing::warn!(
                    max_connections = self.max(),
                    "connection limit reached: idle connections are closed to make room, and new ones wait"
                );
            }
            wait(&self.free, || drop(self.room.close_one(worker, self.max()))).await
        };
        Slot { permit, client: None }
    }

    /// Waits for a slot for a connection of `worker` on the internal port. The connection gives the slot back once it
    /// has proved that it comes from a node: the number of those depends only on the number of nodes.
    pub async fn slot_for_node(self: &Arc<Self>, worker: usize) -> Slot {
        let permit = match Arc::clone(&self.unproven).try_acquire_owned() {
            Ok(permit) => Some(permit),
            Err(_) => wait(&self.unproven, || drop(self.room.close_one_for_node(worker))).await,
        };
        Slot { permit, client: None }
    }

    /// Counts the connection in `slot` for the client at `address`, and decides what to do with it.
    pub fn admit(self: &Arc<Self>, slot: &mut Slot, address: IpAddr) -> Verdict {
        let address = address.to_canonical();
        let limits = self.limits.load();
        let Limits { per_client, exempt, .. } = &**limits;
        if *per_client == 0 || exempt.iter().any(|network| network.contains(&address)) {
            return Verdict::Serve;
        }
        let client = ClientNetwork::from(address);
        let mut clients = self.clients();
        let count = clients.entry(client).or_default();
        let verdict = if *count < *per_client {
            Verdict::Serve
        } else if *count / 2 < *per_client {
            Verdict::Silence
        } else {
            return Verdict::Drop;
        };
        *count += 1;
        drop(clients);
        slot.client = Some((Arc::clone(self), client));
        verdict
    }

    fn uncount(&self, client: ClientNetwork) {
        let mut clients = self.clients();
        if let Some(count) = clients.get_mut(&client) {
            *count -= 1;
            if *count == 0 {
                clients.remove(&client);
            }
        }
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<ClientNetwork, usize>> {
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for a slot, calling `make_room` until there is one.
async fn wait(slots: &Arc<Semaphore>, make_room: impl Fn()) -> Option<OwnedSemaphorePermit> {
    let mut waiting = pin!(Arc::clone(slots).acquire_owned());
    loop {
        make_room();
        if let Ok(permit) = timeout(RETRY_INTERVAL, &mut waiting).await {
            // The semaphore is never closed, so there is no error.
            return permit.ok();
        }
    }
}

/// What to do with a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Serve it.
    Serve,
    /// It exceeds the limit per client: close it in silence, like every rejected connection. This takes a slot for up to
    /// a few seconds, so no more of a client's connections are closed this way at a time than the limit allows.
    Silence,
    /// Close it at once and forget it.
    Drop,
}

/// The slot of one connection. Dropping it frees the slot.
#[derive(Debug)]
pub struct Slot {
    permit: Option<OwnedSemaphorePermit>,
    client: Option<(Arc<Admission>, ClientNetwork)>,
}

impl Slot {
    /// Gives the slot back, because the connection is from a node. It no longer counts for its address either.
    pub fn give_back(&mut self) {
        self.permit = None;
        if let Some((admission, client)) = self.client.take() {
            admission.uncount(client);
        }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.give_back();
    }
}

#[cfg(test)]
mod tests {
    use pmesh_layers::conn::Control;

    use super::*;

    fn admission(max: usize, per_client: usize) -> Arc<Admission> {
        let exempt = vec!["10.0.0.0/8".parse().unwrap()];
        Arc::new(Admission::new(Limits { max, per_client, exempt }, 1, SpareDescriptors::new(0).unwrap()))
    }

    #[tokio::test(start_paused = true)]
    async fn closing_a_connection_frees_its_slot() {
        let admission = admission(2, 0);
        let (first, _second) = (admission.slot(0).await, admission.slot(0).await);
        let third = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.slot(0).await }
        });
        tokio::task::yield_now().await;
        assert!(!third.is_finished());
        drop(first);
        third.await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn strangers_take_at_most_half_of_the_free_slots() {
        let admission = admission(8, 0);
        let mut held = Vec::new();
        let mut enter = async |control: Control| {
            let slot = admission.slot(0).await;
            let unnamed = admission.room().strangers().add(0, control);
            held.push((slot, Arc::clone(unnamed.stranger()), unnamed));
            tokio::time::advance(Duration::from_secs(1)).await;
            held.iter().filter(|(_, stranger, _)| stranger.was_crowded_out()).count()
        };
        // Until then, at least as many slots are free as strangers hold.
        for expected in [0, 0, 0, 0, 0, 1] {
            assert_eq!(enter(Control::closed()).await, expected);
        }
    }

    #[tokio::test]
    async fn connections_of_one_client_are_limited() {
        let admission = admission(100, 2);
        let admit = async |address: &str| {
            let mut slot = admission.slot(0).await;
            (admission.admit(&mut slot, address.parse().unwrap()), slot)
        };
        for (one, same, other) in [
            ("192.0.2.1", "192.0.2.1", "192.0.2.2"),
            ("192.0.2.3", "::ffff:192.0.2.3", "::ffff:192.0.2.4"),
            ("2001:db8::1", "2001:db8::ffff:0:0:2", "2001:db8:0:1::1"),
        ] {
            let mut held = Vec::new();
            for (address, expected) in [
                (one, Verdict::Serve),
                (same, Verdict::Serve),
                (same, Verdict::Silence),
                (one, Verdict::Silence),
                (one, Verdict::Drop),
                (other, Verdict::Serve),
            ] {
                let (verdict, slot) = admit(address).await;
                assert_eq!(verdict, expected, "{address}");
                held.push(slot);
            }
            held.truncate(1);
            assert_eq!(admit(same).await.0, Verdict::Serve, "{same}");
        }
        assert!(admission.clients().is_empty());
    }

    #[tokio::test]
    async fn proxies_in_front_are_exempt_from_the_limit_per_client() {
        let admission = admission(100, 1);
        for _ in 0..3 {
            let mut slot = admission.slot(0).await;
            assert_eq!(admission.admit(&mut slot, "10.1.2.3".parse().unwrap()), Verdict::Serve);
            std::mem::forget(slot);
        }
    }

    #[tokio::test]
    async fn connections_of_known_nodes_are_not_counted() {
        let admission = admission(100, 1);
        let address = "192.0.2.1".parse().unwrap();
        let mut held = Vec::new();
        for _ in 0..3 {
            let mut slot = admission.slot(0).await;
            assert_eq!(admission.admit(&mut slot, address), Verdict::Serve);
            slot.give_back();
            held.push(slot);
        }
        assert!(admission.clients().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn clients_and_strangers_cannot_keep_nodes_out() {
        let admission = admission(1, 0);
        let _client = admission.slot(0).await;
        let stranger = async || {
            let slot = admission.slot_for_node(0).await;
            let unnamed = admission.room().strangers_among_nodes().add(0, Control::closed());
            (Arc::clone(unnamed.stranger()), slot, unnamed)
        };
        let mut held = Vec::new();
        for _ in 0..MAX_UNPROVEN {
            held.push(stranger().await);
        }
        // A node gives its slot back once it is known.
        for _ in 0..2 {
            let waiting = tokio::spawn({
                let admission = Arc::clone(&admission);
                async move { admission.slot_for_node(0).await }
            });
            let crowded_out = loop {
                tokio::time::sleep(RETRY_INTERVAL).await;
                if let Some(index) = held.iter().position(|(stranger, ..)| stranger.was_crowded_out()) {
                    break index;
                }
            };
            assert_eq!(crowded_out, 0);
            held.remove(crowded_out);
            let mut slot = waiting.await.unwrap();
            slot.give_back();
            held.push(stranger().await);
        }
    }
}
