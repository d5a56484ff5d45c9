//! From a route of the settings to the service behind it.

pub mod advice;
pub mod room_connector;
pub mod trust;
mod turns;

use std::{
    collections::{HashMap, hash_map::Entry},
    path::PathBuf,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, Uri, header::HOST};
use pmesh_layers::{
    balance::{self, Balance, connect_share},
    body::RequestBody,
    body_limit::BodyLimitLayer,
    connect::{InvalidSubnet, SourceConnector, SourceSubnet, TlsConnector, UnixConnector},
    pool::{Http2Pool, Pool, PoolError, PooledBody},
    response_timeout::{ResponseTimeout, ResponseTimeoutLayer},
    route::{RouteTable, StripPrefixLayer},
    trailers::TrailersBody,
};
use rustls::{ClientConfig, pki_types::ServerName};
use tower::{BoxError, Layer, Service, ServiceBuilder};
use tower_http::set_header::SetRequestHeaderLayer;

use self::turns::{Aim, NodesInTurn, Timeouts, Turns};
use crate::{
    admission::Admission,
    http::body::{ForwardedBody, UpstreamBody},
    mesh::{Dialer, Linker, Peers},
    server::{listen::KEEPALIVE, worker::Shared},
    settings::{
        Route, Settings,
        endpoint::{Endpoint, Protocol},
    },
    upstream::{room_connector::RoomConnector, trust::Trust},
};

/// The table of all routes, for the worker with this number. Routes with an endpoint in common share its connections;
/// if the system has nothing left for new ones, idle clients make room.
///
/// # Errors
///
/// None that validated settings allow, with the trust that was loaded for them; they name what is wrong.
pub fn routes(worker: usize, shared: &Shared) -> Result<RouteTable<impl Upstream + use<>>, BoxError> {
    let mut pools = Pools::new(worker, shared)?;
    let mut table = RouteTable::new();
    for route in &shared.settings.routes {
        let service = route_service(route, &mut pools)?;
        for pattern in &route.patterns {
            let (pattern, prefix, service) = (pattern.clone(), route.prefix.clone(), service.clone());
            if route.allow_ambiguous_paths {
                table.insert_literal(pattern, prefix, service)?;
            } else {
                table.insert(pattern, prefix, service)?;
            }
        }
    }
    Ok(table)
}

/// What happens to a request once its route is known, in order.
fn route_service(route: &Route, pools: &mut Pools<'_>) -> Result<impl Upstream + use<>, BoxError> {
    let strip = route.strip_prefix.then(|| StripPrefixLayer::new(route.prefix.clone()));
    // Around each endpoint, so that one that hangs counts as failed. Ends with the head of the response; the server
    // watches the body.
    let timeout = ResponseTimeoutLayer::new(route.response_timeout)
        .min_rate(pools.settings.body_min_rate, pools.settings.body_timeout);
    // All endpoints together share this time, which cannot be longer than that for the response.
    let connect_timeout = pools.settings.connect_timeout.min(route.response_timeout);
    let timeout_of = |endpoint: &Endpoint| if endpoint.is_http2() { timeout.except_http2() } else { timeout };
    let mut own = Vec::with_capacity(route.upstreams.len());
    for endpoint in route.upstreams.iter().filter(|endpoint| !endpoint.is_mesh()) {
        own.push((endpoint, pools.pool(endpoint, route)?));
    }
    let (strip, host, turns) = if own.len() == route.upstreams.len() {
        let host = route.upstream_host.clone().map(|host| SetRequestHeaderLayer::overriding(HOST, host));
        let share = connect_share(connect_timeout, own.len());
        let attempt = |endpoint, pool: Backend| timeout_of(endpoint).layer(pool.connect_within(share));
        let balance =
            Balance::new(own.into_iter().map(|(endpoint, pool)| (endpoint.to_string(), attempt(endpoint, pool))));
        (strip, host, Turns::Own(balance))
    } else {
        // Other nodes get the request as it came, so that the endpoints differ in what they are asked for.
        let own = own.into_iter().map(|(endpoint, pool)| balance::Endpoint::new(endpoint.to_string(), pool)).collect();
        let (linker, peers) = (pools.linker.clone(), Arc::clone(pools.peers));
        let timeouts = Timeouts { connect: connect_timeout, response: timeout.except_http2() };
        (None, None, Turns::Nodes(NodesInTurn::new(route, own, strip, timeouts, linker, peers)))
    };
    Ok(ServiceBuilder::new()
        .option_layer(strip)
        .option_layer(host)
        // A length that is known is refused before a backend hears of the request: 413.
        .layer(BodyLimitLayer::new(route.max_body))
        .service(turns))
}

