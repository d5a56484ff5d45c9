//! From a route of the settings to the service behind it.

use std::collections::HashMap;

use http::{Request, Response, Uri, header::HOST};
use hyper::body::Incoming;
use pmesh_layers::{
    balance::Balance,
    body_limit::BodyLimitLayer,
    connect::{InvalidSubnet, SourceConnector, SourceSubnet},
    pool::{Pool, PooledBody},
    response_timeout::ResponseTimeoutLayer,
    route::{RouteTable, StripPrefixLayer},
    trailers::TrailersBody,
};
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::set_header::SetRequestHeaderLayer;

use crate::{
    body::RequestBody,
    endpoint::Endpoint,
    settings::{Route, Settings},
};

type EndpointPool = Pool<SourceConnector, RequestBody>;

/// The table of `settings.routes`. Routes with an endpoint in common share its connections.
///
/// # Errors
///
/// None that validated settings allow; they name what is wrong.
#[expect(clippy::type_complexity, reason = "a stack of layers has no shorter name")]
pub fn routes(
    settings: &Settings,
) -> Result<
    RouteTable<
        impl Service<
            Request<TrailersBody<Incoming>>,
            Response = Response<PooledBody<RequestBody>>,
            Error = BoxError,
            Future: Send,
        >
        + Clone
        + Send
        + Sync
        + 'static
        + use<>,
    >,
    BoxError,
> {
    let mut pools = Pools::new(settings)?;
    let mut table = RouteTable::new();
    for route in &settings.routes {
        let service = route_service(route, &mut pools)?;
        for pattern in &route.patterns {
            table.insert(pattern.clone(), route.prefix.clone(), service.clone())?;
        }
    }
    Ok(table)
}

/// What happens to a request once its route is known, in order.
fn route_service(
    route: &Route,
    pools: &mut Pools<'_>,
) -> Result<
    impl Service<
        Request<TrailersBody<Incoming>>,
        Response = Response<PooledBody<RequestBody>>,
        Error = BoxError,
        Future: Send,
    >
    + Clone
    + Send
    + Sync
    + 'static
    + use<>,
    BoxError,
> {
    let strip = route.strip_prefix.then(|| StripPrefixLayer::new(route.prefix.clone()));
    let host = route.upstream_host.clone().map(|host| SetRequestHeaderLayer::overriding(HOST, host));
    let endpoints = route.upstreams.iter().map(|endpoint| pools.pool(endpoint)).collect::<Result<Vec<_>, _>>()?;
    Ok(ServiceBuilder::new()
        .option_layer(strip)
        .option_layer(host)
        // A length that is known is refused before a backend hears of the request: 413.
        .layer(BodyLimitLayer::new(route.max_body))
        // Until the head of the response; a body is watched by the server.
        .layer(ResponseTimeoutLayer::new(route.response_timeout))
        .service(Balance::new(endpoints)))
}

struct Pools<'a> {
    settings: &'a Settings,
    connector: SourceConnector,
    by_endpoint: HashMap<String, EndpointPool>,
}

impl<'a> Pools<'a> {
    fn new(settings: &'a Settings) -> Result<Self, InvalidSubnet> {
        let connector = SourceConnector::new()
            .subnet(SourceSubnet::new(settings.subnet_dialer)?)
            .source_addresses(settings.source_addresses.iter().copied())
            .connect_timeout(settings.connect_timeout);
        Ok(Self { settings, connector, by_endpoint: HashMap::new() })
    }

    fn pool(&mut self, endpoint: &Endpoint) -> Result<EndpointPool, http::Error> {
        let authority = endpoint.to_string();
        if let Some(pool) = self.by_endpoint.get(&authority) {
            return Ok(pool.clone());
        }
        let uri = Uri::builder().scheme("http").authority(authority.as_str()).path_and_query("/").build()?;
        let Settings { pool_idle_max, pool_idle_timeout, .. } = *self.settings;
        let pool = Pool::with_limits(self.connector.clone(), uri, pool_idle_max, pool_idle_timeout);
        self.by_endpoint.insert(authority, pool.clone());
        Ok(pool)
    }
}
