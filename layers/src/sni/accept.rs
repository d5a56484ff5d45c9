use std::{error::Error, fmt, io, sync::Arc, time::Duration};

use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::server::TlsStream;

use super::{
    handshake::{self, HandshakeError},
    hello,
};
use crate::{durations::bounded, host::HostName};

/// Decides how to serve the host name in a TLS handshake.
///
/// Implemented by closures.
pub trait SniPolicy {
    /// Returns the configuration for `name`, or `None` if it is not served. The client then receives nothing.
    fn server_config(&self, name: &HostName) -> Option<Arc<ServerConfig>>;
}

impl<F: Fn(&HostName) -> Option<Arc<ServerConfig>>> SniPolicy for F {
    fn server_config(&self, name: &HostName) -> Option<Arc<ServerConfig>> {
        self(name)
    }
}

/// Accepts TLS from clients whose ClientHello names a served host, and stays silent towards all others.
///
/// ```
/// use std::{sync::Arc, time::{Duration, SystemTime}};
/// use pmesh_layers::{host::HostName, identity::{Authority, Secret}, silence, sni::SniAcceptor};
/// use rustls::{ServerConfig, crypto::aws_lc_rs};
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let issued = Authority::derive(&Secret::generate()?, "example")?.issue(&"example.com".parse()?, SystemTime::now())?;
/// let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
///     .with_safe_default_protocol_versions()?
///     .with_no_client_auth()
///     .with_single_cert(issued.chain, issued.key)?;
/// let config = Arc::new(config);
/// let acceptor = SniAcceptor::new(move |name: &HostName| (name.as_str() == "example.com").then(|| config.clone()));
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// tokio::spawn(async move {
///     while let Ok((tcp, _)) = listener.accept().await {
///         // A task for each connection, so that no client waits for another's handshake.
///         let acceptor = acceptor.clone();
///         tokio::spawn(async move {
///             match acceptor.accept(tcp, Duration::from_secs(10)).await {
///                 Ok((_tls, name)) => println!("a client of {name}"),
///                 Err(rejected) => silence::close(rejected.io).await,
///             }
///         });
///     }
/// });
///
/// let mut scanner = TcpStream::connect(address).await?;
/// scanner.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
/// assert_eq!(scanner.read_to_end(&mut Vec::new()).await?, 0);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SniAcceptor<P> {
    policy: P,
}

impl<P: SniPolicy> SniAcceptor<P> {
    /// Creates an acceptor that serves the names for which `policy` returns a configuration.
    pub fn new(policy: P) -> Self {
        Self { policy }
    }

    /// Reads the ClientHello and, if it names a served host, finishes the handshake, all within `deadline`.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] with the connection, which you should pass to [`silence::close`](crate::silence::close()).
    /// Nothing was written to it, except with [`SniRejected::Handshake`] or if the deadline passed during the handshake,
    /// after the client had named a served host.
    pub async fn accept<IO>(&self, mut io: IO, deadline: Duration) -> Result<(TlsStream<IO>, HostName), Rejected<IO>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::now() + bounded(deadline);
        let hello = match hello::read(&mut io, deadline).await {
            Ok(hello) => hello,
            Err(error) => return Err(Rejected { io, reason: error.into() }),
        };
        let name = match hello.client_hello().server_name().map(str::parse::<HostName>) {
            Some(Ok(name)) => name,
            Some(Err(_)) | None => return Err(Rejected { io, reason: SniRejected::NoName }),
        };
        let Some(config) = self.policy.server_config(&name) else {
            return Err(Rejected { io, reason: SniRejected::NotServed });
        };
        match handshake::finish(hello, io, config, deadline).await {
            Ok(stream) => Ok((stream, name)),
            Err((error, io)) => Err(Rejected { io, reason: error.into() }),
        }
    }
}

/// A connection that was rejected or failed before or during its handshake.
#[derive(Debug)]
#[non_exhaustive]
pub struct Rejected<IO, R = SniRejected> {
    /// The connection, for you to close.
    pub io: IO,
    /// The reason.
    pub reason: R,
}

impl<IO, R: fmt::Display> fmt::Display for Rejected<IO, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reason.fmt(f)
    }
}

impl<IO: fmt::Debug, R: Error> Error for Rejected<IO, R> {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.reason.source()
    }
}

/// Why a TLS connection was not accepted.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SniRejected {
    /// The connection broke or ended before the ClientHello did.
    #[error("the connection ended before the ClientHello did")]
    Io(#[source] io::Error),
    /// The first bytes are not a ClientHello.
    #[error("the first bytes are not a ClientHello")]
    NoClientHello(#[source] rustls::Error),
    /// There is no SNI, or it is not a host name.
    #[error("the ClientHello names no host")]
    NoName,
    /// The SNI names a host that is not served.
    #[error("the ClientHello names a host that is not served")]
    NotServed,
    /// The client took too long.
    #[error("the handshake took too long")]
    Deadline,
    /// The handshake failed after the client named a served host.
    #[error("the handshake failed")]
    Handshake(#[source] io::Error),
}

impl SniRejected {
    /// Returns the reason as a short, fixed word, for counters.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Io(_) => "client_left",
            Self::NoClientHello(_) => "no_client_hello",
            Self::NoName => "no_sni",
            Self::NotServed => "sni_not_served",
            Self::Deadline => "deadline",
            Self::Handshake(_) => "handshake_failed",
        }
    }
}

impl From<HandshakeError> for SniRejected {
    fn from(error: HandshakeError) -> Self {
        match error {
            HandshakeError::Io(error) => Self::Io(error),
            HandshakeError::NoClientHello(error) => Self::NoClientHello(error),
            HandshakeError::Deadline => Self::Deadline,
            HandshakeError::Failed(error) => Self::Handshake(error),
        }
    }
}
