//! The health, the counters and the connections of each endpoint. They are kept across reloads for as long as a route
//! leads to the endpoint.

use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    sync::Arc,
    time::Duration,
};

use ::http::Uri;
use ipnet::Ipv4Net;
use pmesh_layers::{
    balance::{EndpointStats, Health},
    buffer_body::BufferMemory,
    connect::{Resolver, SourceConnector, SourceSubnet, TlsConnector, UnixConnector},
    mirror::MirrorStats,
    node::NodeIdentity,
    pool::{Http2Pool, Pool, PoolStats},
};
use rustls::ClientConfig;
use tower::BoxError;

use super::{
    LocalServices,
    advice::advice,
    backend::Backend,
    connect_timeouts::{self, ConnectTimeouts},
    destination::{Destination, destination},
    traffic::{InstanceTraffic, in_use},
    trust::{Trust, TrustId},
};
use crate::{
    admission::{Admission, room_connector::RoomConnector},
    mesh::{Linker, Peers},
    middleware,
    services::table::Slot,
    settings::{
        ConnectsTo, Settings, UpstreamTls,
        endpoint::{Endpoint, EndpointHost, Instance, InstanceAddress, Protocol},
    },
    telemetry::{counters::LimitCounters, outages},
};

/// When a connection has been idle for this long, the kernel probes whether the backend is still there.
const KEEPALIVE: Duration = Duration::from_secs(60);

/// The settings of connections to upstreams. If one of them changes, new connections are made.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ConnectionSettings {
    connect_timeout: Duration,
    idle_max: usize,
    idle_timeout: Duration,
    max_age: Option<Duration>,
    /// How long a connection to a node may last after its secret was removed.
    grace: Duration,
    subnet_dialer: Ipv4Net,
    source_addresses: Vec<IpAddr>,
}

impl ConnectionSettings {
    /// The settings of connections to other nodes.
    pub fn for_nodes(settings: &Settings) -> Self {
        Self {
            connect_timeout: connect_timeouts::to_nodes(settings),
            idle_max: settings.pool_idle_max,
            idle_timeout: settings.pool_idle_timeout,
            max_age: settings.pool_max_age,
            grace: settings.shutdown_timeout,
            subnet_dialer: settings.subnet_dialer,
            source_addresses: settings.source_addresses.clone(),
        }
    }

    pub(super) fn with_connect_timeout(&self, connect_timeout: Duration) -> Self {
        Self { connect_timeout, ..self.clone() }
    }
}

/// The health of an endpoint, and the counters of each worker.
#[derive(Debug, Clone)]
pub struct Record {
    /// As observed by requests.
    pub health: Health,
    /// By worker.
    pub stats: Box<[Arc<EndpointStats>]>,
}

/// An endpoint, its record, and the connections of each worker to it.
#[derive(Debug)]
pub struct Connections {
    destination: Destination,
    settings: ConnectionSettings,
    record: Arc<Record>,
    /// The slot, if the endpoint is an instance of a service.
    slot: Option<Slot>,
    pools: Box<[Backend]>,
}

impl Connections {
    /// The address.
    pub fn endpoint(&self) -> &Endpoint {
        &self.destination.0
    }

    /// Its health and counters.
    pub fn record(&self) -> &Record {
        &self.record
    }

    /// What is known about the process at this address, if it is an instance of a service.
    pub fn slot(&self) -> Option<&Slot> {
        self.slot.as_ref()
    }

    /// Whether requests can be sent there or are in flight. False for the slot of a service that has no ready instance.
    pub fn is_used(&self) -> bool {
        !self.record.health.is_drained() || self.pools().any(|pool| in_use(pool) > 0)
    }

    /// The connection counts of each worker.
    pub fn pools(&self) -> impl Iterator<Item = &Arc<PoolStats>> {
        self.pools.iter().map(Backend::stats)
    }

    /// The connections of a worker.
    pub(super) fn pool(&self, worker: usize) -> &Backend {
        &self.pools[worker]
    }
}

/// All endpoints that routes lead to. Outlives generations, and belongs to the thread that builds them.
#[derive(Debug)]
pub struct Endpoints {
    workers: usize,
    admission: Arc<Admission>,
    resolver: Resolver,
    identity: NodeIdentity,
    pub(super) peers: Arc<Peers>,
    limited: Arc<LimitCounters>,
    mirrored: Arc<MirrorStats>,
    buffer_memory: BufferMemory,
    traffic: InstanceTraffic,
    records: HashMap<Destination, Arc<Record>>,
    connections: HashMap<(Destination, ConnectionSettings), Arc<Connections>>,
    /// One configuration per worker. Each holds TLS sessions to resume, which rustls stores by server name.
    tls: HashMap<TrustId, Box<[ClientConfig]>>,
}

