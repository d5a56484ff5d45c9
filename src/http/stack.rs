//! The path of a request from the client's connection to the upstream: the whole program in one chain.

use std::{
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{HeaderName, Request, Response};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    causes::find,
    cdn_loop::CDN_LOOP,
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostRejected},
    respond::NoResponse,
    route::{RouteTable, Router},
    silence::OpenGateLayer,
    sni::SniMatchLayer,
    trailers::TrailersLayer,
    upgrade::ExtendedConnectLayer,
};
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::request_id::SetRequestIdLayer;

use crate::{
    http::{
        access_log::{AccessLogLayer, LoggedBody},
        failure_log::FailureLogLayer,
        nodes::NodesLayer,
        pseudonym,
        request_id::RequestIds,
    },
    mesh::{Api, HEADER_PREFIX, PassedLayer},
    middleware::Inner,
    respond::answer_errors,
    settings::Settings,
    telemetry::counters::Counters,
    upstream::{Proxy, RouteService},
};

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The parts that a worker's stack is built from.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// All routes. A host is served if it has a route.
    pub table: Arc<RouteTable<usize>>,
    /// The services of the routes, by their index in the table.
    pub services: Arc<[RouteService<Proxy>]>,
    /// Answers requests from other nodes for this node itself.
    pub api: Api,
    /// Counts what the worker does.
    pub counters: Arc<Counters>,
}

/// The type of a [`stack`].
pub trait Stack:
    Service<Request<RequestBody>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Stack for S where
    S: Service<Request<RequestBody>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

/// Builds the stack of a worker. It serves clients and other nodes. Requests from nodes carry a
/// [`ConnInfo`](pmesh_layers::conn::ConnInfo) that names the node.
///
/// # Errors
///
/// See [`pseudonym`].
pub fn stack(parts: Parts<'_>) -> Result<impl Stack + use<>, BoxError> {
    let Parts { settings, table, services, api, counters } = parts;
    let rejected = Arc::clone(&counters);

    Ok(ServiceBuilder::new()
        // An error that leaves the stack closes the connection in silence. It is counted, but appears only in the debug
        // log.
        .map_err(move |error: BoxError| {
            match error.downcast_ref::<HostRejected>() {
                // `HostLayer` has logged it.
                Some(error) => rejected.reject(error.reason()),
                None => {
                    let reason = if find::<NoResponse>(&*error).is_some() { "no_response" } else { "other" };
                    rejected.reject(reason);
                    tracing::debug!(reason, %error, "silence");
                }
            }
            error
        })
        // Requests from other nodes always get a response, and can be for the node itself.
        .layer(NodesLayer::new(api))
        // The client must name a served host ...
        .layer(HostLayer::new(Arc::clone(&table)))
        // ... before anything is sent to it.
        .layer(OpenGateLayer::new())
        .map_request(move |request| {
            counters.requests.add();
            request
        })
        // Removes forwarding headers unless they come from a trusted proxy. From here on, the client's address is known.
        .layer(DistrustLayer::new(trusted(settings)))
        .layer(SetRequestIdLayer::new(REQUEST_ID, RequestIds::new()))
        .layer(AccessLogLayer::new(settings.access_log))
        .layer(FailureLogLayer)
        // Host and path select a route (else 404), which tries its endpoints in turn (502, 504).
        .service(checked(settings, Router::indexed(table, services))?))
}

/// The proxies whose headers about clients are trusted.
pub fn trusted(settings: &Settings) -> TrustedProxies {
    TrustedProxies::new(settings.trusted_proxies.iter().copied()).headers(settings.trusted_proxy_headers)
}

/// The part of the [`stack`] that checks and prepares requests of known clients for the router.
///
/// # Errors
///
/// See [`pseudonym`].
pub fn checked<S: Inner>(settings: &Settings, router: S) -> Result<impl Inner + use<S>, BoxError> {
    Ok(ServiceBuilder::new()
        // Turns all errors from further in into responses, using the table of the layers plus a row for nodes. Only the
        // error of a silent route passes.
        .layer(answer_errors())
        // Removes trailers that could be mistaken for headers.
        .layer(TrailersLayer::new().drop_prefix(HEADER_PREFIX))
        // Over TLS, the host must match the name in the handshake, else 421.
        .layer(SniMatchLayer::new())
        // Turns an HTTP/2 upgrade into one that looks like HTTP/1.1; 501 if it cannot become a tunnel.
        .layer(ExtendedConnectLayer::new())
        // Rejects requests that could be read in more than one way: 400.
        .layer(FramingLayer::new())
        // Removes the headers of the client's hop, then adds ours.
        .layer(HopByHopLayer::new().protect(REQUEST_ID).protect(CDN_LOOP))
        .layer(ForwardedLayer::new(trusted(settings)))
        // Only nodes may say which nodes a request has passed. A request that has already passed this one gets 508.
        .layer(PassedLayer::new(settings.node.clone()))
        // A request that keeps coming back to this process gets 508.
        .layer(pseudonym::cdn_loop()?)
        .option_layer(settings.via.then(pseudonym::via).transpose()?)
        // Boxed, because futures from here inwards are large and each layer around them would move them.
        .map_future(Box::pin)
        .service(router))
}

/// A stack that all clones share. Each connection holds one, and most connections are idle.
///
/// Each worker has its own, so the lock is contended only while a reload [replaces](Self::replace) the stack. Under the
/// lock, the layers are only called, which is cheaper than cloning them.
#[derive(Debug)]
pub struct SharedStack<S>(Arc<Mutex<S>>);

impl<S> SharedStack<S> {
    /// Shares a stack whose layers are always ready.
    pub fn new(stack: S) -> Self {
        Self(Arc::new(Mutex::new(stack)))
    }

    /// Replaces the stack for later requests, and returns the old one.
    pub fn replace(&self, stack: S) -> S {
        mem::replace(&mut *self.lock(), stack)
    }

    /// Whether other clones exist.
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.0) > 1
    }

    fn lock(&self) -> MutexGuard<'_, S> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> Clone for SharedStack<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S: Service<R>, R> Service<R> for SharedStack<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.lock().poll_ready(cx)
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.lock().call(request)
    }
}
