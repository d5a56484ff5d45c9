//! The open listeners. A reload opens new ones and closes those that are no longer configured.

use std::{
    net::SocketAddr,
    sync::{Arc, Weak},
};

use tokio::sync::watch;

use super::{
    listen_error::ListenError,
    sockets::{self, Bound},
    worker::{Socket, WorkerHandle},
};
use crate::settings::{Listener, Port, Settings};

/// All open listeners, as the control thread sees them.
#[derive(Debug, Default)]
pub struct Listeners {
    open: Vec<Open>,
    /// Closed listeners on which workers still accept pending connections.
    closing: Vec<(SocketAddr, Weak<()>)>,
}

#[derive(Debug)]
struct Open {
    listener: Listener,
    /// The configured address, possibly with port 0.
    configured: SocketAddr,
    address: SocketAddr,
    closed: watch::Sender<bool>,
    /// Each worker's socket holds a clone.
    alive: Arc<()>,
}

/// New sockets, bound but not in use. Dropping the plan changes nothing.
#[derive(Debug)]
pub struct Plan {
    wanted: Vec<(Listener, SocketAddr)>,
    new: Vec<(SocketAddr, Bound)>,
}

/// The listeners that a reload opened and closed.
#[derive(Debug, Default)]
pub struct Moved {
    /// The listeners that were opened.
    pub opened: Vec<(Listener, SocketAddr)>,
    /// The listeners that were closed.
    pub closed: Vec<(Listener, SocketAddr)>,
}

impl Listeners {
    /// Binds the listeners of `settings` that are not open yet, and writes the ports that the kernel picked into
    /// `settings`.
    ///
    /// # Errors
    ///
    /// If a port cannot be bound. In that case, nothing changes.
    pub fn plan(&self, settings: &mut Settings) -> Result<Plan, ListenError> {
        let wanted = settings.listeners();
        let is_open = |(listener, address): &&(Listener, SocketAddr)| self.find(listener, *address).is_some();
        let missing: Vec<_> = wanted.iter().filter(|one| !is_open(one)).cloned().collect();
        // The port that the kernel picked for one address of a listener is used for all its addresses, and stays when
        // TLS is turned on or off.
        let picked = |name| self.open.iter().find(|open| open.listener.name() == name && open.configured.port() == 0);
        let mut to_bind = missing.clone();
        for (listener, address) in &mut to_bind {
            if let (0, Some(open)) = (address.port(), picked(listener.name())) {
                address.set_port(open.address.port());
            }
        }
        let closing = self.closing.iter().filter(|(_, alive)| alive.strong_count() > 0).map(|(address, _)| address);
        let own: Vec<_> = self.open.iter().map(|open| &open.address).chain(closing).map(SocketAddr::port).collect();
        let bound = sockets::bind(&to_bind, settings.workers, &own)?;
        let new: Vec<_> = missing.into_iter().map(|(_, configured)| configured).zip(bound).collect();
        for (listener, configured) in &wanted {
            let of_new = || new.iter().find(|(address, bound)| address == configured && bound.listener == *listener);
            let address = match self.find(listener, *configured) {
                Some(open) => open.address,
                None => of_new().map_or(*configured, |(_, bound)| bound.address),
            };
            settings.set_port(listener, Port::Number(address.port()));
        }
        Ok(Plan { wanted, new })
    }

    /// Hands the new sockets to the workers and closes the listeners that are no longer wanted. Connections pending
    /// there are still accepted.
    pub fn apply(&mut self, plan: Plan, workers: &[WorkerHandle]) -> Moved {
        let Plan { wanted, new } = plan;
        let mut moved = Moved::default();
        for (configured, Bound { listener, address, sockets }) in new {
            let (closed, _) = watch::channel(false);
            let alive = Arc::new(());
            for (worker, socket) in workers.iter().zip(sockets) {
                let (closed, alive) = (closed.subscribe(), Arc::clone(&alive));
                worker.listen(Socket { listener: listener.clone(), socket, closed, alive });
            }
            moved.opened.push((listener.clone(), address));
            self.open.push(Open { listener, configured, address, closed, alive });
        }
        self.closing.retain(|(_, alive)| alive.strong_count() > 0);
        let is_of = |(listener, address): &(Listener, SocketAddr), open: &Open| {
            *listener == open.listener && *address == open.configured
        };
        let is_wanted = |open: &Open| wanted.iter().any(|one| is_of(one, open));
        for open in self.open.extract_if(.., |open| !is_wanted(open)) {
            open.closed.send_replace(true);
            self.closing.push((open.address, Arc::downgrade(&open.alive)));
            moved.closed.push((open.listener, open.address));
        }
        // Reports list them in the order of the settings.
        self.open.sort_by_cached_key(|open| wanted.iter().position(|one| is_of(one, open)));
        moved
    }

    /// Returns the open listeners with their addresses.
    pub fn addresses(&self) -> Vec<(Listener, SocketAddr)> {
        self.open.iter().map(|open| (open.listener.clone(), open.address)).collect()
    }

    fn find(&self, listener: &Listener, configured: SocketAddr) -> Option<&Open> {
        self.open.iter().find(|open| open.listener == *listener && open.configured == configured)
    }
}
