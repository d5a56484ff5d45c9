//! Redirects clients from HTTP to HTTPS.
//!
//! ```
//! use http::{Request, Response, StatusCode};
//! use pmesh_layers::{conn::ConnInfo, https_redirect::HttpsRedirectLayer};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(HttpsRedirectLayer::new())
//!     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new("hello")));
//!
//! let peer = ([192, 0, 2, 1], 40000).into();
//! let request = |info| Request::get("/a?b").header("host", "example.com:8080").extension(info).body(());
//! let response = service.clone().oneshot(request(ConnInfo::plain(peer))?).await?;
//! assert_eq!(response.status(), StatusCode::PERMANENT_REDIRECT);
//! assert_eq!(response.headers()["location"], "https://example.com/a?b");
//!
//! let response = service.oneshot(request(ConnInfo::tls(peer, "example.com".parse()?))?).await?;
//! assert_eq!(*response.body(), "hello");
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderValue, Request, Response, StatusCode};
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use crate::{
    MissingExtension,
    client_scheme::client_scheme,
    conn::Scheme,
    future::ResponseFuture as Inner,
    host,
    redirect::{RedirectTarget, Sources, location, response},
};

/// A layer that answers requests without TLS with a 308 to the same host, path and query with `https`.
///
/// Whether a request used TLS is taken from `X-Forwarded-Proto`, or else from the connection. Put this layer inside a
/// [`ForwardedLayer`](crate::forwarded::ForwardedLayer), which makes the header trustworthy: it is set from the connection,
/// or comes from a trusted proxy that terminates TLS, whose clients must not be redirected again. Without that layer, any
/// client can set the header and get responses that are meant for HTTPS. A request with neither the header nor a
/// [`ConnInfo`](crate::conn::ConnInfo) fails with [`MissingExtension`], and one without a valid host with
/// [`HostRejected`](crate::host::HostRejected).
///
/// Services that must be reachable without TLS, such as ACME challenges, belong outside this layer.
#[derive(Debug, Clone)]
pub struct HttpsRedirectLayer {
    target: Arc<RedirectTarget>,
}

impl HttpsRedirectLayer {
    /// Creates a layer that redirects to port 443.
    pub fn new() -> Self {
        Self { target: Arc::new(RedirectTarget::https(None)) }
    }

    /// Sets the port to redirect to; 443 by default. Any other port is written into the URL.
    #[must_use]
    pub fn port(self, port: u16) -> Self {
        Self { target: Arc::new(RedirectTarget::https((port != 443).then_some(port))) }
    }
}

impl Default for HttpsRedirectLayer {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layer<S> for HttpsRedirectLayer {
    type Service = HttpsRedirect<S>;

    fn layer(&self, inner: S) -> Self::Service {
        HttpsRedirect { inner, target: Arc::clone(&self.target) }
    }
}

/// The service of [`HttpsRedirectLayer`].
#[derive(Debug, Clone)]
pub struct HttpsRedirect<S> {
    inner: S,
    target: Arc<RedirectTarget>,
}

impl<S> HttpsRedirect<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for HttpsRedirect<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
    R: Default,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let future = match client_scheme(&request) {
            Some(Scheme::Https) => Inner::inner(self.inner.call(request)),
            Some(Scheme::Http) => match host::host_name(&request) {
                Ok(_) => return ResponseFuture::redirected(location(&self.target, &request, &Sources::default())),
                Err(rejected) => Inner::error(rejected),
            },
            None => Inner::error(MissingExtension::conn_info("HttpsRedirectLayer")),
        };
        ResponseFuture { kind: Kind::Inner { future } }
    }
}

pin_project! {
    /// The response future of [`HttpsRedirect`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        kind: Kind<F>,
    }
}

