//! Adds `Via` to requests (RFC 9110, 7.6.3).
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

use http::{HeaderValue, Request, Version, header::VIA};
use tower::{Layer, Service};

use crate::token::is_token;

/// Adds an entry to the `Via` header of each request.
///
/// Responses get no entry: RFC 9110 leaves that to the gateway. Backends may treat requests with a `Via` differently:
/// nginx does not compress its responses to them unless `gzip_proxied` allows it. To find loops, use
/// [`CdnLoopLayer`](crate::cdn_loop::CdnLoopLayer), which has no such effect.
///
/// Put the layer inside [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer), so that no `Connection` header can remove
/// the entry.
#[derive(Debug, Clone)]
pub struct ViaLayer {
    /// The entries for requests that arrived over HTTP/1.0, 1.1 and 2.
    lines: Arc<[HeaderValue; 3]>,
}

impl ViaLayer {
    /// Creates a layer that calls this proxy `pseudonym`. All backends see it, so it should not be a host name.
    ///
    /// # Errors
    ///
    /// Fails if `pseudonym` is not a token (RFC 9110, 5.6.2).
    pub fn new(pseudonym: &str) -> Result<Self, InvalidPseudonym> {
        if !is_token(pseudonym) {
            return Err(InvalidPseudonym);
        }
        let line =
            |version: &str| HeaderValue::from_str(&format!("{version} {pseudonym}")).map_err(|_| InvalidPseudonym);
        Ok(Self { lines: Arc::new([line("1.0")?, line("1.1")?, line("2.0")?]) })
    }
}

impl<S> Layer<S> for ViaLayer {
    type Service = Via<S>;

    fn layer(&self, inner: S) -> Self::Service {
        Via { inner, lines: Arc::clone(&self.lines) }
    }
}

/// The service of [`ViaLayer`].
#[derive(Debug, Clone)]
pub struct Via<S> {
    inner: S,
    lines: Arc<[HeaderValue; 3]>,
}

impl<S> Via<S> {
    inner_accessors!();

    fn line(&self, received: Version) -> HeaderValue {
        let [old, usual, http2] = &*self.lines;
        match received {
            Version::HTTP_09 | Version::HTTP_10 => old,
            Version::HTTP_11 => usual,
            _ => http2,
        }
        .clone()
    }
}

impl<S, B> Service<Request<B>> for Via<S>
where
    S: Service<Request<B>>,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let line = self.line(request.version());
        request.headers_mut().append(VIA, line);
        self.inner.call(request)
    }
}

/// A pseudonym that is not a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the pseudonym must be an HTTP token: letters, digits and some punctuation")]
pub struct InvalidPseudonym;

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use tower::{BoxError, ServiceExt, service_fn};

    #[tokio::test]
    async fn an_entry_is_appended() {
        for (version, expected) in
            [(Version::HTTP_10, "1.0 us-1"), (Version::HTTP_11, "1.1 us-1"), (Version::HTTP_2, "2.0 us-1")]
        {
            let request = Request::builder().version(version).header(VIA, "1.1 a, 1.0 b (c)").header(VIA, "2 d");
            let inner = service_fn(async |request: Request<()>| {
                Ok::<_, BoxError>(Response::new(request.headers().get_all(VIA).iter().cloned().collect::<Vec<_>>()))
            });
            let service = ViaLayer::new("us-1").unwrap().layer(inner);
            let lines = service.oneshot(request.body(()).unwrap()).await.unwrap().into_body();
            assert_eq!(lines, ["1.1 a, 1.0 b (c)", "2 d", expected]);
        }
    }

    #[test]
    fn a_pseudonym_must_be_a_token() {
        assert!(ViaLayer::new("pmesh-0123456789abcdef").is_ok());
        for text in ["", "a b", "a,b", "a\r\nb", "é", "(a)"] {
            assert_eq!(ViaLayer::new(text).unwrap_err(), InvalidPseudonym, "{text}");
        }
    }
}