impl Endpoints {
    /// Creates an empty set, for this many workers.
    pub fn new(
        workers: usize,
        admission: Arc<Admission>,
        resolver: Resolver,
        identity: NodeIdentity,
        peers: Arc<Peers>,
    ) -> Self {
        let (limited, mirrored, traffic, records, connections, tls) = Default::default();
        let buffer_memory = middleware::buffer_memory();
        Self {
            workers,
            admission,
            resolver,
            identity,
            peers,
            limited,
            mirrored,
            buffer_memory,
            traffic,
            records,
            connections,
            tls,
        }
    }

    /// The counters of requests that a limit of their route rejected.
    pub fn limited(&self) -> &Arc<LimitCounters> {
        &self.limited
    }

    /// The counts of copies of requests.
    pub fn mirrored(&self) -> &Arc<MirrorStats> {
        &self.mirrored
    }

    /// How the instances of services are used.
    pub fn traffic(&self) -> &InstanceTraffic {
        &self.traffic
    }

    /// The memory for buffered bodies.
    pub(super) fn buffer_memory(&self) -> &BufferMemory {
        &self.buffer_memory
    }

    pub(super) fn resolver(&self) -> &Resolver {
        &self.resolver
    }

    pub(super) fn workers(&self) -> usize {
        self.workers
    }

    /// The connections to an address of a route, or to each instance if it is a service. Existing ones are reused if none
    /// of their settings has changed.
    pub(super) fn connections(
        &mut self,
        to: ConnectsTo<'_>,
        settings: &ConnectionSettings,
        timeouts: &ConnectTimeouts,
        trust: &Trust,
        services: LocalServices<'_>,
    ) -> Result<Vec<Arc<Connections>>, BoxError> {
        let Endpoint::Service(name) = to.endpoint else {
            return Ok(vec![self.connections_to(to, settings, timeouts, trust, None)?]);
        };
        let slots = services.instances(name)?.slots.iter();
        let to_slot = |slot: &Slot| {
            let endpoint = Endpoint::Instance(slot.instance.clone());
            self.connections_to(ConnectsTo { endpoint: &endpoint, ..to }, settings, timeouts, trust, Some(slot))
        };
        slots.map(to_slot).collect()
    }

    fn connections_to(
        &mut self,
        to: ConnectsTo<'_>,
        settings: &ConnectionSettings,
        timeouts: &ConnectTimeouts,
        trust: &Trust,
        slot: Option<&Slot>,
    ) -> Result<Arc<Connections>, BoxError> {
        let destination = destination(to, trust);
        let settings = settings.with_connect_timeout(timeouts.to(&destination));
        let key = (destination, settings);
        // The slot may have been freed and assigned again since.
        let is_current = |record: &Record| slot.is_none_or(|slot| slot.health.is_same(&record.health));
        if let Some(connections) = self.connections.get(&key).filter(|connections| is_current(&connections.record)) {
            return Ok(Arc::clone(connections));
        }
        let pools = (0..self.workers).map(|worker| self.pool(worker, to, &key.1, trust));
        let pools = pools.collect::<Result<_, _>>()?;
        let (destination, settings) = key.clone();
        let record = match self.records.get(&destination).filter(|record| is_current(record)) {
            Some(record) => Arc::clone(record),
            None => {
                let record = Arc::new(new_record(to.endpoint, slot, self.workers));
                self.records.insert(destination.clone(), Arc::clone(&record));
                record
            }
        };
        let connections = Arc::new(Connections { destination, settings, record, slot: slot.cloned(), pools });
        self.traffic.add(connections.endpoint(), &connections.record.stats, connections.pools());
        self.connections.insert(key, Arc::clone(&connections));
        Ok(connections)
    }

