//! Sets `Strict-Transport-Security` (HSTS, RFC 6797), so that browsers use HTTPS only.
//!
//! ```
//! use std::time::Duration;
//! use http::{Request, Response};
//! use pmesh_layers::{conn::ConnInfo, hsts::HstsLayer};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let year = Duration::from_secs(365 * 24 * 60 * 60);
//! let service = ServiceBuilder::new()
//!     .layer(HstsLayer::new(year).include_subdomains())
//!     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
//!
//! let info = ConnInfo::tls(([192, 0, 2, 1], 40000).into(), "example.com".parse()?);
//! let response = service.oneshot(Request::get("/").extension(info).body(())?).await?;
//! assert_eq!(response.headers()["strict-transport-security"], "max-age=31536000; includeSubDomains");
//! # Ok(())
//! # }
//! ```

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use http::{HeaderValue, Request, Response, header::STRICT_TRANSPORT_SECURITY};
use pin_project_lite::pin_project;
use tower::{BoxError, Layer, Service};

use crate::{MissingExtension, client_scheme::client_scheme, conn::Scheme, future::ResponseFuture as Inner};

/// A layer that sets `Strict-Transport-Security` on responses to clients that use TLS, replacing one from the inner
/// service. It removes the header from all other responses (RFC 6797, 7.2).
///
/// Whether the client uses TLS is taken from `X-Forwarded-Proto`, or else from the connection. Put this layer inside a
/// [`ForwardedLayer`](crate::forwarded::ForwardedLayer), so that the header can be trusted. A request with neither the
/// header nor a [`ConnInfo`](crate::conn::ConnInfo) fails with [`MissingExtension`].
///
/// To set the header on error responses too, put this layer outside the [`RespondLayer`](crate::respond::RespondLayer)
/// that creates them.
#[derive(Debug, Clone, Copy)]
pub struct HstsLayer {
    max_age: Duration,
    include_subdomains: bool,
    preload: bool,
}

impl HstsLayer {
    /// Creates a layer. After each response, browsers use only HTTPS for `max_age`, which is rounded down to seconds. With
    /// 0, they forget the host.
    pub fn new(max_age: Duration) -> Self {
        Self { max_age, include_subdomains: false, preload: false }
    }

    /// Includes all subdomains, even those on other servers.
    #[must_use]
    pub fn include_subdomains(self) -> Self {
        Self { include_subdomains: true, ..self }
    }

    /// Allows browser vendors to add the domain to the list built into their browsers, which is hard to undo. They
    /// require a `max_age` of at least a year, and [`include_subdomains`](Self::include_subdomains).
    #[must_use]
    pub fn preload(self) -> Self {
        Self { preload: true, ..self }
    }

    fn value(self) -> HeaderValue {
        let subdomains = if self.include_subdomains { "; includeSubDomains" } else { "" };
        let preload = if self.preload { "; preload" } else { "" };
        let value = format!("max-age={}{subdomains}{preload}", self.max_age.as_secs());
        // Never fails: the value is ASCII.
        HeaderValue::try_from(value).unwrap_or(HeaderValue::from_static("max-age=0"))
    }
}

impl<S> Layer<S> for HstsLayer {
    type Service = Hsts<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Hsts { inner, value: self.value() }
    }
}

/// The service of [`HstsLayer`].
#[derive(Debug, Clone)]
pub struct Hsts<S> {
    inner: S,
    value: HeaderValue,
}

impl<S> Hsts<S> {
    inner_accessors!();
}

impl<S, B, R> Service<Request<B>> for Hsts<S>
where
    S: Service<Request<B>, Response = Response<R>>,
    S::Error: Into<BoxError>,
{
    type Response = Response<R>;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let Some(scheme) = client_scheme(&request) else {
            let error = MissingExtension::conn_info("HstsLayer");
            return ResponseFuture { response: Inner::error(error), value: None };
        };
        let value = (scheme == Scheme::Https).then(|| self.value.clone());
        ResponseFuture { response: Inner::inner(self.inner.call(request)), value }
    }
}

pin_project! {
    /// The response future of [`Hsts`].
    #[derive(Debug)]
    pub struct ResponseFuture<F> {
        #[pin]
        response: Inner<F>,
        value: Option<HeaderValue>,
    }
}

impl<F, R, E> Future for ResponseFuture<F>
where
    F: Future<Output = Result<Response<R>, E>>,
    E: Into<BoxError>,
{
    type Output = Result<Response<R>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response = ready!(this.response.poll(cx))?;
        match this.value.take() {
            Some(value) => drop(response.headers_mut().insert(STRICT_TRANSPORT_SECURITY, value)),
            None => drop(response.headers_mut().remove(STRICT_TRANSPORT_SECURITY)),
        }
        Poll::Ready(Ok(response))
    }
}

#[cfg(test)]
mod tests {
    use tower::{ServiceBuilder, ServiceExt};

    use super::*;
    use crate::{conn::ConnInfo, respond::RespondLayer, route::NoRoute};

    fn request(proto: &'static str) -> Request<()> {
        Request::get("/").header("x-forwarded-proto", proto).body(()).unwrap()
    }

    fn values(response: &Response<String>) -> Vec<&str> {
        let values = response.headers().get_all(STRICT_TRANSPORT_SECURITY).iter();
        values.map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn directives_are_written_in_full() {
        let layer = HstsLayer::new(Duration::from_millis(86_400_900));
        for (layer, expected) in [
            (layer, "max-age=86400"),
            (layer.include_subdomains(), "max-age=86400; includeSubDomains"),
            (layer.preload().include_subdomains(), "max-age=86400; includeSubDomains; preload"),
            (HstsLayer::new(Duration::ZERO), "max-age=0"),
            (HstsLayer::new(Duration::MAX), "max-age=18446744073709551615"),
        ] {
            assert_eq!(layer.value(), expected);
        }
    }

    #[tokio::test]
    async fn only_responses_over_tls_have_the_header() {
        let service =
            ServiceBuilder::new().layer(HstsLayer::new(Duration::from_secs(1))).service_fn(async |_: Request<()>| {
                let mut response = Response::new(String::new());
                for value in ["max-age=2", "max-age=3"] {
                    response.headers_mut().append(STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(value));
                }
                Ok::<_, BoxError>(response)
            });
        for (proto, expected) in [("https", &["max-age=1"][..]), ("wss", &["max-age=1"]), ("http", &[]), ("ws", &[])] {
            let response = service.clone().oneshot(request(proto)).await.unwrap();
            assert_eq!(values(&response), expected, "{proto}");
        }
        let info = ConnInfo::tls(([192, 0, 2, 1], 1).into(), "a.test".parse().unwrap());
        let response = service.clone().oneshot(Request::get("/").extension(info).body(()).unwrap()).await.unwrap();
        assert_eq!(values(&response), ["max-age=1"]);
        assert!(service.oneshot(Request::new(())).await.unwrap_err().is::<MissingExtension>());
    }

    #[tokio::test]
    async fn error_responses_of_an_inner_layer_have_the_header() {
        let service = ServiceBuilder::new()
            .layer(HstsLayer::new(Duration::from_secs(1)))
            .layer(RespondLayer::new())
            .service_fn(async |_: Request<()>| Err::<Response<String>, _>(NoRoute::NotFound));
        let response = service.oneshot(request("https")).await.unwrap();
        assert_eq!((response.status().as_u16(), values(&response)), (404, vec!["max-age=1"]));
    }
}
