//! Detects request loops with the `CDN-Loop` header (RFC 8586).
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::cdn_loop::{CdnLoopLayer, LoopDetected};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new().layer(CdnLoopLayer::new("proxy-5e0a")?).service_fn(async |request: Request<()>| {
//!     assert_eq!(request.headers()["cdn-loop"], "proxy-5e0a");
//!     Ok::<_, BoxError>(Response::new(()))
//! });
//! service.clone().oneshot(Request::new(())).await?;
//!
//! let looped = Request::get("/").header("cdn-loop", ["proxy-5e0a"; 5].join(", ")).body(())?;
//! assert!(service.oneshot(looped).await.unwrap_err().is::<LoopDetected>());
//! # Ok(())
//! # }
//! ```

use std::task::{Context, Poll};

use http::{
    HeaderMap, HeaderName, HeaderValue, Request,
    header::{Entry, OccupiedEntry},
};
use tower::{BoxError, Layer, Service};

use crate::{future::ResponseFuture, host_name::HostName, quoted_list::FromEnd, token::is_token};

/// The `CDN-Loop` header.
pub const CDN_LOOP: HeaderName = HeaderName::from_static("cdn-loop");

/// How many times a request can already have passed this proxy. More than once is legitimate: a service can call another
/// one through the same proxy and pass the header on. A loop exceeds this number at once.
const MAX_PASSES: usize = 4;

/// A layer that adds this proxy's cdn-id to the `CDN-Loop` header of each request. A request that has already passed this
/// proxy more than four times fails with [`LoopDetected`].
///
/// Entries of other proxies are passed on unchanged, even if they are malformed.
///
/// Put the layer inside [`HopByHopLayer`](crate::hop_by_hop::HopByHopLayer) and [protect] [`CDN_LOOP`] there, so that no
/// `Connection` header can remove it.
///
/// [protect]: crate::hop_by_hop::HopByHopLayer::protect
#[derive(Debug, Clone)]
pub struct CdnLoopLayer {
    id: HeaderValue,
}

impl CdnLoopLayer {
    /// Creates a layer for a proxy named `cdn_id`: a host, with or without a port, or a pseudonym.
    ///
    /// The id must be unique among the proxies on the path, or requests may be mistaken for loops. So if it is a pseudonym,
    /// make part of it random. Backends can see the id.
    ///
    /// # Errors
    ///
    /// If `cdn_id` is neither a host nor a token (RFC 8586, 2).
    pub fn new(cdn_id: &str) -> Result<Self, InvalidCdnId> {
        if !is_token(cdn_id) && HostName::from_authority(cdn_id.as_bytes()).is_err() {
            return Err(InvalidCdnId);
        }
        HeaderValue::from_str(cdn_id).map(|id| Self { id }).map_err(|_| InvalidCdnId)
    }
}

impl<S> Layer<S> for CdnLoopLayer {
    type Service = CdnLoop<S>;

    fn layer(&self, inner: S) -> Self::Service {
        CdnLoop { inner, id: self.id.clone() }
    }
}

/// The service of [`CdnLoopLayer`].
#[derive(Debug, Clone)]
pub struct CdnLoop<S> {
    inner: S,
    id: HeaderValue,
}

impl<S> CdnLoop<S> {
    inner_accessors!();

    /// Adds this proxy's cdn-id, unless the request loops.
    fn add_to(&self, headers: &mut HeaderMap) -> Result<(), LoopDetected> {
        // A single lookup: most requests do not have the header.
        match headers.entry(CDN_LOOP) {
            Entry::Vacant(entry) => drop(entry.insert(self.id.clone())),
            Entry::Occupied(entry) if self.passes(&entry) > MAX_PASSES => return Err(LoopDetected),
            Entry::Occupied(mut entry) => entry.append(self.id.clone()),
        }
        Ok(())
    }

    /// How many times the request has passed this proxy.
    fn passes(&self, lines: &OccupiedEntry<'_, HeaderValue>) -> usize {
        let elements = lines.iter().flat_map(|line| FromEnd::new(line.as_bytes()));
        elements.filter(|element| cdn_id(element).eq_ignore_ascii_case(self.id.as_bytes())).count()
    }
}

/// Returns the part before the parameters.
fn cdn_id(element: &[u8]) -> &[u8] {
    element.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii()
}

impl<S, B> Service<Request<B>> for CdnLoop<S>
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
        match self.add_to(request.headers_mut()) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(error) => ResponseFuture::error(error),
        }
    }
}

