use std::{
    fmt,
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::Uri;
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use rustls::{CertificateError, ClientConfig, pki_types::ServerName};
use tokio::time::timeout;
use tokio_rustls::client::TlsStream;
use tower::{BoxError, Service, ServiceExt};

use crate::{durations::bounded, plain::plain};

const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

/// Speaks TLS over the connections of another connector.
///
/// The inner connector is called with the host and port of the URI and the scheme `http`. URIs with the schemes `http`
/// and `ws` are an error, because such ports speak no TLS.
///
/// The certificate must be valid for the URI's host, or for [`name`](Self::name), and must chain to a root that the
/// configuration trusts. If the host is an IP address, the certificate must contain that address, and no SNI is sent.
/// Sessions are resumed if the configuration has a store for them, which clones share.
///
/// ```
/// use std::sync::Arc;
/// use pmesh_layers::{connect::{SourceConnector, TlsConnector}, pool::Pool};
/// use rustls::{ClientConfig, RootCertStore, crypto::aws_lc_rs};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // In practice, add the roots to trust.
/// let roots = RootCertStore::empty();
/// let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
///     .with_safe_default_protocol_versions()?
///     .with_root_certificates(roots)
///     .with_no_client_auth();
/// let connector = TlsConnector::new(SourceConnector::new(), config);
/// let pool = Pool::new(connector, "https://backend.example".parse()?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TlsConnector<C> {
    inner: C,
    config: Arc<ClientConfig>,
    name: Option<ServerName<'static>>,
    timeout: Duration,
}

impl<C> TlsConnector<C> {
    /// Creates a connector for HTTP/1.1 over TLS, on connections of `inner`. Replaces the protocols (ALPN) in `config`.
    pub fn new(inner: C, config: ClientConfig) -> Self {
        Self { inner, config: Arc::new(config), name: None, timeout: Duration::from_secs(5) }.protocol(HTTP1)
    }

    /// Negotiates HTTP/2. If the peer does not choose it, connecting fails.
    #[must_use]
    pub fn http2(self) -> Self {
        self.protocol(HTTP2)
    }

    /// Uses `name` instead of the URI's host, as the SNI and to verify the certificate.
    #[must_use]
    pub fn name(mut self, name: ServerName<'static>) -> Self {
        self.name = Some(name);
        self
    }

    /// Sets the maximum time for the handshake. Default: 5 seconds.
    #[must_use]
    pub fn handshake_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = bounded(timeout);
        self
    }

    fn protocol(mut self, protocol: &[u8]) -> Self {
        Arc::make_mut(&mut self.config).alpn_protocols = vec![protocol.to_vec()];
        self
    }

    fn is_http2(&self) -> bool {
        self.config.alpn_protocols.iter().any(|protocol| protocol == HTTP2)
    }
}

impl<C> Service<Uri> for TlsConnector<C>
where
    C: Service<Uri> + Clone + Send + 'static,
    C::Response: Read + Write + Unpin + Send,
    C::Error: Into<BoxError>,
    C::Future: Send,
{
    type Response = TokioIo<TlsStream<TokioIo<C::Response>>>;
    type Error = TlsError;
    // Boxed, because this happens once per connection, not per request.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, TlsError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), TlsError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connector = self.clone();
        Box::pin(connector.connect(uri))
    }
}

