//! Sets `Via` (RFC 9110, 7.6.3), and rejects requests that loop.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::via::ViaLayer;
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new().layer(ViaLayer::new("proxy-5e0a")?).service_fn(async |request: Request<()>| {
//!     assert_eq!(request.headers()["via"], "1.1 proxy-5e0a");
//!     Ok::<_, BoxError>(Response::new(()))
//! });
//! service.oneshot(Request::new(())).await?;
//! # Ok(())
//! # }
//! ```

use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::{HeaderMap, HeaderValue, Request, Version, header::VIA};
use tower::{BoxError, Layer, Service};

use crate::{future::ResponseFuture, hop_by_hop::tokens};

/// How often a request may have passed this proxy before. A service may well call another one through the same proxy
/// and pass `Via` on; a loop reaches this number at once.
const MAX_PASSES: usize = 4;

/// Adds an entry to the `Via` of each request. A request that has passed this proxy more than 4 times fails with
/// [`LoopDetected`].
///
/// Responses get none, which RFC 9110 leaves to the gateway. Put the layer inside
/// [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), so that no `Connection` header can remove the entry.
#[derive(Debug, Clone)]
pub struct ViaLayer {
    us: Arc<Us>,
}

#[derive(Debug)]
struct Us {
    pseudonym: Box<str>,
    /// As received in HTTP/1.0, 1.1 and 2.
    lines: [HeaderValue; 3],
}

impl ViaLayer {
    /// Creates a layer that calls this proxy `pseudonym`.
    ///
    /// No other proxy on the way may have the same pseudonym, or requests may be mistaken for loops, so make part of it
    /// random. It should not be a host name, as all backends see it.
    ///
    /// # Errors
    ///
    /// If it is not a token (RFC 9110, 5.6.2).
    pub fn new(pseudonym: &str) -> Result<Self, InvalidPseudonym> {
        let is_tchar = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
        if pseudonym.is_empty() || !pseudonym.bytes().all(is_tchar) {
            return Err(InvalidPseudonym);
        }
        let line =
            |version: &str| HeaderValue::from_str(&format!("{version} {pseudonym}")).map_err(|_| InvalidPseudonym);
        let lines = [line("1.0")?, line("1.1")?, line("2.0")?];
        Ok(Self { us: Arc::new(Us { pseudonym: pseudonym.into(), lines }) })
    }
}

impl<S> Layer<S> for ViaLayer {
    type Service = Via<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Via { inner, us: Arc::clone(&self.us) }
    }
}

/// The service of [`ViaLayer`].
#[derive(Debug, Clone)]
pub struct Via<S> {
    inner: S,
    us: Arc<Us>,
}

impl<S> Via<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for Via<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if self.us.passes(request.headers()) > MAX_PASSES {
            return ResponseFuture::error(LoopDetected);
        }
        let line = self.us.line(request.version());
        request.headers_mut().append(VIA, line);
        ResponseFuture::inner(self.inner.call(request))
    }
}

impl Us {
    fn line(&self, received: Version) -> HeaderValue {
        let [old, usual, http2] = &self.lines;
        match received {
            Version::HTTP_09 | Version::HTTP_10 => old,
            Version::HTTP_11 => usual,
            _ => http2,
        }
        .clone()
    }

    /// How often the request has passed this proxy.
    fn passes(&self, headers: &HeaderMap) -> usize {
        let by = |entry: &&[u8]| entry.split(|byte| *byte == b' ').nth(1) == Some(self.pseudonym.as_bytes());
        headers.get_all(VIA).iter().flat_map(tokens).filter(by).count()
    }
}

/// A request that has passed this proxy again and again, because its route leads back here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request goes in circles: its route leads back to this proxy")]
pub struct LoopDetected;

/// A pseudonym that `Via` cannot hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a pseudonym is a token of HTTP: letters, digits and a few signs")]
pub struct InvalidPseudonym;

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use tower::{ServiceExt, service_fn};

    async fn passed_on(request: Request<()>) -> Result<Vec<HeaderValue>, BoxError> {
        let inner = service_fn(async |request: Request<()>| {
            Ok::<_, BoxError>(Response::new(request.headers().get_all(VIA).iter().cloned().collect()))
        });
        Ok(ViaLayer::new("us-1").unwrap().layer(inner).oneshot(request).await?.into_body())
    }

    #[tokio::test]
    async fn a_line_is_added_behind_those_that_are_there() {
        for (version, expected) in
            [(Version::HTTP_10, "1.0 us-1"), (Version::HTTP_11, "1.1 us-1"), (Version::HTTP_2, "2.0 us-1")]
        {
            let request = Request::builder().version(version).header(VIA, "1.1 a, 1.0 b (c)").header(VIA, "2 d");
            assert_eq!(passed_on(request.body(()).unwrap()).await.unwrap(), ["1.1 a, 1.0 b (c)", "2 d", expected]);
        }
    }

    #[tokio::test]
    async fn a_loop_is_an_error_and_a_detour_is_none() {
        for (lines, looped) in [
            (&["1.1 us-1, 1.1 us-1, 1.1 us-1, 1.1 us-1"][..], false),
            (&["1.1 us-1, 1.1 us-1", "2.0 us-1", "1.1 us-1, 1.1 us-1 (again)"], true),
            (&["1.1 us-2, 1.1 us-1x, 1.1 a, 1.1 b, 1.1 c"], false),
            (&[&*"1.1 other, ".repeat(1000)], false),
            (&["us-1, us-1, us-1, us-1, us-1"], false),
        ] {
            let mut request = Request::new(());
            for line in lines {
                request.headers_mut().append(VIA, line.parse().unwrap());
            }
            let error = passed_on(request).await.err();
            assert_eq!(error.is_some_and(|error| error.is::<LoopDetected>()), looped, "{lines:?}");
        }
    }

    #[test]
    fn a_pseudonym_is_a_token() {
        assert!(ViaLayer::new("pmesh-0123456789abcdef").is_ok());
        for text in ["", "a b", "a,b", "a\r\nb", "é", "(a)"] {
            assert_eq!(ViaLayer::new(text).unwrap_err(), InvalidPseudonym, "{text}");
        }
    }
}
