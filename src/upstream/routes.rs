//! All routes with their services, those that did not change kept from one configuration to the next.

use std::{collections::HashMap, sync::Arc, time::Duration};

use ::http::{HeaderValue, header::HOST};
use pmesh_layers::{
    balance::{self, Balance, Rotation, connect_share},
    body_limit::{BodyLimit, BodyLimitLayer},
    response_timeout::ResponseTimeoutLayer,
    route::{StripPrefix, StripPrefixLayer},
    stall::{Stall, StallLayer, StallTimeouts},
    upgrade::{Tunnel, TunnelCloser, TunnelLayer},
};
use tower::{BoxError, Layer, ServiceBuilder, util::Either};
use tower_http::set_header::{SetRequestHeader, SetRequestHeaderLayer};

use super::{
    ConnectionSettings, Connections, Endpoints, RouteService, Tables,
    by_place::{ByPlace, name},
    connect_timeouts::ConnectTimeouts,
    trust::Trust,
    turns::{NodesInTurn, Timeouts, Turns},
};
use crate::settings::{Answer, Place, Port, Route, Settings, endpoint::Endpoint};

/// Sends requests to the endpoints of a route.
pub type Proxy = Tunnel<Untunneled>;
type Untunneled = Timed<Stripped<Renamed<BodyLimit<Turns>>>>;
type Timed<S> = Either<Stall<S>, S>;
type Stripped<S> = Either<StripPrefix<S>, S>;
type Renamed<S> = Either<SetRequestHeader<S, HeaderValue>, S>;

/// All routes of a configuration, with the services of each worker. Routes that have not changed keep the services and
/// connections that they had in the previous configuration.
#[derive(Debug)]
pub struct Routes {
    tables: Tables,
    /// By worker, then by index in the tables: one for each place.
    services: Box<[Arc<[RouteService<Proxy>]>]>,
    built: Vec<Arc<Built>>,
}

/// A route, and what was made of it.
#[derive(Debug)]
struct Built {
    route: Route,
    settings: RouteSettings,
    endpoints: Vec<Arc<Connections>>,
    services: Services,
    /// One for each place.
    closers: Vec<Arc<TunnelCloser>>,
}

/// The services that answer the requests of a route.
#[derive(Debug)]
enum Services {
    /// One for each worker.
    Proxies(Vec<Untunneled>),
    /// The same for all of them.
    Answer(RouteService<Proxy>),
}

/// The settings that apply to all routes.
#[derive(Debug, Clone, PartialEq, Eq)]
struct RouteSettings {
    connections: ConnectionSettings,
    body_min_rate: u64,
    /// The timeouts of the server, for routes without their own.
    stall_timeout: Duration,
    stream_timeout: Duration,
    /// The port for redirects to https; `None` is 443.
    https_port: Option<u16>,
}

/// Which routes of a host and a path differ between two configurations, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteChanges {
    /// Only in the new one.
    pub added: Vec<String>,
    /// In both, but not the same.
    pub changed: Vec<String>,
    /// Only in the previous one.
    pub removed: Vec<String>,
}

impl Routes {
    /// Builds the routes of `settings`, for all workers.
    ///
    /// # Errors
    ///
    /// None that validated settings allow, with the trust that was loaded for them; they name what is wrong. Then
    /// [`keep_only`](Self::keep_only) of the previous routes forgets what was made for these.
    pub fn build(
        settings: &Settings,
        trust: &Trust,
        previous: Option<&Self>,
        endpoints: &mut Endpoints,
    ) -> Result<Self, BoxError> {
        let timeouts = ConnectTimeouts::of(settings, trust);
        let common = RouteSettings {
            connections: ConnectionSettings::of(settings),
            body_min_rate: settings.body_min_rate,
            stall_timeout: settings.stall_timeout,
            stream_timeout: settings.stream_timeout,
            https_port: https_port(settings),
        };
        let before = previous.map(Self::by_place).unwrap_or_default();
        let built = settings.routes.iter().map(|route| Built::of(route, &common, &timeouts, &before, trust, endpoints));
        let built = built.collect::<Result<Vec<_>, _>>()?;
        let of_worker = |worker: usize| built.iter().flat_map(|built| built.services(worker)).collect();
        let services = (0..endpoints.workers()).map(of_worker).collect();
        Ok(Self { tables: Tables::build(settings)?, services, built })
    }

    /// The route table of each listener. A target is the index of a service.
    pub fn tables(&self) -> &Tables {
        &self.tables
    }

    /// The services of a worker, by index.
    pub fn services(&self, worker: usize) -> &Arc<[RouteService<Proxy>]> {
        &self.services[worker]
    }

