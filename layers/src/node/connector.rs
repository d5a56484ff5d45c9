use std::{
    future::Future,
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use tokio::time::timeout;
use tokio_rustls::{TlsConnector, client::TlsStream};
use tower::{BoxError, Service, ServiceExt};

use super::{
    ExpiringIo, NodeError, NodeIdentity,
    configs::{HTTP2, server_name},
    error::Step,
    identity::{Credentials, prove},
};
use crate::{durations::bounded, identity::NodeName, plain::plain};

/// Connects to another node with HTTP/2, over the connections of another connector.
///
/// It proves that it holds the secret, presents the certificate of this node, and accepts only a certificate for the
/// requested node. Only the address in the URI counts: every connection uses TLS, whatever the scheme.
///
/// A node that holds another secret is silent. So if a connection is closed without a byte, the next secret is tried at
/// once, on a new connection. If the peer rejects this node's certificate, only the first read reports it: in TLS 1.3,
/// the connecting side finishes the handshake before the peer has checked the certificate.
///
/// ```
/// use pmesh_layers::{
///     connect::SourceConnector,
///     identity::Secret,
///     node::{NodeConnector, NodeIdentity},
///     pool::Http2Pool,
/// };
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let identity = NodeIdentity::new("example", "berlin".parse()?, [&Secret::generate()?])?;
/// let connector = NodeConnector::new(SourceConnector::new(), identity, "paris".parse()?);
/// let pool = Http2Pool::new(connector, "https://192.0.2.7:8443".parse()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct NodeConnector<C> {
    inner: C,
    identity: NodeIdentity,
    peer: NodeName,
    timeout: Duration,
    grace: Duration,
}

/// The connection that a [`NodeConnector`] over connections of type `T` returns.
type Stream<T> = TokioIo<TlsStream<TokioIo<ExpiringIo<T>>>>;

impl<C> NodeConnector<C> {
    /// Creates a connector to the node `peer`, as `identity`, over connections of `inner`.
    pub fn new(inner: C, identity: NodeIdentity, peer: NodeName) -> Self {
        Self { inner, identity, peer, timeout: Duration::from_secs(5), grace: Duration::from_secs(30) }
    }

    /// Sets the maximum time for a handshake. Default: 5 seconds.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = bounded(timeout);
        self
    }

    /// Sets how long a connection continues after the identity has removed its secret. Default: 30 seconds.
    #[must_use]
    pub fn grace(mut self, grace: Duration) -> Self {
        self.grace = bounded(grace);
        self
    }
}

impl<C> Service<Uri> for NodeConnector<C>
where
    C: Service<Uri> + Clone + Send + 'static,
    C::Response: Read + Write + Unpin + Send,
    C::Error: Into<BoxError>,
    C::Future: Send,
{
    type Response = Stream<C::Response>;
    type Error = NodeError;
    // Boxed, because this happens once per connection, not per request.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NodeError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NodeError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let mut connector = self.clone();
        Box::pin(async move {
            let place = uri.authority().map(ToString::to_string).unwrap_or_default();
            let connected = connector.connect(uri).await;
            connected.map_err(|step| NodeError { peer: connector.peer, place, step })
        })
    }
}

impl<C> NodeConnector<C>
where
    C: Service<Uri> + Clone,
    C::Response: Read + Write + Unpin,
    C::Error: Into<BoxError>,
{
    async fn connect(&mut self, uri: Uri) -> Result<Stream<C::Response>, Step> {
        for credentials in self.identity.offers() {
            match self.connect_with(&credentials, uri.clone()).await {
                Err(Step::Handshake(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {}
                done => return done,
            }
        }
        Err(Step::Silence { window: self.identity.window() })
    }

    async fn connect_with(&mut self, credentials: &Credentials, uri: Uri) -> Result<Stream<C::Response>, Step> {
        let io = self.inner.clone().oneshot(plain(uri)).await.map_err(|error| Step::Connect(error.into()))?;
        let io = ExpiringIo::new(io, credentials.term(), self.grace);
        // Created only now, because connecting can take longer than a proof is valid.
        let proof = prove(&credentials.proof, &self.peer, SystemTime::now()).map_err(Step::Proof)?;
        let name = server_name(&self.peer).map_err(Step::Proof)?;
        let connector = TlsConnector::from(credentials.configs.client.clone());
        let handshake = connector.with_alpn(vec![proof, HTTP2.to_vec()]).connect(name, TokioIo::new(io));
        let stream = match timeout(self.timeout, handshake).await {
            Ok(handshake) => handshake.map_err(Step::Handshake)?,
            Err(_) => return Err(Step::Timeout),
        };
        if stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Err(Step::NoHttp2);
        }
        Ok(TokioIo::new(stream))
    }
}