pin_project! {
    #[project = KindProj]
    #[derive(Debug)]
    enum Kind<F> {
        Inner { #[pin] future: Inner<F> },
        Redirected { location: Option<HeaderValue> },
    }
}

impl<F> ResponseFuture<F> {
    fn redirected(location: Option<HeaderValue>) -> Self {
        Self { kind: Kind::Redirected { location } }
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
    R: Default,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        match self.project().kind.project() {
            KindProj::Inner { future } => future.poll(cx),
            KindProj::Redirected { location } => {
                Poll::Ready(Ok(response(location.take(), StatusCode::PERMANENT_REDIRECT)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use http::{
        HeaderMap, Method, Version,
        header::{HOST, LOCATION},
    };
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;
    use crate::{
        conn::ConnInfo,
        forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
        host::HostRejected,
    };

    fn plain() -> ConnInfo {
        ConnInfo::plain(([192, 0, 2, 1], 1).into())
    }

    fn tls() -> ConnInfo {
        ConnInfo::tls(([192, 0, 2, 1], 1).into(), "a.test".parse().unwrap())
    }

    /// Returns the status and the location.
    async fn answered(layer: HttpsRedirectLayer, request: Request<()>) -> Result<(u16, String), BoxError> {
        let inner = async |_: Request<()>| Ok::<_, BoxError>(Response::new(()));
        let response = ServiceBuilder::new().layer(layer).service_fn(inner).oneshot(request).await?;
        let location = response.headers().get(LOCATION).map_or("", |location| location.to_str().unwrap());
        Ok((response.status().as_u16(), location.to_owned()))
    }

    #[tokio::test]
    async fn a_request_without_tls_is_redirected_to_the_same_url_with_https() {
        let layer = HttpsRedirectLayer::new;
        for (layer, method, uri, expected) in [
            (layer(), Method::GET, "/", "https://a.test/"),
            (layer(), Method::POST, "/x//%2f?b=%26", "https://a.test/x//%2f?b=%26"),
            (layer(), Method::OPTIONS, "*", "https://a.test/"),
            (layer(), Method::GET, "http://a.test:80/x", "https://a.test/x"),
            (layer(), Method::GET, "//evil.test/..", "https://a.test//evil.test/.."),
            (layer().port(443), Method::GET, "/x", "https://a.test/x"),
            (layer().port(8443), Method::GET, "/x", "https://a.test:8443/x"),
        ] {
            let request = Request::builder().method(method).uri(uri).header(HOST, "A.test:8080").extension(plain());
            let answer = answered(layer, request.body(()).unwrap()).await.unwrap();
            assert_eq!(answer, (308, expected.to_owned()), "{uri}");
        }
        let http2 = Request::get("http://a.test/x").version(Version::HTTP_2).extension(plain()).body(()).unwrap();
        assert_eq!(answered(layer(), http2).await.unwrap().1, "https://a.test/x");
    }

    #[tokio::test]
    async fn a_request_over_tls_is_passed_on() {
        for (info, proto, redirected) in [
            (tls(), None, false),
            (plain(), Some("https"), false),
            (plain(), Some("wss"), false),
            (plain(), Some("http"), true),
            (plain(), Some("ws"), true),
            // TLS from the proxy in front, but not from the client to that proxy.
            (tls(), Some("http"), true),
        ] {
            let mut request = Request::get("/").header(HOST, "a.test").extension(info).body(()).unwrap();
            if let Some(proto) = proto {
                request.headers_mut().insert("x-forwarded-proto", HeaderValue::from_static(proto));
            }
            let (status, _) = answered(HttpsRedirectLayer::new(), request).await.unwrap();
            assert_eq!(status == 308, redirected, "{proto:?}");
        }
    }

    #[tokio::test]
    async fn only_a_trusted_proxy_can_set_the_scheme() {
        for (peer, redirected) in [([10, 0, 0, 1], false), ([192, 0, 2, 1], true)] {
            let trusted = TrustedProxies::new(["10.0.0.0/8".parse().unwrap()]);
            let service = ServiceBuilder::new()
                .layer(DistrustLayer::new(trusted.clone()))
                .layer(ForwardedLayer::new(trusted))
                .layer(HttpsRedirectLayer::new())
                .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
            let headers = [("host", "a.test"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "198.51.100.1")];
            let mut request = Request::get("/").extension(ConnInfo::plain((peer, 1).into())).body(()).unwrap();
            *request.headers_mut() = headers
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .into_iter()
                .collect::<HeaderMap>();
            let status = service.oneshot(request).await.unwrap().status();
            assert_eq!(status == StatusCode::PERMANENT_REDIRECT, redirected, "{peer:?}");
        }
    }

    #[tokio::test]
    async fn it_fails_without_a_scheme_or_a_host() {
        let error = answered(HttpsRedirectLayer::new(), Request::new(())).await.unwrap_err();
        assert!(error.is::<MissingExtension>());
        let request = Request::get("/").extension(plain()).body(()).unwrap();
        let error = answered(HttpsRedirectLayer::new(), request).await.unwrap_err();
        assert!(error.is::<HostRejected>());
    }
}