    /// All endpoints, each with the routes that lead to it.
    pub fn endpoints(&self) -> Vec<(&Arc<Connections>, Vec<&Route>)> {
        let mut indices = HashMap::new();
        let mut all: Vec<(&Arc<Connections>, Vec<&Route>)> = Vec::new();
        for built in &self.built {
            for connections in &built.endpoints {
                let index = *indices.entry(Arc::as_ptr(connections)).or_insert(all.len());
                if index == all.len() {
                    all.push((connections, Vec::new()));
                }
                all[index].1.push(&built.route);
            }
        }
        all
    }

    /// Forgets all endpoints that these routes do not lead to.
    pub fn keep_only(&self, endpoints: &mut Endpoints) {
        endpoints.retain(self.built.iter().flat_map(|built| &built.endpoints));
    }

    /// Closes the tunnels of each place after `grace`, unless a route of `next` has it on one of the same listeners.
    pub fn close_removed(&self, next: &Self, grace: Duration) {
        let after = next.by_place();
        for (place, route, (_, closer)) in self.by_place().iter() {
            // Several routes may have taken over one closer.
            let mut taken_over = after.at(place).filter(|(_, (_, other))| Arc::ptr_eq(closer, other));
            if after.get(place, route).is_none() && taken_over.next().is_none() {
                closer.close_after(grace);
            }
        }
    }

    /// How these routes differ from `next`.
    pub fn changes(&self, next: &Self) -> RouteChanges {
        let (before, after) = (self.by_place(), next.by_place());
        let mut changes = RouteChanges::default();
        for (place, route, (built, _)) in after.iter() {
            match before.get(place, route) {
                None => changes.added.push(name(place, route)),
                Some((old, _)) if !old.is_like(built) => changes.changed.push(name(place, route)),
                Some(_) => {}
            }
        }
        let removed = before.iter().filter(|(place, route, _)| after.get(*place, route).is_none());
        changes.removed.extend(removed.map(|(place, route, _)| name(place, route)));
        for names in [&mut changes.added, &mut changes.changed, &mut changes.removed] {
            names.sort_unstable();
        }
        changes
    }

    fn by_place(&self) -> BuiltByPlace<'_> {
        self.built.iter().flat_map(Built::by_place).collect()
    }
}

/// What was made of the route of each place, and what closes its tunnels there.
type BuiltByPlace<'a> = ByPlace<'a, (&'a Arc<Built>, &'a Arc<TunnelCloser>)>;

impl Built {
    /// Builds a route, or takes the one of before if nothing has changed that matters to it.
    fn of(
        route: &Route,
        settings: &RouteSettings,
        timeouts: &ConnectTimeouts,
        before: &BuiltByPlace<'_>,
        trust: &Trust,
        endpoints: &mut Endpoints,
    ) -> Result<Arc<Self>, BoxError> {
        let own = route.endpoints().iter().filter(|endpoint| !endpoint.is_mesh());
        let own: Vec<_> = own
            .map(|endpoint| endpoints.connections(endpoint, route, &settings.connections, timeouts, trust))
            .collect::<Result<_, _>>()?;
        if let Some((before, _)) = route.places().find_map(|place| before.get(place, route))
            && before.route == *route
            && before.settings == *settings
            && before.endpoints.iter().map(Arc::as_ptr).eq(own.iter().map(Arc::as_ptr))
        {
            return Ok(Arc::clone(before));
        }
        // Hosts may move from one route to another, and keep their tunnels.
        let closer = |place| before.get(place, route).map(|(_, closer)| Arc::clone(closer)).unwrap_or_default();
        let closers = route.places().map(closer).collect();
        let proxy = |worker| service(route, settings, &own, worker, endpoints);
        let services = match &route.answer {
            Answer::Upstream(_) => Services::Proxies((0..endpoints.workers()).map(proxy).collect::<Result<_, _>>()?),
            Answer::Redirect(redirection) => Services::Answer(RouteService::redirect(redirection, route)?),
            Answer::Respond(respond) => Services::Answer(RouteService::respond(respond, route, settings.https_port)?),
        };
        Ok(Arc::new(Self { route: route.clone(), settings: settings.clone(), endpoints: own, services, closers }))
    }

    fn by_place(self: &Arc<Self>) -> impl Iterator<Item = (Place<'_>, &Route, (&Arc<Self>, &Arc<TunnelCloser>))> {
        self.route.places().zip(&self.closers).map(move |(place, closer)| (place, &self.route, (self, closer)))
    }

