//! The service of a route: a proxy, or an answer of its own, with the middleware of the route.

use std::task::{Context, Poll};

use ::http::{Request, Response};
use futures_util::future::{BoxFuture, Either};
use pmesh_layers::{
    body::{RequestBody, ResponseBody},
    files::Files,
    fixed_response::{FixedResponse, InvalidStatus, Silence},
    mirror::MirrorLayer,
    redirect::{NotARedirect, Redirect},
};
use tower::{BoxError, Layer, Service, util::MapErr};

use crate::{
    middleware::{self, Answer, Inner, Layered, Shared},
    settings::{self, ForwardAuth, Redirection, Respond, Route},
};

/// Answers the requests of a route. A route that only proxies needs no box.
#[derive(Debug, Clone)]
pub enum RouteService<P> {
    /// Sent to an endpoint.
    Proxy(P),
    /// Anything else, in one box.
    Layered(Layered),
}

impl<P: Inner> RouteService<P> {
    /// Sends requests to `proxy` and copies to `mirror`, through the middleware of the
    /// route, unless a file of the route answers them.
    pub fn proxy<A: Inner>(
        proxy: P,
        route: &Route,
        https_port: Option<u16>,
        shared: &Shared,
        server: impl FnOnce(&ForwardAuth) -> A,
        mirror: Option<&MirrorLayer<Layered>>,
    ) -> Self {
        if let settings::Answer::Files(settings, _) = &route.answer {
            let files = files(settings);
            return Self::Layered(match mirror {
                Some(mirror) => {
                    middleware::around(files.fallback(mirror.layer(proxy)), route, https_port, shared, server)
                }
                None => middleware::around(files.fallback(proxy), route, https_port, shared, server),
            });
        }
        if middleware::is_bare(route) {
            return Self::Proxy(proxy);
        }
        Self::Layered(match mirror {
            Some(mirror) => middleware::around(mirror.layer(proxy), route, https_port, shared, server),
            None => middleware::around(proxy, route, https_port, shared, server),
        })
    }

    /// Answers with files.
    pub fn files<A: Inner>(
        settings: &settings::Files,
        route: &Route,
        https_port: Option<u16>,
        shared: &Shared,
        server: impl FnOnce(&ForwardAuth) -> A,
    ) -> Self {
        Self::Layered(middleware::around(files(settings), route, https_port, shared, server))
    }

    /// Redirects straight to the target, even if the route redirects to https.
    ///
    /// # Errors
    ///
    /// Never for validated settings.
    pub fn redirect<A: Inner>(
        redirection: &Redirection,
        route: &Route,
        shared: &Shared,
        server: impl FnOnce(&ForwardAuth) -> A,
    ) -> Result<Self, NotARedirect> {
        let redirect = Redirect::new(redirection.to.clone()).status(redirection.status)?;
        let redirect = route.prefixes().cloned().fold(redirect, Redirect::prefix);
        let redirect = route.path_regex().cloned().into_iter().fold(redirect, Redirect::regex);
        Ok(Self::Layered(middleware::around_redirect(boxed(redirect), route, shared, server)))
    }

    /// Answers with a fixed response, or with silence.
    ///
    /// # Errors
    ///
    /// Never for validated settings.
    pub fn respond<A: Inner>(
        respond: &Respond,
        route: &Route,
        https_port: Option<u16>,
        shared: &Shared,
        server: impl FnOnce(&ForwardAuth) -> A,
    ) -> Result<Self, InvalidStatus> {
        Ok(Self::Layered(match respond {
            Respond::Silence => Layered::new(boxed(Silence::new())),
            Respond::Fixed { status, body, content_type } => {
                let response = match (body, route.middleware.error_pages.get(status)) {
                    (Some(body), _) => {
                        FixedResponse::new(*status)?.content_type(content_type.clone()).body(body.clone())
                    }
                    (None, Some(page)) => page.response(*status)?,
                    (None, None) => FixedResponse::new(*status)?.content_type(content_type.clone()),
                };
                middleware::around(boxed(response), route, https_port, shared, server)
            }
        }))
    }
}

fn files(settings::Files { root, index, spa }: &settings::Files) -> Files {
    Files::new(root).index(index).spa(*spa)
}

/// The service with boxed errors, as middleware needs it.
fn boxed<S, E: Into<BoxError>>(service: S) -> MapErr<S, fn(E) -> BoxError> {
    MapErr::new(service, Into::into)
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
            Self::Layered(layered) => Either::Right(layered.call(request)),
        }
    }
}
