use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Request;
use thiserror::Error;
use tower::{BoxError, Layer, Service};

use super::{
    RateLimit, RateLimitKey,
    buckets::{Buckets, MAX},
};
use crate::{
    MissingExtension, ResponseFuture,
    forwarded::{ClientAddr, ClientNetwork},
};

/// A layer that rejects requests above a [`RateLimit`] with [`RateLimited`] (429). The [module](super) has an example.
///
/// Its clones share their buckets.
///
/// To count by client, put it inside a [`DistrustLayer`](crate::forwarded::DistrustLayer) if there are proxies in front. A
/// request without an address fails with [`MissingExtension`].
#[derive(Debug, Clone)]
pub struct RateLimitLayer(Arc<Limiter>);

#[derive(Debug)]
struct Limiter {
    limit: RateLimit,
    buckets: Buckets,
    /// Its key is random, so that nobody can choose values that share a bucket.
    hasher: RandomState,
}

/// The request is above its [`RateLimit`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("too many requests in this time")]
pub struct RateLimited {
    wait: Duration,
}

impl RateLimited {
    /// The time until a request can pass. [`RespondLayer`](crate::respond::RespondLayer) sends it in `Retry-After`.
    pub fn retry_after(&self) -> Duration {
        self.wait
    }
}

impl RateLimitLayer {
    /// Maximum number of buckets. Beyond it, new clients [share buckets](super#memory).
    pub const MAX_BUCKETS: usize = MAX;

    /// Creates a layer with full buckets.
    pub fn new(limit: RateLimit) -> Self {
        let buckets = Buckets::new(limit.quota);
        Self(Arc::new(Limiter { limit, buckets, hasher: RandomState::new() }))
    }

    /// The limit.
    pub fn limit(&self) -> &RateLimit {
        &self.0.limit
    }

    /// Takes a token out of the bucket for a request.
    fn take<B>(&self, request: &Request<B>) -> Result<(), BoxError> {
        let Limiter { limit, buckets, hasher } = &*self.0;
        let hash = match &limit.key {
            RateLimitKey::All => 0,
            RateLimitKey::Header(name) => {
                let values: Vec<_> = request.headers().get_all(name).iter().map(|value| value.as_bytes()).collect();
                hasher.hash_one(values)
            }
            RateLimitKey::Client => match ClientAddr::from_extensions(request.extensions()) {
                Some(client) => hasher.hash_one(ClientNetwork::from(client.ip())),
                None => return Err(MissingExtension::conn_info("RateLimitLayer").into()),
            },
        };
        buckets.take(hash).map_err(|wait| RateLimited { wait }.into())
    }
}

impl<S> Layer<S> for RateLimitLayer {
    type Service = RateLimiter<S>;

    fn layer(&self, inner: S) -> Self::Service {
        RateLimiter { inner, layer: self.clone() }
    }
}

/// The service of [`RateLimitLayer`].
#[derive(Debug, Clone)]
pub struct RateLimiter<S> {
    inner: S,
    layer: RateLimitLayer,
}

impl<S> RateLimiter<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for RateLimiter<S>
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

    fn call(&mut self, request: Request<B>) -> Self::Future {
        match self.layer.take(&request) {
            Ok(()) => ResponseFuture::inner(self.inner.call(request)),
            Err(error) => ResponseFuture::error(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use http::{HeaderName, HeaderValue};

    use super::*;
    use crate::conn::ConnInfo;

    fn layer(key: RateLimitKey) -> RateLimitLayer {
        RateLimitLayer::new(RateLimit::new(1, Duration::from_secs(3600)).unwrap().key(key))
    }

    #[test]
    fn ipv6_clients_are_counted_by_network() {
        let layer = layer(RateLimitKey::Client);
        for (ip, passes) in [
            ("192.0.2.1", true),
            ("192.0.2.1", false),
            ("::ffff:192.0.2.1", false),
            ("192.0.2.2", true),
            ("2001:db8::1", true),
            ("2001:db8::ffff:2", false),
            ("2001:db8:0:1::1", true),
        ] {
            let peer = ConnInfo::plain((ip.parse::<IpAddr>().unwrap(), 1).into());
            let request = Request::builder().extension(peer).body(()).unwrap();
            assert_eq!(layer.take(&request).is_ok(), passes, "{ip}");
        }
        assert!(layer.take(&Request::new(())).unwrap_err().is::<MissingExtension>());
    }

    #[test]
    fn each_value_of_a_header_has_a_bucket_and_so_do_requests_without_it() {
        let layer = layer(RateLimitKey::Header(HeaderName::from_static("x-key")));
        for (values, passes) in [
            (&["a"][..], true),
            (&["a"], false),
            (&["b"], true),
            (&["a", "b"], true),
            (&["ab"], true),
            (&[], true),
            (&[], false),
            (&[""], true),
        ] {
            let mut request = Request::new(());
            for value in values {
                request.headers_mut().append("x-key", HeaderValue::from_static(value));
            }
            assert_eq!(layer.take(&request).is_ok(), passes, "{values:?}");
        }
    }

    #[test]
    fn clones_share_the_bucket_of_all_requests() {
        let layer = layer(RateLimitKey::All);
        let other = layer.clone();
        assert!(layer.take(&Request::new(())).is_ok());
        let error = other.take(&Request::new(())).unwrap_err();
        assert!(layer.take(&Request::new(())).is_err());
        let limited = error.downcast_ref::<RateLimited>().unwrap();
        assert!(
            limited.retry_after() > Duration::from_secs(3590) && limited.retry_after() <= Duration::from_secs(3600)
        );
    }
}
