//! Connect timeouts for connections that are shared by routes with different timeouts.

use std::{collections::HashMap, time::Duration};

use super::{
    destination::{Destination, destination},
    trust::Trust,
};
use crate::settings::{Settings, endpoint::Endpoint};

/// The longest connect timeout of all routes that lead to an endpoint. Each request waits for its own timeout, but all
/// share the connections and the endpoint's health.
#[derive(Debug)]
pub(super) struct ConnectTimeouts(HashMap<Destination, Duration>);

impl ConnectTimeouts {
    /// Finds the longest timeout for each endpoint.
    pub(super) fn from_settings(settings: &Settings, trust: &Trust) -> Self {
        let mut longest: HashMap<_, Duration> = HashMap::new();
        for route in &settings.routes {
            for to in route.connects_to() {
                let longest = longest.entry(destination(to, trust)).or_default();
                *longest = to.connect_timeout.max(*longest);
            }
        }
        Self(longest)
    }

    /// The timeout for connections to an endpoint of a route. It is the same for all instances of a service.
    pub(super) fn to(&self, destination: &Destination) -> Duration {
        let longest = match destination {
            (Endpoint::Instance(instance), tls) => {
                self.0.get(&(Endpoint::Service(instance.service.clone()), tls.clone()))
            }
            _ => self.0.get(destination),
        };
        longest.copied().unwrap_or_default()
    }
}

/// The timeout for connections to other nodes, which all routes share.
pub(super) fn to_nodes(settings: &Settings) -> Duration {
    let routes = settings.routes.iter().filter(|route| route.endpoints().iter().any(Endpoint::is_mesh));
    routes.map(|route| route.connect_timeout).max().unwrap_or(settings.connect_timeout)
}
