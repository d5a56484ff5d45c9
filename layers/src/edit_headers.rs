//! Sets, adds and removes headers of requests and responses.
//!
//! ```
//! use http::{HeaderName, HeaderValue, Request, Response};
//! use pmesh_layers::edit_headers::{EditResponseHeadersLayer, HeaderEdits};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let edits = HeaderEdits::new()
//!     .set(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"))
//!     .remove(HeaderName::from_static("server"));
//! let service = ServiceBuilder::new()
//!     .layer(EditResponseHeadersLayer::new(edits))
//!     .service_fn(async |_: Request<()>| Response::builder().header("server", "nginx").body(()));
//! let response = service.oneshot(Request::new(())).await?;
//! assert_eq!(response.headers()["x-frame-options"], "DENY");
//! assert!(!response.headers().contains_key("server"));
//! # Ok(())
//! # }
//! ```
//!
//! For a single header that is known at compile time, tower-http's `set_header` does the same.

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{HeaderMap, HeaderName, HeaderValue, Request, Response};
use pin_project_lite::pin_project;
use tower::{Layer, Service};

/// Changes to headers, made in the order in which they were added. Clones share them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeaderEdits(Arc<Vec<(HeaderName, Edit)>>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Edit {
    Set(HeaderValue),
    Add(HeaderValue),
    Default(HeaderValue),
    Remove,
}

impl HeaderEdits {
    /// No changes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Replaces all values of a header.
    #[must_use]
    pub fn set(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(name, Edit::Set(value))
    }

    /// Adds a value after the existing ones.
    #[must_use]
    pub fn add(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(name, Edit::Add(value))
    }

    /// Sets a header that is missing.
    #[must_use]
    pub fn set_default(self, name: HeaderName, value: HeaderValue) -> Self {
        self.edit(name, Edit::Default(value))
    }

    /// Removes all values of a header.
    #[must_use]
    pub fn remove(self, name: HeaderName) -> Self {
        self.edit(name, Edit::Remove)
    }

    fn edit(mut self, name: HeaderName, edit: Edit) -> Self {
        Arc::make_mut(&mut self.0).push((name, edit));
        self
    }

    /// Whether there are no changes.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The names of the headers that are changed, in order, with duplicates.
    pub fn names(&self) -> impl Iterator<Item = &HeaderName> {
        self.0.iter().map(|(name, _)| name)
    }

    /// Makes the changes.
    pub fn apply(&self, headers: &mut HeaderMap) {
        for (name, edit) in self.0.iter() {
            match edit {
                Edit::Set(value) => drop(headers.insert(name, value.clone())),
                Edit::Add(value) => drop(headers.append(name, value.clone())),
                Edit::Default(value) => drop(headers.entry(name).or_insert_with(|| value.clone())),
                Edit::Remove => while headers.remove(name).is_some() {},
            }
        }
    }

    /// Removes headers that differ from a set or removed one only in `_` and `-`.
    fn remove_lookalikes(&self, headers: &mut HeaderMap) {
        let is_replaced = |edit: &Edit| matches!(edit, Edit::Set(_) | Edit::Remove);
        let is_lookalike =
            |header: &HeaderName| self.0.iter().any(|(name, edit)| is_replaced(edit) && look_alike(name, header));
        let lookalikes: Vec<HeaderName> = headers.keys().filter(|header| is_lookalike(header)).cloned().collect();
        for name in lookalikes {
            headers.remove(name);
        }
    }
}

/// Whether two different names become the same variable of CGI.
fn look_alike(a: &HeaderName, b: &HeaderName) -> bool {
    let (a, b) = (a.as_str().as_bytes(), b.as_str().as_bytes());
    let folded = |byte: u8| if byte == b'_' { b'-' } else { byte };
    a != b && a.len() == b.len() && a.iter().zip(b).all(|(a, b)| folded(*a) == folded(*b))
}

/// Edits the headers of requests.
///
/// Backends that follow CGI (PHP, WSGI) cannot tell `X-User` and `X_User` apart. So if a header is set or removed, the
/// client's headers that differ from it only in this are removed, too.
#[derive(Debug, Clone)]
pub struct EditRequestHeadersLayer {
    edits: HeaderEdits,
}

impl EditRequestHeadersLayer {
    /// Creates a layer that makes these changes to each request.
    pub fn new(edits: HeaderEdits) -> Self {
        Self { edits }
    }
}

impl<S> Layer<S> for EditRequestHeadersLayer {
    type Service = EditRequestHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EditRequestHeaders { inner, edits: self.edits.clone() }
    }
}

/// The service of [`EditRequestHeadersLayer`].
#[derive(Debug, Clone)]
pub struct EditRequestHeaders<S> {
    inner: S,
    edits: HeaderEdits,
}

impl<S> EditRequestHeaders<S> {
    inner_accessors!();
}

