use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, header::HOST};
use tower::{BoxError, Layer, Service};

use super::{
    HostName, HostRejected, ServedHosts,
    authority::{Authority, authority},
};
use crate::{conn::ConnInfo, future::ResponseFuture, host_name::Scratch};

/// Lets through only requests that name exactly one well-formed, served host.
///
/// The name is the authority of an absolute-form target or `:authority` if there is one, otherwise the `Host` header. A
/// request that passes has a [`HostName`] in its extensions, and a `Host` that agrees with the target (RFC 9112,
/// 3.2.2), without a trailing colon (RFC 3986, 6.2.3). All others fail with [`HostRejected`].
///
/// Outer layers or the server decide what happens then. [`HttpServer`](crate::serve::HttpServer) turns the error into
/// silence, or into 400 if the request is malformed and its connection has named a served host before. A
/// [`RespondLayer`](crate::respond::RespondLayer) outside this layer turns it into a response. Servers such as
/// `axum::serve` have to respond to each request, so use one there:
/// `router.layer((RespondLayer::new(), HostLayer::new(hosts)))`. If the compiler says that
/// `Infallible: From<Box<dyn Error + …>>` is missing, the `RespondLayer` is missing, or inside this layer.
///
/// An axum router applies a layer only to its fallback and to the routes that it has when `layer` is called. Call
/// `layer` last: routes that are added later are open to all hosts.
#[derive(Debug)]
pub struct HostLayer<H> {
    hosts: Arc<H>,
}

impl<H> Clone for HostLayer<H> {
    fn clone(&self) -> Self {
        Self { hosts: Arc::clone(&self.hosts) }
    }
}

impl<H: ServedHosts> HostLayer<H> {
    /// Creates a layer that serves only `hosts`.
    pub fn new(hosts: H) -> Self {
        Self { hosts: Arc::new(hosts) }
    }
}

impl<S, H> Layer<S> for HostLayer<H> {
    type Service = Host<S, H>;

    fn layer(&self, inner: S) -> Self::Service {
        Host { inner, hosts: Arc::clone(&self.hosts) }
    }
}

/// The service of [`HostLayer`].
#[derive(Debug)]
pub struct Host<S, H> {
    inner: S,
    hosts: Arc<H>,
}

impl<S, H> Host<S, H> {
    inner_accessors!();
}

impl<S: Clone, H> Clone for Host<S, H> {
    fn clone(&self) -> Self {
        Self { inner: self.inner.clone(), hosts: Arc::clone(&self.hosts) }
    }
}

impl<S, H, B> Service<Request<B>> for Host<S, H>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
    H: ServedHosts,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match admit(&*self.hosts, &mut request) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(rejected) => {
                log_rejection(&request, rejected);
                ResponseFuture::error(rejected)
            }
        }
    }
}

/// Logs why a client got silence or 400. Requests from other nodes are always answered.
fn log_rejection<B>(request: &Request<B>, rejected: HostRejected) {
    let Some(info) = request.extensions().get::<ConnInfo>().filter(|info| !info.is_from_node()) else { return };
    let host = || HostName::from_authority(authority(request).ok()?.as_bytes()).ok();
    let answer = if rejected.is_malformed() && info.control().is_open() { "400" } else { "silence" };
    tracing::debug!(
        peer = %info.peer(),
        listener = info.scheme().as_str(),
        reason = rejected.reason(),
        host = host().map(tracing::field::display),
        "{answer}"
    );
}

fn admit<H: ServedHosts, B>(hosts: &H, request: &mut Request<B>) -> Result<(), HostRejected> {
    let authority = authority(request)?;
    let mut scratch = Scratch::new();
    let name = scratch.canonical(authority.as_bytes())?;
    let name = hosts.served(name).ok_or(HostRejected::NotServed)?;
    let text = authority.as_bytes();
    let without_port = text.strip_suffix(b":");
    if without_port.is_some() || matches!(authority, Authority::Target(_)) {
        let host = HeaderValue::from_bytes(without_port.unwrap_or(text)).map_err(|_| HostRejected::NoHost)?;
        request.headers_mut().insert(HOST, host);
    }
    request.extensions_mut().insert(name);
    Ok(())
}
