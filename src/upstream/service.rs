//! The service of a route: a proxy or an answer of its own, wrapped in the layers of the route.

use std::{
    fmt,
    sync::Arc,
    task::{Context, Poll},
};

use ::http::{Request, Response};
use futures_util::{
    FutureExt, TryFutureExt,
    future::{BoxFuture, Either},
};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    fixed_response::{FixedResponse, InvalidStatus, Silence},
    hsts::HstsLayer,
    https_redirect::HttpsRedirectLayer,
    redirect::{NotARedirect, Redirect},
};
use tower::{BoxError, Layer, Service, ServiceBuilder, ServiceExt};

use crate::{
    respond::answer_errors,
    settings::{Hsts, Redirection, Respond, Route},
};

/// Handles the requests of a route. Routes that only proxy are not boxed.
#[derive(Debug, Clone)]
pub enum RouteService<P> {
    /// Sends requests to an endpoint.
    Proxy(P),
    /// Anything else, boxed.
    Layered(Layered),
}

/// A boxed service. Each call boxes its future.
#[derive(Clone)]
pub struct Layered(Arc<Call>);

type Call = dyn Fn(Request<RequestBody>) -> BoxFuture<'static, Answer> + Send + Sync;
type Answer = Result<Response<ResponseBody>, BoxError>;

/// A service that can be wrapped in the layers of a route.
pub trait Inner:
    Service<Request<RequestBody>, Response = Response<ResponseBody>, Error: Into<BoxError>, Future: Send>
    + Clone
    + Send
    + Sync
    + 'static
{
}

impl<S> Inner for S where
    S: Service<Request<RequestBody>, Response = Response<ResponseBody>, Error: Into<BoxError>, Future: Send>
        + Clone
        + Send
        + Sync
        + 'static
{
}

impl<P: Inner> RouteService<P> {
    /// Sends requests to `proxy`, through the layers of the route.
    pub fn proxy(proxy: P, route: &Route, https_port: Option<u16>) -> Self {
        if route.hsts.is_none() && !route.redirect_https {
            return Self::Proxy(proxy);
        }
        Self::Layered(Layered::around(proxy, route, https_port))
    }

    /// Redirects straight to the target, even if the route redirects to https.
    ///
    /// # Errors
    ///
    /// Never for validated settings.
    pub fn redirect(redirection: &Redirection, route: &Route) -> Result<Self, NotARedirect> {
        let redirect = Redirect::new(redirection.to.clone()).status(redirection.status)?;
        let redirect = route.prefixes().cloned().fold(redirect, Redirect::prefix);
        let redirect = route.path_regex().cloned().into_iter().fold(redirect, Redirect::regex);
        Ok(Self::Layered(with_hsts(redirect, route.hsts)))
    }

    /// Answers with a fixed response, or with silence.
    ///
    /// # Errors
    ///
    /// Never for validated settings.
    pub fn respond(respond: &Respond, route: &Route, https_port: Option<u16>) -> Result<Self, InvalidStatus> {
        Ok(Self::Layered(match respond {
            Respond::Silence => Layered::new(Silence::new()),
            Respond::Fixed { status, body, content_type } => {
                let mut response = FixedResponse::new(*status)?.content_type(content_type.clone());
                if let Some(body) = body {
                    response = response.body(body.clone());
                }
                Layered::around(response, route, https_port)
            }
        }))
    }
}

impl Layered {
    /// Wraps a service in the layers of the route.
    fn around<S: Inner>(service: S, route: &Route, https_port: Option<u16>) -> Self {
        if !route.redirect_https {
            return with_hsts(service, route.hsts);
        }
        let to_https = https_port.into_iter().fold(HttpsRedirectLayer::new(), HttpsRedirectLayer::port);
        with_hsts(to_https.layer(service), route.hsts)
    }

    fn new<S: Inner>(service: S) -> Self {
        Self(Arc::new(move |request| service.clone().oneshot(request).map_err(Into::into).boxed()))
    }
}

/// Turns errors into responses here, so that they get the HSTS header as well.
fn with_hsts<S: Inner>(service: S, hsts: Option<Hsts>) -> Layered {
    let Some(Hsts { max_age, include_subdomains, preload }) = hsts else { return Layered::new(service) };
    let mut layer = HstsLayer::new(max_age);
    if include_subdomains {
        layer = layer.include_subdomains();
    }
    if preload {
        layer = layer.preload();
    }
    Layered::new(ServiceBuilder::new().layer(layer).layer(answer_errors()).service(service))
}

impl fmt::Debug for Layered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layered").finish_non_exhaustive()
    }
}

impl<P> Service<Request<RequestBody>> for RouteService<P>
where
    P: Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = BoxError>,
{
    type Response = Response<ResponseBody>;
    type Error = BoxError;
    type Future = Either<P::Future, BoxFuture<'static, Answer>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Proxy(proxy) => proxy.poll_ready(cx),
            Self::Layered(_) => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, request: Request<RequestBody>) -> Self::Future {
        match self {
            Self::Proxy(proxy) => Either::Left(proxy.call(request)),
            Self::Layered(layered) => Either::Right((layered.0)(request)),
        }
    }
}
