use std::task::{Context, Poll};

use http::{Request, Uri, uri::PathAndQuery};
use tower::{Layer, Service};

use super::PathPrefix;

/// Removes a prefix from the path of each request: with `/api`, `/api/users?all` becomes `/users?all`, and `/api`
/// becomes `/`.
///
/// Other paths stay as they are. The backend cannot tell `/api` from `/api/`: an [`ExactPath`](super::ExactPath) for one
/// of them does not keep it from the other.
///
/// The rest may begin with `//`, which some backends read as the start of a host. A [`RouteTable`](super::RouteTable)
/// rejects such a path if it could mean another route, provided that the removed prefix is the prefix of the route.
///
/// ```
/// use http::Request;
/// use pmesh_layers::route::StripPrefixLayer;
/// use tower::{BoxError, ServiceBuilder, ServiceExt};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(StripPrefixLayer::new("/api".parse()?))
///     .service_fn(async |request: Request<()>| Ok::<_, BoxError>(request.uri().to_string()));
/// assert_eq!(service.oneshot(Request::get("/api/users?all").body(())?).await?, "/users?all");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct StripPrefixLayer {
    prefix: PathPrefix,
}

impl StripPrefixLayer {
    /// Removes `prefix`.
    pub fn new(prefix: PathPrefix) -> Self {
        Self { prefix }
    }

    /// `uri` without the prefix; `None` where it begins otherwise.
    pub fn strip(&self, uri: &Uri) -> Option<Uri> {
        strip(&self.prefix, uri)
    }
}

impl<S> Layer<S> for StripPrefixLayer {
    type Service = StripPrefix<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StripPrefix { inner, prefix: self.prefix.clone() }
    }
}

/// The service of [`StripPrefixLayer`].
#[derive(Debug, Clone)]
pub struct StripPrefix<S> {
    inner: S,
    prefix: PathPrefix,
}

impl<S> StripPrefix<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for StripPrefix<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> S::Future {
        if let Some(stripped) = strip(&self.prefix, request.uri()) {
            *request.uri_mut() = stripped;
        }
        self.inner.call(request)
    }
}

fn strip(prefix: &PathPrefix, uri: &Uri) -> Option<Uri> {
    let path = prefix.strip(uri.path())?;
    let path_and_query: PathAndQuery = match uri.query() {
        Some(query) => format!("{path}?{query}").parse().ok()?,
        None => path.parse().ok()?,
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(path_and_query);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prefix_goes_and_the_query_stays() {
        let prefix: PathPrefix = "/api".parse().unwrap();
        for (uri, expected) in [
            ("/api/users?all=1", Some("/users?all=1")),
            ("/api", Some("/")),
            ("/api?x", Some("/?x")),
            ("/api//x", Some("//x")),
            ("/x/../api/users", None),
            ("/api/%61/.", Some("/%61/.")),
            ("http://h/api/users", Some("http://h/users")),
            ("/apis", None),
        ] {
            assert_eq!(strip(&prefix, &uri.parse().unwrap()), expected.map(|uri| uri.parse().unwrap()), "{uri}");
        }
    }
}