impl<C> TlsConnector<C>
where
    C: Service<Uri>,
    C::Response: Read + Write + Unpin,
    C::Error: Into<BoxError>,
{
    async fn connect(self, uri: Uri) -> Result<TokioIo<TlsStream<TokioIo<C::Response>>>, TlsError> {
        if matches!(uri.scheme_str(), Some("http" | "ws")) {
            return Err(TlsError(Step::ClearText(uri.to_string())));
        }
        let http2 = self.is_http2();
        let peer = uri.authority().map(ToString::to_string).unwrap_or_default();
        let name = match self.name {
            Some(name) => name,
            None => name_of(&uri).ok_or_else(|| TlsError(Step::NoName(uri.to_string())))?,
        };
        let io = self.inner.oneshot(plain(uri)).await.map_err(|error| TlsError(Step::Connect(error.into())))?;
        let connector = tokio_rustls::TlsConnector::from(self.config);
        let stream = match timeout(self.timeout, connector.connect(name.clone(), TokioIo::new(io))).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(TlsError(Step::Handshake { peer, name: name_text(&name), error })),
            Err(_) => return Err(TlsError(Step::Timeout(peer))),
        };
        if http2 && stream.get_ref().1.alpn_protocol() != Some(HTTP2) {
            return Err(TlsError(Step::NoHttp2(peer)));
        }
        Ok(TokioIo::new(stream))
    }
}

fn name_of(uri: &Uri) -> Option<ServerName<'static>> {
    let host = uri.host()?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(host.to_owned()).ok()
}

fn name_text(name: &ServerName<'_>) -> String {
    match name {
        ServerName::IpAddress(address) => std::net::IpAddr::from(*address).to_string(),
        name => name.to_str().into_owned(),
    }
}

/// An error while opening a TLS connection.
#[derive(Debug)]
pub struct TlsError(Step);

#[derive(Debug)]
enum Step {
    ClearText(String),
    NoName(String),
    Connect(BoxError),
    Handshake { peer: String, name: String, error: io::Error },
    Timeout(String),
    NoHttp2(String),
}

impl TlsError {
    /// Whether the peer did not finish the handshake in time.
    pub fn is_timeout(&self) -> bool {
        matches!(self.0, Step::Timeout(_))
    }

    /// Whether the peer speaks TLS but did not agree to HTTP/2.
    pub fn lacks_http2(&self) -> bool {
        matches!(self.0, Step::NoHttp2(_))
    }

    /// Whether the peer sent something other than TLS.
    pub fn is_plain(&self) -> bool {
        matches!(self.handshake_error(), Some(rustls::Error::InvalidMessage(_)))
    }

    /// Whether the peer presented a CA certificate as its own, such as one made by `openssl req -x509`.
    pub fn is_ca_certificate(&self) -> bool {
        let Some(rustls::Error::InvalidCertificate(CertificateError::Other(other))) = self.handshake_error() else {
            return false;
        };
        matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
    }

    /// The cause of a failed handshake, such as an invalid certificate.
    pub fn handshake_error(&self) -> Option<&rustls::Error> {
        match &self.0 {
            Step::Handshake { error, .. } => error.get_ref()?.downcast_ref(),
            _ => None,
        }
    }
}

impl fmt::Display for TlsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Step::ClearText(uri) => {
                write!(f, "{uri} asks for a connection without TLS: write https, or use the inner connector alone")
            }
            Step::NoName(uri) => write!(f, "there is no name to verify in {uri}"),
            Step::Connect(_) => f.write_str("cannot open a connection for TLS"),
            Step::Handshake { peer, .. } if self.is_plain() => {
                write!(f, "{peer} does not speak TLS: it answered with something else")
            }
            Step::Handshake { peer, .. } if self.is_ca_certificate() => {
                write!(f, "the certificate of {peer} is a CA certificate (CA:TRUE), not a server certificate")
            }
            Step::Handshake { peer, name, .. } => write!(f, "the TLS handshake with {peer} for the name {name} failed"),
            Step::Timeout(peer) => write!(f, "{peer} did not finish the TLS handshake in time"),
            Step::NoHttp2(peer) => write!(f, "{peer} speaks TLS, but not HTTP/2 over it (ALPN)"),
        }
    }
}

impl std::error::Error for TlsError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.0 {
            Step::Connect(error) => Some(&**error),
            // The source would say the same, but less clearly.
            Step::Handshake { .. } if self.is_plain() || self.is_ca_certificate() => None,
            Step::Handshake { error, .. } => Some(error),
            _ => None,
        }
    }
}
