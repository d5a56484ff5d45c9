//! The addresses and ports that the program listens on.

use std::net::{IpAddr, SocketAddr};

use super::{
    H2c, Listener, NamedListener, Port, Settings,
    endpoint::{EndpointHost, HostPort},
};

impl Settings {
    /// All listeners, even if they are off, in the order in which they are displayed.
    pub fn all_listeners(&self) -> impl Iterator<Item = Listener> {
        let named = self.named_listeners.iter().map(|named| named.listener.clone());
        Listener::DEFAULT.into_iter().chain(named).chain([Listener::Internal])
    }

    /// Each listener that is not off, on each of its addresses.
    pub fn listeners(&self) -> Vec<(Listener, SocketAddr)> {
        let on_each = |listener: Listener| {
            let addresses: Vec<_> = self.addresses(&listener).collect();
            addresses.into_iter().map(move |address| (listener.clone(), address))
        };
        self.all_listeners().flat_map(on_each).collect()
    }

    /// The listener that has this port on all addresses of the machine, and so on those of services.
    pub fn on_all_addresses(&self, port: u16) -> Option<(Listener, IpAddr)> {
        let on_all = |(_, address): &(Listener, SocketAddr)| address.port() == port && address.ip().is_unspecified();
        self.listeners().into_iter().find(on_all).map(|(listener, address)| (listener, address.ip()))
    }

    /// The addresses and ports that a listener listens on. None if it is off.
    pub fn addresses(&self, listener: &Listener) -> impl Iterator<Item = SocketAddr> {
        let port = match self.port(listener) {
            Port::Off => None,
            Port::Number(port) => Some(port),
        };
        port.into_iter().flat_map(|port| self.bind(listener).iter().map(move |ip| SocketAddr::new(*ip, port)))
    }

    /// The addresses of a listener, even if it is off.
    pub fn bind(&self, listener: &Listener) -> &[IpAddr] {
        self.named(listener).map_or(&self.bind, |named| &named.bind)
    }

    /// The port of a listener.
    pub fn port(&self, listener: &Listener) -> Port {
        match listener {
            Listener::Http => self.http,
            Listener::Https => self.https,
            Listener::Named { .. } => self.named(listener).map_or(Port::Off, |named| named.port),
            Listener::Internal => self.internal,
        }
    }

    /// Sets the port of a listener, for example after the kernel has picked one.
    pub fn set_port(&mut self, listener: &Listener, port: Port) {
        match listener {
            Listener::Http => self.http = port,
            Listener::Https => self.https = port,
            Listener::Named { .. } => {
                let named = self.named_listeners.iter_mut().find(|named| named.listener == *listener);
                named.into_iter().for_each(|named| named.port = port);
            }
            Listener::Internal => self.internal = port,
        }
    }

    /// Whether a listener supports HTTP/2 without TLS.
    pub fn h2c(&self, listener: &Listener) -> H2c {
        self.named(listener).map_or(self.http_h2c, |named| named.h2c)
    }

    fn named(&self, listener: &Listener) -> Option<&NamedListener> {
        self.named_listeners.iter().find(|named| named.listener == *listener)
    }

    /// The address at which other nodes reach this one: `mesh_advertise`, or else the first address of the internal
    /// listener that is not a wildcard, preferably not a loopback address. `None` if other nodes cannot reach this one.
    pub fn advertised(&self) -> Option<HostPort> {
        if self.internal == Port::Off {
            return None;
        }
        let bound = || {
            let usable = self.addresses(&Listener::Internal).filter(|address| !address.ip().is_unspecified());
            let most_reachable = usable.min_by_key(|address| address.ip().is_loopback())?;
            Some(HostPort { host: EndpointHost::Address(most_reachable.ip()), port: most_reachable.port() })
        };
        self.mesh.advertise.clone().or_else(bound)
    }
}