    /// The services of a worker, one for each place.
    fn services(&self, worker: usize) -> impl Iterator<Item = RouteService<Proxy>> {
        let tunnels = TunnelLayer::new().timeout(self.route.stream_timeout);
        self.closers.iter().map(move |closer| match &self.services {
            // After the backend's 101, bytes flow beside the stack.
            Services::Proxies(proxies) => {
                let proxy = tunnels.clone().closed_by(closer).layer(proxies[worker].clone());
                RouteService::proxy(proxy, &self.route, self.settings.https_port)
            }
            Services::Answer(answer) => answer.clone(),
        })
    }

    /// Whether both do the same with a request.
    fn is_like(self: &Arc<Self>, other: &Arc<Self>) -> bool {
        let is_same = || {
            let Route { name, patterns, .. } = other.route.clone();
            let as_other = Route { name, patterns, ..self.route.clone() };
            as_other == other.route && self.settings == other.settings
        };
        Arc::ptr_eq(self, other) || is_same()
    }
}

/// What a worker does with the requests of a route, in order.
fn service(
    route: &Route,
    settings: &RouteSettings,
    own: &[Arc<Connections>],
    worker: usize,
    endpoints: &Endpoints,
) -> Result<Untunneled, BoxError> {
    let strip = route.strip_prefix.then(|| StripPrefixLayer::any(route.prefixes().cloned()));
    // Around each endpoint, so that one that hangs counts as failed. Ends with the head of the response; the server
    // watches the body.
    let timeout = ResponseTimeoutLayer::new(route.response_timeout)
        .stream_timeout(route.stream_timeout)
        .min_rate(settings.body_min_rate, route.stall_timeout);
    // All endpoints together share this time, which cannot be longer than that for the response.
    let connect_timeout = route.connect_timeout.min(route.response_timeout);
    let timeout_of = |endpoint: &Endpoint| if endpoint.is_http2() { timeout.except_http2() } else { timeout };
    let (strip, host, turns) = if own.len() == route.endpoints().len() {
        let host = route.host_header.clone().map(|host| SetRequestHeaderLayer::overriding(HOST, host));
        let share = connect_share(connect_timeout, own.len());
        let attempt = |connections: &Arc<Connections>| {
            let pool = connections.pool(worker).clone().connect_within(share);
            recorded(connections, worker, timeout_of(connections.endpoint()).layer(pool))
        };
        let balance: Balance<_> = Rotation::new().balance(own.iter().map(attempt).collect(), Vec::new());
        (strip, host, Turns::Own(balance))
    } else {
        // Other nodes get the request as it came, so that the endpoints differ in what they are asked for.
        let own =
            own.iter().map(|connections| recorded(connections, worker, connections.pool(worker).clone())).collect();
        let linker = endpoints.linker(worker, &settings.connections)?;
        let timeouts = Timeouts { connect: connect_timeout, response: timeout.except_http2() };
        let nodes = NodesInTurn::new(route, own, strip, timeouts, linker, Arc::clone(&endpoints.peers));
        (None, None, Turns::Nodes(nodes))
    };
    Ok(ServiceBuilder::new()
        // Only where they differ from the server's.
        .option_layer(own_timeouts(route, settings).map(StallLayer::new))
        .option_layer(strip)
        .option_layer(host)
        // A length that is known is refused before a backend hears of the request: 413.
        .layer(BodyLimitLayer::new(route.max_body))
        .service(turns))
}

/// The stall and stream timeouts of a route, if they differ from the server's.
fn own_timeouts(route: &Route, server: &RouteSettings) -> Option<StallTimeouts> {
    let mut own = StallTimeouts::new();
    if route.stall_timeout != server.stall_timeout {
        own = own.with_stall(route.stall_timeout);
    }
    if route.stream_timeout != server.stream_timeout {
        own = own.with_stream(route.stream_timeout);
    }
    (own != StallTimeouts::new()).then_some(own)
}

/// The port for redirects to https; `None` is 443.
fn https_port(settings: &Settings) -> Option<u16> {
    match settings.https {
        // For 0, the kernel picks the port later.
        Port::Number(port) if !matches!(port, 0 | 443) => Some(port),
        Port::Number(_) | Port::Off => None,
    }
}

/// An endpoint of a worker, with the record that all of them share.
fn recorded<S>(connections: &Connections, worker: usize, service: S) -> balance::Endpoint<S> {
    let record = connections.record();
    balance::Endpoint::with_health(connections.endpoint().to_string(), service, record.health.clone())
        .with_stats(Arc::clone(&record.stats[worker]))
}
