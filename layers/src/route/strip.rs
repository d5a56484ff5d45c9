use std::{
    cmp::Reverse,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, Uri, uri::PathAndQuery};
use tower::{Layer, Service};

use super::PathPrefix;
use crate::forwarded::{X_FORWARDED_PREFIX, joined_prefixes};

/// A layer that removes a prefix from the path of each request, and sends it as `X-Forwarded-Prefix`. With the prefix
/// `/api`, `/api/users?all` becomes `/users?all`, and `/api` becomes `/`.
///
/// Other paths are not changed. Both `/api` and `/api/` become `/`, so an [`ExactPath`](super::ExactPath) for one of them
/// does not protect what the backend serves at `/`.
///
/// If the request already has an `X-Forwarded-Prefix`, for example `/shop` from a proxy in front, the value becomes
/// `/shop/api`. To drop the header if a client sends it, put a [`DistrustLayer`](crate::forwarded::DistrustLayer) outside
/// this layer.
///
/// The remaining path can begin with `//`, which some backends read as the start of a host. A
/// [`RouteTable`](super::RouteTable) rejects such a path if it could mean another route, but only if the prefix that is
/// removed is that of the route.
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
///     .service_fn(async |request: Request<()>| Ok::<_, BoxError>(request));
/// let request = service.oneshot(Request::get("/api/users?all").body(())?).await?;
/// assert_eq!(request.uri(), "/users?all");
/// assert_eq!(request.headers()["x-forwarded-prefix"], "/api");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StripPrefixLayer {
    /// The longest prefix first.
    prefixes: Arc<[(PathPrefix, HeaderValue)]>,
}

impl StripPrefixLayer {
    /// Creates a layer that removes `prefix`.
    pub fn new(prefix: PathPrefix) -> Self {
        Self::any([prefix])
    }

    /// Creates a layer that removes the longest matching prefix.
    pub fn any(prefixes: impl IntoIterator<Item = PathPrefix>) -> Self {
        let removable = prefixes.into_iter().filter(|prefix| *prefix != PathPrefix::root());
        let mut prefixes: Vec<_> = removable
            .filter_map(|prefix| HeaderValue::from_str(prefix.as_key()).ok().map(|text| (prefix, text)))
            .collect();
        prefixes.sort_by_key(|(prefix, _)| Reverse(prefix.as_key().len()));
        Self { prefixes: prefixes.into() }
    }

    /// Returns the URI without the prefix, and the new `X-Forwarded-Prefix`. `None` if no prefix matches.
    pub fn strip<B>(&self, request: &Request<B>) -> Option<(Uri, HeaderValue)> {
        let (removed, _) = self.split(request.uri().path())?;
        Some((strip(removed.prefix, request.uri())?, removed.header(request.headers())?))
    }

    /// Splits a path into the prefix to remove and the rest. `None` if no prefix matches.
    pub(crate) fn split<'p>(&self, path: &'p str) -> Option<(Removed<'_>, &'p str)> {
        let mut matching = self.prefixes.iter().filter_map(|prefix| Some((prefix, prefix.0.strip(path)?)));
        let ((prefix, text), rest) = matching.next()?;
        Some((Removed { prefix, text }, rest))
    }
}

/// A prefix to remove.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Removed<'a> {
    prefix: &'a PathPrefix,
    text: &'a HeaderValue,
}

impl Removed<'_> {
    /// The new `X-Forwarded-Prefix` of a request with these headers.
    pub(crate) fn header(self, headers: &HeaderMap) -> Option<HeaderValue> {
        match headers.contains_key(X_FORWARDED_PREFIX) {
            true => joined_prefixes(headers, self.prefix.as_key()),
            false => Some(self.text.clone()),
        }
    }
}

impl<S> Layer<S> for StripPrefixLayer {
    type Service = StripPrefix<S>;

    fn layer(&self, inner: S) -> Self::Service {
        StripPrefix { inner, layer: self.clone() }
    }
}

/// The service of [`StripPrefixLayer`].
#[derive(Debug, Clone)]
pub struct StripPrefix<S> {
    inner: S,
    layer: StripPrefixLayer,
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
        if let Some((uri, prefix)) = self.layer.strip(&request) {
            *request.uri_mut() = uri;
            request.headers_mut().insert(X_FORWARDED_PREFIX, prefix);
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

    fn stripped(layer: &StripPrefixLayer, uri: &str, fields: &[&'static str]) -> Option<(String, String)> {
        let mut request = Request::get(uri).body(()).unwrap();
        for field in fields {
            request.headers_mut().append(X_FORWARDED_PREFIX, HeaderValue::from_static(field));
        }
        let (uri, prefix) = layer.strip(&request)?;
        Some((uri.to_string(), prefix.to_str().unwrap().to_owned()))
    }

    #[test]
    fn the_prefix_is_removed_and_the_query_kept() {
        let layer = StripPrefixLayer::new("/api".parse().unwrap());
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
            assert_eq!(stripped(&layer, uri, &[]), expected.map(|uri| (uri.into(), "/api".into())), "{uri}");
        }
    }

    #[test]
    fn the_longest_prefix_is_removed() {
        let layer = StripPrefixLayer::any(["/", "/a", "/a/b/c", "/a/b", "/d/"].map(|text| text.parse().unwrap()));
        for (uri, expected) in [
            ("/a/x", Some(("/x", "/a"))),
            ("/a/b/x", Some(("/x", "/a/b"))),
            ("/a/b/c", Some(("/", "/a/b/c"))),
            ("/a/bc", Some(("/bc", "/a"))),
            ("/d/a", Some(("/a", "/d"))),
            ("/x", None),
        ] {
            let expected = expected.map(|(uri, prefix)| (uri.to_owned(), prefix.to_owned()));
            assert_eq!(stripped(&layer, uri, &[]), expected, "{uri}");
        }
        assert_eq!(stripped(&StripPrefixLayer::new(PathPrefix::root()), "/x", &["/a"]), None);
    }

    #[test]
    fn the_prefix_of_a_proxy_in_front_comes_first() {
        let layer = StripPrefixLayer::new("/api".parse().unwrap());
        for (fields, expected) in [
            (&["/shop"][..], "/shop/api"),
            (&["/shop/"], "/shop/api"),
            (&["/one", "/two"], "/one/two/api"),
            (&["/"], "/api"),
            (&["//evil.test"], "/api"),
        ] {
            assert_eq!(stripped(&layer, "/api/x", fields), Some(("/x".into(), expected.into())), "{fields:?}");
        }
    }
}
