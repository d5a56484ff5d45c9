//! The way of a request, from the client's connection to the upstream: the whole program in one chain.

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
    mesh::{Api, OWN_FIELDS, PassedLayer},
    respond::answer_errors,
    settings::Settings,
    telemetry::counters::Counters,
    upstream::{Proxy, RouteService},
};

/// What the stack of a worker is made of.
#[derive(Debug)]
pub struct Parts<'a> {
    /// The settings.
    pub settings: &'a Settings,
    /// All routes; hosts with a route are served.
    pub table: Arc<RouteTable<usize>>,
    /// The services behind them, by their index in the table.
    pub services: Arc<[RouteService<Proxy>]>,
    /// Answers other nodes that ask for this node itself.
    pub api: Api,
    /// Counts what the worker does.
    pub counters: Arc<Counters>,
}

/// What a [`stack`] is.
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

/// The stack of a worker: for clients, and for other nodes, whose requests bring a
/// [`ConnInfo`](pmesh_layers::conn::ConnInfo) that names the node.
///
/// # Errors
///
/// See [`pseudonym`].
pub fn stack(parts: Parts<'_>) -> Result<impl Stack + use<>, BoxError> {
    let Parts { settings, table, services, api, counters } = parts;
    let trusted = TrustedProxies::new(settings.trusted_proxies.iter().copied()).headers(settings.trusted_proxy_headers);
    let request_id = HeaderName::from_static("x-request-id");
    let rejected = Arc::clone(&counters);

    Ok(ServiceBuilder::new()
        // Whatever error comes out here ends the connection in silence. It is counted, and not logged but for debugging.
        .map_err(move |error: BoxError| {
            match error.downcast_ref::<HostRejected>() {
                // The layer has said who asked for what.
                Some(error) => rejected.reject(error.reason()),
                None => {
                    let reason = if find::<NoResponse>(&*error).is_some() { "no_response" } else { "other" };
                    rejected.reject(reason);
                    tracing::debug!(reason, %error, "silence");
                }
            }
            error
        })
        // Other nodes are answered in any case, and may ask for the node itself.
        .layer(NodesLayer::new(api))
        // The client must name a served host ...
        .layer(HostLayer::new(Arc::clone(&table)))
        // ... and then it may be answered.
        .layer(OpenGateLayer::new())
        .map_request(move |request| {
            counters.requests.add();
            request
        })
        // What a client says about itself is removed unless it is a trusted proxy. From here on the client's address is
        // known.
        .layer(DistrustLayer::new(trusted.clone()))
        .layer(SetRequestIdLayer::new(request_id.clone(), RequestIds::new()))
        .layer(AccessLogLayer::new(settings.access_log))
        .layer(FailureLogLayer)
        // All errors from further in become responses. The table is that of the layers, with a row for nodes.
        // The error of a silent route passes.
        .layer(answer_errors())
        // Nothing that a head must say is said behind a body.
        .layer(TrailersLayer::new().drop_prefix(OWN_FIELDS))
        // Over TLS the host must be the one that the handshake was for: 421.
        .layer(SniMatchLayer::new())
        // An upgrade that is asked for over HTTP/2 is one like others from here on; without a tunnel: 501.
        .layer(ExtendedConnectLayer::new())
        // One reading, or 400.
        .layer(FramingLayer::new())
        // Fields of the client's hop go, then those of ours come.
        .layer(HopByHopLayer::new().protect(request_id).protect(CDN_LOOP))
        .layer(ForwardedLayer::new(trusted))
        // Through which nodes it has come is no client's word. One that has been here: 508.
        .layer(PassedLayer::new(settings.node.clone()))
        // One that has come through here again and again: 508.
        .layer(pseudonym::cdn_loop()?)
        .option_layer(settings.via.then(pseudonym::via).transpose()?)
        // From here on in a future is large, and is moved by each of the layers around it.
        .map_future(Box::pin)
        // Host and path lead to a route (404), a route to its endpoints in turn (502, 504).
        .service(Router::indexed(table, services)))
}

/// A stack whose clones are one: each connection has one, and most of them wait.
///
/// A worker has its own, so the lock is waited for only while a reload [replaces](Self::replace) the stack. All that is
/// done in it is to call the layers, which takes less than a clone of them.
#[derive(Debug)]
pub struct SharedStack<S>(Arc<Mutex<S>>);

impl<S> SharedStack<S> {
    /// Shares a stack whose layers are always ready.
    pub fn new(stack: S) -> Self {
        Self(Arc::new(Mutex::new(stack)))
    }

    /// Puts another stack in its place, for the requests from now on, and returns the one that was there.
    pub fn replace(&self, stack: S) -> S {
        mem::replace(&mut *self.lock(), stack)
    }

    /// Whether there are other clones.
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