    /// Drops all endpoints except `used`. Connections with requests in flight close after them.
    pub(super) fn retain<'a>(&mut self, used: impl IntoIterator<Item = &'a Arc<Connections>>) {
        self.connections = used
            .into_iter()
            .map(|connections| {
                ((connections.destination.clone(), connections.settings.clone()), Arc::clone(connections))
            })
            .collect();
        let destinations: HashSet<_> = self.connections.keys().map(|(destination, _)| destination).collect();
        let trusted: HashSet<_> = destinations.iter().filter_map(|(_, tls)| Some(tls.as_ref()?.0)).collect();
        self.records.retain(|destination, _| destinations.contains(destination));
        self.tls.retain(|id, _| trusted.contains(id));
        self.traffic.forget_unused();
    }

    /// How a worker connects to other nodes.
    pub(super) fn linker(&self, worker: usize, settings: &ConnectionSettings) -> Result<Linker, BoxError> {
        Ok(Linker {
            worker,
            connector: self.connector(worker, settings)?.to_node(),
            identity: self.identity.clone(),
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.idle_timeout,
            grace: settings.grace,
            max_age: settings.max_age,
        })
    }

    fn connector(
        &self,
        worker: usize,
        settings: &ConnectionSettings,
    ) -> Result<RoomConnector<SourceConnector>, BoxError> {
        let connector = SourceConnector::new()
            .subnet(SourceSubnet::new(settings.subnet_dialer)?)
            .source_addresses(settings.source_addresses.iter().copied())
            .connect_timeout(settings.connect_timeout)
            .resolver(self.resolver.clone())
            .keepalive(Some(KEEPALIVE));
        Ok(RoomConnector::new(connector, Arc::clone(&self.admission), worker))
    }

    fn pool(
        &mut self,
        worker: usize,
        to: ConnectsTo<'_>,
        settings: &ConnectionSettings,
        trust: &Trust,
    ) -> Result<Backend, BoxError> {
        let endpoint = to.endpoint;
        let (protocol, host, port) = match endpoint {
            Endpoint::Instance(Instance { address: InstanceAddress::Socket(address), protocol, .. }) => {
                (*protocol, EndpointHost::Address(address.ip()), address.port())
            }
            Endpoint::Instance(Instance { address: InstanceAddress::Unix(path), protocol: Protocol::H2c, .. }) => {
                let connector = UnixConnector::new(path).connect_timeout(settings.connect_timeout);
                let connector = RoomConnector::new(connector, Arc::clone(&self.admission), worker);
                return Ok(Backend::UnixH2c(http2(connector, Uri::from_static("http://localhost"), settings)));
            }
            Endpoint::Unix(path) | Endpoint::Instance(Instance { address: InstanceAddress::Unix(path), .. }) => {
                let connector = UnixConnector::new(path).connect_timeout(settings.connect_timeout);
                let connector = RoomConnector::new(connector, Arc::clone(&self.admission), worker);
                return Ok(Backend::Unix(http1(connector, Uri::from_static("http://localhost"), settings)));
            }
            Endpoint::Port { protocol, host, port } => (*protocol, host.clone(), *port),
            // The node, and with it the connections, is chosen for each request.
            Endpoint::Mesh(_) | Endpoint::MeshAny | Endpoint::Service(_) => {
                return Err(format!("{endpoint}: no address of its own").into());
            }
        };
        let scheme = if endpoint.is_tls() { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(format!("{host}:{port}")).path_and_query("/").build()?;
        let connector = self.connector(worker, settings)?;
        Ok(match protocol {
            Protocol::Http => Backend::Http(http1(connector, uri, settings)),
            Protocol::H2c => Backend::H2c(http2(connector, uri, settings)),
            Protocol::Https => {
                let tls = self.tls(worker, connector, to.tls, settings, trust)?;
                Backend::Https(http1(tls, uri, settings))
            }
            Protocol::H2 => {
                let tls = self.tls(worker, connector, to.tls, settings, trust)?.http2();
                Backend::H2(http2(tls, uri, settings))
            }
        })
    }

    fn tls<C>(
        &mut self,
        worker: usize,
        connector: C,
        tls: &UpstreamTls,
        settings: &ConnectionSettings,
        trust: &Trust,
    ) -> Result<TlsConnector<C>, BoxError> {
        let id = trust.id(tls);
        if !self.tls.contains_key(&id) {
            let configs = (0..self.workers).map(|_| trust.client_config(tls)).collect::<Result<_, _>>()?;
            self.tls.insert(id, configs);
        }
        let connector = TlsConnector::new(connector, self.tls[&id][worker].clone());
        let connector = connector.handshake_timeout(settings.connect_timeout);
        Ok(match &tls.server_name {
            Some(name) => connector.name(name.clone()),
            None => connector,
        })
    }
}

fn http1<C: Clone>(connector: C, uri: Uri, settings: &ConnectionSettings) -> Pool<C> {
    Pool::with_limits(connector, uri, settings.idle_max, settings.idle_timeout)
        .max_age(settings.max_age)
        .connect_timeout(settings.connect_timeout)
}

fn http2<C: Clone>(connector: C, uri: Uri, settings: &ConnectionSettings) -> Http2Pool<C> {
    Http2Pool::new(connector, uri)
        .idle_timeout(settings.idle_timeout)
        .max_age(settings.max_age)
        .connect_timeout(settings.connect_timeout)
}

fn new_record(endpoint: &Endpoint, slot: Option<&Slot>, workers: usize) -> Record {
    let health = slot.map(|slot| slot.health.clone());
    Record {
        health: health.unwrap_or_else(|| outages::logged(endpoint.to_string(), advice)),
        stats: (0..workers).map(|_| Arc::default()).collect(),
    }
}