/// The error of a request that has passed this proxy too many times, because its route leads back here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the request goes in circles: its route leads back to this proxy")]
pub struct LoopDetected;

/// The error for text that is not a cdn-id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a cdn-id is a host, with or without a port, or an HTTP token: letters, digits and some punctuation")]
pub struct InvalidCdnId;

#[cfg(test)]
mod tests {
    use super::*;
    use http::Response;
    use tower::{ServiceExt, service_fn};

    async fn passed_on(id: &str, lines: &[&[u8]]) -> Result<Vec<HeaderValue>, BoxError> {
        let mut request = Request::new(());
        for line in lines {
            request.headers_mut().append(CDN_LOOP, HeaderValue::from_bytes(line).unwrap());
        }
        let inner = service_fn(async |request: Request<()>| {
            Ok::<_, BoxError>(Response::new(request.headers().get_all(CDN_LOOP).iter().cloned().collect()))
        });
        Ok(CdnLoopLayer::new(id).unwrap().layer(inner).oneshot(request).await?.into_body())
    }

    #[tokio::test]
    async fn the_cdn_id_is_appended_as_a_header_line() {
        let before: [&[&[u8]]; 3] = [&[], &[b"a.example, b; trace=\"x,y\"", b"c"], &[b"\"", b"\xff,;"]];
        for lines in before {
            let expected = [lines, &[b"us-1"]].concat();
            assert_eq!(passed_on("us-1", lines).await.unwrap(), expected);
        }
    }

    #[tokio::test]
    async fn a_loop_is_an_error_but_a_detour_is_not() {
        for (lines, looped) in [
            (&["us-1, us-1, us-1, us-1"][..], false),
            (&["us-1, us-1, us-1, us-1, us-1"], true),
            (&["us-1", "us-1", "us-1, us-1", "us-1"], true),
            // Parameters and white space are ignored.
            (&["us-1;a=1 ,\tus-1 ; a=\"x,\\\"y;\" ; b=c,US-1,a, us-1;", "us-1"], true),
            (&["a;b=\"us-1, us-1, us-1, us-1, us-1\""], false),
            (&["us-2, us-1x, us-1:80, x;us-1, us 1"], false),
            (&[&*"other, ".repeat(1000)], false),
            // A client cannot hide the ids that are appended to its value.
            (&["x=\"a, us-1, us-1, us-1, us-1, us-1"], true),
            (&["\\\", us-1, us-1, us-1", "\"", "us-1, us-1"], true),
            (&["\"\u{fffd}\\, us-1, us-1, us-1, us-1, us-1"], true),
        ] {
            let lines: Vec<_> = lines.iter().map(|line| line.as_bytes()).collect();
            let error = passed_on("us-1", &lines).await.err();
            assert_eq!(error.is_some_and(|error| error.is::<LoopDetected>()), looped, "{lines:?}");
        }
        let hosts = &b"Proxy.Example:8443, [::1]:8443;a=b, proxy.example"[..];
        for (id, looped) in [("proxy.example:8443", true), ("[::1]:8443", true), ("proxy", false)] {
            assert_eq!(passed_on(id, &[hosts; 5]).await.is_err(), looped, "{id}");
        }
    }

    #[test]
    fn a_cdn_id_is_a_host_or_a_token() {
        for text in ["pmesh-0123456789abcdef", "proxy.example", "proxy.example:8443", "[2001:db8::1]:443", "Proxy!"] {
            assert!(CdnLoopLayer::new(text).is_ok(), "{text}");
        }
        for text in ["", "a b", "a,b", "a;b", "a\r\nb", "é", "a:b", "\"a\"", "[a]"] {
            assert_eq!(CdnLoopLayer::new(text).unwrap_err(), InvalidCdnId, "{text}");
        }
    }
}
