//! The way of a request, from the client's connection to the upstream: the whole program in one chain.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
};

use http::{HeaderName, Request, Response};
use pmesh_layers::{
    body::RequestBody,
    extended_connect::ExtendedConnectLayer,
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostRejected, HostSet},
    route::Router,
    silence::OpenGateLayer,
    sni::SniMatchLayer,
    trailers::TrailersLayer,
    tunnel::TunnelLayer,
};
use tower::{BoxError, Service, ServiceBuilder};
use tower_http::request_id::SetRequestIdLayer;

use crate::{
    http::{
        access_log::{AccessLogLayer, LoggedBody},
        body::ResponseBody,
        request_id::RequestIds,
        respond::RespondLayer,
        via,
    },
    mesh::{Api, NodesLayer, PassedLayer},
    server::worker::Shared,
    telemetry::counters::Counters,
    upstream,
};

/// The stack of the worker with this number, with connection pools of its own: for clients, and for other nodes, whose
/// requests bring a [`ConnInfo`](pmesh_layers::conn::ConnInfo) that names the node.
///
/// # Errors
///
/// See [`upstream::routes`].
pub fn stack(
    worker: usize,
    shared: &Shared,
    api: Api,
    counters: Arc<Counters>,
) -> Result<
    impl Service<Request<RequestBody>, Response = Response<LoggedBody<ResponseBody>>, Error = BoxError, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
    + use<>,
    BoxError,
> {
    let settings = &shared.settings;
    let hosts = HostSet::new(settings.routes.iter().flat_map(|route| route.patterns.iter().cloned()));
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
                    rejected.reject("other");
                    tracing::debug!(reason = "other", %error, "silence");
                }
            }
            error
        })
        // Other nodes are answered in any case, and may ask for the node itself.
        .layer(NodesLayer::new(api))
        // The client must name a served host ...
        .layer(HostLayer::new(hosts))
        // ... and then it may be answered.
        .layer(OpenGateLayer::new())
        .map_request(move |request| {
            counters.requests.add();
            request
        })
        // What a client says of itself goes before anything is said of it.
        .layer(DistrustLayer::new(trusted.clone()))
        .layer(SetRequestIdLayer::new(request_id.clone(), RequestIds::new()))
        .layer(AccessLogLayer::new(settings.access_log))
        // All errors from further in become responses.
        .layer(RespondLayer)
        // Nothing that a head must say is said behind a body.
        .layer(TrailersLayer::new())
        // Over TLS the host must be the one that the handshake was for: 421.
        .layer(SniMatchLayer::new())
        // An upgrade that is asked for over HTTP/2 is one like others from here on; without a tunnel: 501.
        .layer(ExtendedConnectLayer::new())
        // One reading, or 400.
        .layer(FramingLayer::new())
        // Fields of the client's hop go, then those of ours come.
        .layer(HopByHopLayer::new().protect(request_id))
        .layer(ForwardedLayer::new(trusted))
        // Through which nodes it has come is no client's word. One that has been here: 508.
        .layer(PassedLayer::new(settings.node.clone()))
        // One that has come through here again and again: 508.
        .layer(via::layer()?)
        // After the backend's 101, bytes flow beside the stack.
        .layer(TunnelLayer::new().timeout(settings.tunnel_timeout))
        // From here on in a future is large, and is moved by each of the layers around it.
        .map_future(Box::pin)
        // Host and path lead to a route (404), a route to its endpoints in turn (502, 504).
        .service(Router::new(upstream::routes(worker, shared)?)))
}

/// A stack whose clones are one: each connection has one, and most of them wait.
///
/// A worker has its own, so the lock is never waited for. All that is done in it is to call the layers, which takes less
/// than a clone of them.
#[derive(Debug)]
pub struct SharedStack<S>(Arc<Mutex<S>>);

impl<S> SharedStack<S> {
    /// Shares a stack whose layers are always ready.
    pub fn new(stack: S) -> Self {
        Self(Arc::new(Mutex::new(stack)))
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