/// What is behind a route.
pub trait Upstream:
    Service<Request<TrailersBody<RequestBody>>, Response = Response<UpstreamBody>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Upstream for S where
    S: Service<Request<TrailersBody<RequestBody>>, Response = Response<UpstreamBody>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// The pools of all endpoints: one for each way in which one is spoken to.
struct Pools<'a> {
    settings: &'a Settings,
    trust: &'a Trust,
    connector: RoomConnector<SourceConnector>,
    admission: &'a Arc<Admission>,
    worker: usize,
    linker: Linker,
    peers: &'a Arc<Peers>,
    by_way: HashMap<Way, Backend>,
    by_ca: HashMap<Option<PathBuf>, ClientConfig>,
}

/// An endpoint, and for TLS the authority and the name.
type Way = (Endpoint, Option<(Option<PathBuf>, Option<ServerName<'static>>)>);

impl<'a> Pools<'a> {
    fn new(worker: usize, shared: &'a Shared) -> Result<Self, InvalidSubnet> {
        let Shared { settings, trust, peers, identity, admission, resolver, .. } = shared;
        let connector = SourceConnector::new()
            .subnet(SourceSubnet::new(settings.subnet_dialer)?)
            .source_addresses(settings.source_addresses.iter().copied())
            .connect_timeout(settings.connect_timeout)
            .resolver(resolver.clone())
            .keepalive(Some(KEEPALIVE));
        let connector = RoomConnector::new(connector, Arc::clone(admission), worker);
        let linker = Linker {
            worker,
            connector: connector.clone().to_node(),
            identity: identity.clone(),
            connect_timeout: settings.connect_timeout,
            idle_timeout: settings.pool_idle_timeout,
            grace: settings.shutdown_timeout,
            max_age: settings.pool_max_age,
        };
        let (by_way, by_ca) = (HashMap::new(), HashMap::new());
        Ok(Self { settings, trust, connector, admission, worker, linker, peers, by_way, by_ca })
    }

    fn pool(&mut self, endpoint: &Endpoint, route: &Route) -> Result<Backend, BoxError> {
        let ca = route.upstream_ca.as_ref().map(|ca| ca.path.clone());
        let tls = endpoint.is_tls().then(|| (ca, route.upstream_name.clone()));
        let way = (endpoint.clone(), tls);
        if let Some(pool) = self.by_way.get(&way) {
            return Ok(pool.clone());
        }
        let pool = self.new_pool(endpoint, route)?;
        self.by_way.insert(way, pool.clone());
        Ok(pool)
    }

    fn new_pool(&mut self, endpoint: &Endpoint, route: &Route) -> Result<Backend, BoxError> {
        let (protocol, host, port) = match endpoint {
            Endpoint::Unix(path) => {
                let connector = UnixConnector::new(path).connect_timeout(self.settings.connect_timeout);
                let connector = RoomConnector::new(connector, Arc::clone(self.admission), self.worker);
                return Ok(Backend::Unix(self.http1(connector, Uri::from_static("http://localhost"))));
            }
            Endpoint::Port { protocol, host, port } => (*protocol, host, *port),
            // Which connections these are is known with the request only.
            Endpoint::Mesh(_) | Endpoint::MeshAny => return Err(format!("{endpoint}: no address of its own").into()),
        };
        let scheme = if endpoint.is_tls() { "https" } else { "http" };
        let uri = Uri::builder().scheme(scheme).authority(format!("{host}:{port}")).path_and_query("/").build()?;
        Ok(match protocol {
            Protocol::Http => Backend::Http(self.http1(self.connector.clone(), uri)),
            Protocol::Https => {
                let connector = self.tls(route)?;
                Backend::Https(self.http1(connector, uri))
            }
            Protocol::H2c => Backend::H2c(self.http2(self.connector.clone(), uri)),
            Protocol::H2 => {
                let connector = self.tls(route)?.http2();
                Backend::H2(self.http2(connector, uri))
            }
        })
    }

    fn http1<C: Clone>(&self, connector: C, uri: Uri) -> Pool<C, ForwardedBody> {
        Pool::with_limits(connector, uri, self.settings.pool_idle_max, self.settings.pool_idle_timeout)
            .max_age(self.settings.pool_max_age)
            .connect_timeout(self.settings.connect_timeout)
    }

    fn http2<C: Clone>(&self, connector: C, uri: Uri) -> Http2Pool<C, ForwardedBody> {
        Http2Pool::new(connector, uri)
            .idle_timeout(self.settings.pool_idle_timeout)
            .max_age(self.settings.pool_max_age)
            .connect_timeout(self.settings.connect_timeout)
    }

    fn tls(&mut self, route: &Route) -> Result<TlsConnector<RoomConnector<SourceConnector>>, BoxError> {
        // Endpoints with the same authority share sessions to resume, which are kept by name.
        let config = match self.by_ca.entry(route.upstream_ca.as_ref().map(|ca| ca.path.clone())) {
            Entry::Occupied(config) => config.get().clone(),
            Entry::Vacant(place) => place.insert(self.trust.client_config(route.upstream_ca.as_ref())?).clone(),
        };
        let connector = TlsConnector::new(self.connector.clone(), config);
        let connector = connector.handshake_timeout(self.settings.connect_timeout);
        Ok(match &route.upstream_name {
            Some(name) => connector.name(name.clone()),
            None => connector,
        })
    }
}

/// The connections to one endpoint, for any protocol. All of them answer with the same types, so that this costs a
/// request one branch.
#[derive(Debug, Clone)]
enum Backend {
    Http(Pool<RoomConnector<SourceConnector>, ForwardedBody>),
    Https(Pool<TlsConnector<RoomConnector<SourceConnector>>, ForwardedBody>),
    H2c(Http2Pool<RoomConnector<SourceConnector>, ForwardedBody>),
    H2(Http2Pool<TlsConnector<RoomConnector<SourceConnector>>, ForwardedBody>),
    Unix(Pool<RoomConnector<UnixConnector>, ForwardedBody>),
    Node(Http2Pool<Dialer, ForwardedBody>),
    /// Asked for something of its own, which others are not.
    Aimed(Arc<Aim>, Box<Backend>),
}

impl Backend {
    /// The same connections, for requests that wait no longer than `share` for a new one.
    fn connect_within(self, share: Duration) -> Self {
        match self {
            Self::Http(pool) => Self::Http(pool.connect_within(share)),
            Self::Https(pool) => Self::Https(pool.connect_within(share)),
            Self::H2c(pool) => Self::H2c(pool.connect_within(share)),
            Self::H2(pool) => Self::H2(pool.connect_within(share)),
            Self::Unix(pool) => Self::Unix(pool.connect_within(share)),
            Self::Node(pool) => Self::Node(pool.connect_within(share)),
            Self::Aimed(aim, backend) => Self::Aimed(aim, Box::new(backend.connect_within(share))),
        }
    }
}

/// An attempt at an endpoint.
type Attempt = ResponseTimeout<Backend>;

impl Service<Request<ForwardedBody>> for Backend {
    type Response = Response<PooledBody<ForwardedBody>>;
    type Error = PoolError<ForwardedBody>;
    type Future = <Pool<RoomConnector<SourceConnector>, ForwardedBody> as Service<Request<ForwardedBody>>>::Future;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        // As all pools are.
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<ForwardedBody>) -> Self::Future {
        match self {
            Self::Http(pool) => pool.call(request),
            Self::Https(pool) => pool.call(request),
            Self::H2c(pool) => pool.call(request),
            Self::H2(pool) => pool.call(request),
            Self::Unix(pool) => pool.call(request),
            Self::Node(pool) => pool.call(request),
            Self::Aimed(aim, backend) => {
                aim.set(&mut request);
                backend.call(request)
            }
        }
    }
}
