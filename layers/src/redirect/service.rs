use std::{
    convert::Infallible,
    fmt,
    future::{Ready, ready},
    marker::PhantomData,
    mem,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode, header::LOCATION};
use tower::Service;

use super::{
    NotARedirect, RedirectTarget,
    expand::expand,
    values::{Sources, Values},
};
use crate::route::PathPrefix;
#[cfg(feature = "regex")]
use crate::route::PathRegex;

/// A service that redirects each request to a [`RedirectTarget`], with 308 unless another [`status`](Self::status) is set.
///
/// The response has no body. It is a 400 if the target needs the host of the request and that is missing or invalid, or if
/// dot segments in the request would leave the path of the target. Clones are cheap.
pub struct Redirect<R> {
    settings: Arc<Settings>,
    response: PhantomData<fn() -> R>,
}

#[derive(Debug, Clone)]
struct Settings {
    target: RedirectTarget,
    status: StatusCode,
    /// How values are taken from the path.
    sources: Sources,
}

impl<R> Redirect<R> {
    /// Creates a service that redirects to `target` with 308, so that clients send the same method and body again.
    pub fn new(target: RedirectTarget) -> Self {
        let settings = Settings { target, status: StatusCode::PERMANENT_REDIRECT, sources: Sources::default() };
        Self { settings: Arc::new(settings), response: PhantomData }
    }

    /// Sets the status; 308 by default.
    ///
    /// With 307 and 308, clients repeat the request as it was. With 301 and 302, most turn a POST into a GET; with 303,
    /// all do. Browsers cache 301 and 308.
    ///
    /// # Errors
    ///
    /// [`NotARedirect`] for any other status.
    pub fn status(mut self, status: StatusCode) -> Result<Self, NotARedirect> {
        if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
            return Err(NotARedirect(status));
        }
        Arc::make_mut(&mut self.settings).status = status;
        Ok(self)
    }

    /// Adds a prefix, so that `{*}` stands for the rest of the path after it. If several match, the longest is used. If
    /// none matches, `{*}` is the whole path without its leading slash.
    #[must_use]
    pub fn prefix(mut self, prefix: PathPrefix) -> Self {
        let sources = &mut Arc::make_mut(&mut self.settings).sources;
        *sources = mem::take(sources).prefix(prefix);
        self
    }

    /// Sets the regex whose groups are `{1}`, `{2}` and so on. A group that is not part of the match is empty.
    #[cfg(feature = "regex")]
    #[must_use]
    pub fn regex(mut self, regex: PathRegex) -> Self {
        let sources = &mut Arc::make_mut(&mut self.settings).sources;
        *sources = mem::take(sources).regex(regex);
        self
    }
}

impl<R> Clone for Redirect<R> {
    fn clone(&self) -> Self {
        Self { settings: Arc::clone(&self.settings), response: PhantomData }
    }
}

impl<R> fmt::Debug for Redirect<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.settings.fmt(f)
    }
}

impl<R: Default, B> Service<Request<B>> for Redirect<R> {
    type Response = Response<R>;
    type Error = Infallible;
    type Future = Ready<Result<Response<R>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Settings { target, status, sources } = &*self.settings;
        ready(Ok(response(location(target, &request, sources), *status)))
    }
}

/// Returns the value of `Location`; `None` if the request has no host, or would leave the path of the target.
pub(crate) fn location<B>(target: &RedirectTarget, request: &Request<B>, sources: &Sources) -> Option<HeaderValue> {
    HeaderValue::try_from(expand(target, &Values::new(request, sources))?).ok()
}

/// Returns a redirect, or a 400 without a location.
pub(crate) fn response<R: Default>(location: Option<HeaderValue>, status: StatusCode) -> Response<R> {
    let mut response = Response::new(R::default());
    match location {
        Some(location) => {
            *response.status_mut() = status;
            response.headers_mut().insert(LOCATION, location);
        }
        None => *response.status_mut() = StatusCode::BAD_REQUEST,
    }
    response
}