impl<S: Service<Request<B>>, B> Service<Request<B>> for EditRequestHeaders<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        self.edits.remove_lookalikes(request.headers_mut());
        self.edits.apply(request.headers_mut());
        self.inner.call(request)
    }
}

/// Edits the headers of responses. Errors of the inner service pass unchanged: to edit the responses to them too, put this
/// layer outside the [`RespondLayer`](crate::respond::RespondLayer) that creates them.
#[derive(Debug, Clone)]
pub struct EditResponseHeadersLayer {
    edits: HeaderEdits,
}

impl EditResponseHeadersLayer {
    /// Creates a layer that makes these changes to each response.
    pub fn new(edits: HeaderEdits) -> Self {
        Self { edits }
    }
}

impl<S> Layer<S> for EditResponseHeadersLayer {
    type Service = EditResponseHeaders<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EditResponseHeaders { inner, edits: self.edits.clone() }
    }
}

/// The service of [`EditResponseHeadersLayer`].
#[derive(Debug, Clone)]
pub struct EditResponseHeaders<S> {
    inner: S,
    edits: HeaderEdits,
}

impl<S> EditResponseHeaders<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for EditResponseHeaders<S>
where
    S: Service<Request<B>, Response = Response<R>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        ResponseFuture { response: self.inner.call(request), edits: self.edits.clone() }
    }
}

pin_project! {
    /// The response future of [`EditResponseHeaders`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: F,
        edits: HeaderEdits,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
{
    type Output = F::Output;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx))?;
        this.edits.apply(response.headers_mut());
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use tower::{BoxError, ServiceBuilder, ServiceExt};

    use super::*;

    fn name(name: &'static str) -> HeaderName {
        HeaderName::from_static(name)
    }

    fn value(value: &'static str) -> HeaderValue {
        HeaderValue::from_static(value)
    }

    fn edits() -> HeaderEdits {
        HeaderEdits::new()
            .set(name("set"), value("new"))
            .add(name("add"), value("new"))
            .set_default(name("default"), value("new"))
            .remove(name("remove"))
    }

    fn all<'a>(headers: &'a HeaderMap, name: &str) -> Vec<&'a str> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn edits_apply_to_every_value_of_a_header() {
        let mut headers = HeaderMap::new();
        edits().apply(&mut headers);
        for (name, expected) in [("set", &["new"][..]), ("add", &["new"]), ("default", &["new"]), ("remove", &[])] {
            assert_eq!(all(&headers, name), expected, "{name}");
        }
        let mut headers = HeaderMap::new();
        for name in ["set", "add", "default", "remove", "other"] {
            headers.append(name, value("a"));
            headers.append(name, value("b"));
        }
        edits().apply(&mut headers);
        for (name, expected) in [
            ("set", &["new"][..]),
            ("add", &["a", "b", "new"]),
            ("default", &["a", "b"]),
            ("remove", &[]),
            ("other", &["a", "b"]),
        ] {
            assert_eq!(all(&headers, name), expected, "{name}");
        }
    }

    #[tokio::test]
    async fn requests_are_edited_before_and_responses_after_the_inner_service() {
        let service = ServiceBuilder::new()
            .layer(EditResponseHeadersLayer::new(HeaderEdits::new().remove(name("set"))))
            .layer(EditRequestHeadersLayer::new(edits()))
            .service_fn(async |request: Request<()>| {
                let mut response = Response::new(());
                *response.headers_mut() = request.headers().clone();
                Ok::<_, BoxError>(response)
            });
        let response = service.oneshot(Request::new(())).await.unwrap();
        assert_eq!(all(response.headers(), "add"), ["new"]);
        assert!(!response.headers().contains_key("set"));
    }

    #[tokio::test]
    async fn names_that_cgi_confuses_with_a_set_or_removed_header_are_removed_from_requests() {
        let edits = HeaderEdits::new()
            .remove(name("x-user-id"))
            .set(name("x_team"), value("new"))
            .add(name("x-tag"), value("new"))
            .set_default(name("x-other"), value("new"));
        let service = ServiceBuilder::new()
            .layer(EditRequestHeadersLayer::new(edits))
            .service_fn(async |request: Request<()>| Ok::<_, BoxError>(Response::new(request.headers().clone())));
        let mut request = Request::builder();
        for name in ["x_user_id", "x-user_id", "x-user-id", "x-team", "x_team", "x_tag", "x_other", "x_users_id"] {
            request = request.header(name, "of the client").header(name, "again");
        }
        let response = service.oneshot(request.body(()).unwrap()).await.unwrap();
        let mut names: Vec<_> = response.body().keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["x-other", "x-tag", "x_other", "x_tag", "x_team", "x_users_id"]);
        assert_eq!(all(response.body(), "x_team"), ["new"]);
    }
}
