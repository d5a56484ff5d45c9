//! Lets in clients by their IP address.
//!
//! ```
//! use http::{Request, Response};
//! use pmesh_layers::{client_filter::{ClientDenied, ClientFilterLayer}, conn::ConnInfo};
//! use tower::{BoxError, ServiceBuilder, ServiceExt};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), BoxError> {
//! let service = ServiceBuilder::new()
//!     .layer(ClientFilterLayer::new().allow(["10.0.0.0/8".parse()?]))
//!     .service_fn(async |_: Request<()>| Ok::<_, BoxError>(Response::new(())));
//! let from = |ip: [u8; 4]| Request::get("/").extension(ConnInfo::plain((ip, 40000).into())).body(());
//! assert!(service.clone().oneshot(from([10, 1, 2, 3])?).await.is_ok());
//! assert!(service.oneshot(from([192, 0, 2, 1])?).await.unwrap_err().is::<ClientDenied>());
//! # Ok(())
//! # }
//! ```

use std::{
    net::IpAddr,
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use ipnet::IpNet;
use thiserror::Error;
use tower::{BoxError, Layer, Service};

use crate::{MissingExtension, ResponseFuture, forwarded::ClientAddr};

/// A layer that rejects requests with [`ClientDenied`] (403) if their client is in a denied network, or not in an allowed
/// one. By default, all clients are allowed.
///
/// The client is the [`ClientAddr`] of the request, so put this layer inside a
/// [`DistrustLayer`](crate::forwarded::DistrustLayer) if there are proxies in front. A request without an address fails with
/// [`MissingExtension`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientFilterLayer(Arc<Networks>);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Networks {
    /// `None` allows all.
    allowed: Option<Vec<IpNet>>,
    denied: Vec<IpNet>,
}

/// Why a client is allowed or denied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClientVerdict {
    /// It is in this allowed network, and in no denied one.
    AllowedIn(IpNet),
    /// All clients are allowed that are in no denied network.
    Allowed,
    /// It is in this denied network.
    DeniedIn(IpNet),
    /// It is in none of the allowed networks.
    NotAllowed,
}

/// The client of a request is not allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the client is not allowed")]
pub struct ClientDenied;

impl ClientFilterLayer {
    /// Creates a layer that allows all clients.
    pub fn new() -> Self {
        Self::default()
    }

    /// Allows only clients in these networks, in addition to those allowed before. If there are none at all, every client is denied.
    #[must_use]
    pub fn allow(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Arc::make_mut(&mut self.0).allowed.get_or_insert_default().extend(networks);
        self
    }

    /// Denies clients in these networks, even if they are in an allowed one.
    #[must_use]
    pub fn deny(mut self, networks: impl IntoIterator<Item = IpNet>) -> Self {
        Arc::make_mut(&mut self.0).denied.extend(networks);
        self
    }

    /// Whether a client with this address is allowed.
    pub fn allows(&self, client: IpAddr) -> bool {
        matches!(self.verdict(client), ClientVerdict::AllowedIn(_) | ClientVerdict::Allowed)
    }

    /// Why a client with this address is allowed or denied.
    ///
    /// ```
    /// use pmesh_layers::client_filter::{ClientFilterLayer, ClientVerdict};
    ///
    /// let private = "10.0.0.0/8".parse()?;
    /// let filter = ClientFilterLayer::new().allow([private]);
    /// assert_eq!(filter.verdict([10, 0, 0, 7].into()), ClientVerdict::AllowedIn(private));
    /// assert_eq!(filter.verdict([192, 0, 2, 1].into()), ClientVerdict::NotAllowed);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn verdict(&self, client: IpAddr) -> ClientVerdict {
        let Networks { allowed, denied } = &*self.0;
        let found = |networks: &[IpNet]| networks.iter().find(|network| network.contains(&client)).copied();
        match (found(denied), allowed) {
            (Some(network), _) => ClientVerdict::DeniedIn(network),
            (None, None) => ClientVerdict::Allowed,
            (None, Some(allowed)) => found(allowed).map_or(ClientVerdict::NotAllowed, ClientVerdict::AllowedIn),
        }
    }
}

impl<S> Layer<S> for ClientFilterLayer {
    type Service = ClientFilter<S>;

    fn layer(&self, inner: S) -> Self::Service {
        ClientFilter { inner, filter: self.clone() }
    }
}

/// The service of [`ClientFilterLayer`].
#[derive(Debug, Clone)]
pub struct ClientFilter<S> {
    inner: S,
    filter: ClientFilterLayer,
}

impl<S> ClientFilter<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for ClientFilter<S>
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
        let Some(client) = ClientAddr::from_extensions(request.extensions()) else {
            return ResponseFuture::error(MissingExtension::conn_info("ClientFilterLayer"));
        };
        if !self.filter.allows(client.ip()) {
            return ResponseFuture::error(ClientDenied);
        }
        ResponseFuture::inner(self.inner.call(request))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn denied_networks_win_over_allowed_ones() {
        let net = |text: &str| text.parse::<IpNet>().unwrap();
        let all = ClientFilterLayer::new();
        let some = all.clone().allow([net("10.0.0.0/8"), net("fd00::/8")]);
        let fewer = some.clone().deny([net("10.1.0.0/16")]);
        let most = all.clone().deny([net("10.1.0.0/16")]);
        let none = all.clone().allow([]);
        for (client, expected) in [
            ("10.0.0.1", [true, true, true, true, false]),
            ("10.1.0.1", [true, true, false, false, false]),
            ("192.0.2.1", [true, false, false, true, false]),
            ("fd00::1", [true, true, true, true, false]),
            ("2001:db8::1", [true, false, false, true, false]),
        ] {
            let ip = client.parse().unwrap();
            assert_eq!([&all, &some, &fewer, &most, &none].map(|filter| filter.allows(ip)), expected, "{client}");
        }
    }
}
