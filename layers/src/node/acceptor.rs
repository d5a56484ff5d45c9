use std::time::{Duration, SystemTime};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::Instant,
};
use tokio_rustls::server::TlsStream;

use super::{NodeIdentity, NodeRejected, Term, peer};
use crate::{
    durations::bounded,
    identity::NodeName,
    sni::{Rejected, handshake, hello},
};

/// Accepts TLS connections from nodes that prove in their ClientHello that they hold the secret. Stays silent towards
/// all others.
///
/// ```
/// use std::time::Duration;
/// use pmesh_layers::{identity::Secret, node::{NodeAcceptor, NodeIdentity}, silence};
/// use tokio::{io::{AsyncReadExt, AsyncWriteExt}, net::{TcpListener, TcpStream}};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let acceptor = NodeAcceptor::new(NodeIdentity::new("example", "berlin".parse()?, [&Secret::generate()?])?);
///
/// let listener = TcpListener::bind("127.0.0.1:0").await?;
/// let address = listener.local_addr()?;
/// tokio::spawn(async move {
///     while let Ok((tcp, _)) = listener.accept().await {
///         // One task per connection, so that no node waits for another's handshake.
///         let acceptor = acceptor.clone();
///         tokio::spawn(async move {
///             match acceptor.accept(tcp, Duration::from_secs(10)).await {
///                 Ok((_tls, peer, _term)) => println!("the node {peer}"),
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
pub struct NodeAcceptor {
    identity: NodeIdentity,
}

impl NodeAcceptor {
    /// Creates an acceptor for nodes that hold one of the secrets of `identity` and request its name. Each proof is
    /// accepted once, across all acceptors of the identity.
    pub fn new(identity: NodeIdentity) -> Self {
        Self { identity }
    }

    /// Reads the ClientHello and, if it has a valid proof, finishes the handshake, all within `deadline`.
    ///
    /// Returns the connection, ready for HTTP/2; the name of the node, from its certificate; and the term of the
    /// connection.
    ///
    /// # Errors
    ///
    /// Returns [`Rejected`] with the connection, which you should pass to [`silence::close`](crate::silence::close()).
    /// Nothing was written to it, except after the proof was accepted: with [`NodeRejected::Handshake`] or
    /// [`NodeRejected::NoName`], or if the deadline passed during the handshake.
    pub async fn accept<IO>(
        &self,
        mut io: IO,
        deadline: Duration,
    ) -> Result<(TlsStream<IO>, NodeName, Term), Rejected<IO, NodeRejected>>
    where
        IO: AsyncRead + AsyncWrite + Unpin,
    {
        let deadline = Instant::now() + bounded(deadline);
        let hello = match hello::read(&mut io, deadline).await {
            Ok(hello) => hello,
            Err(error) => return Err(Rejected { io, reason: error.into() }),
        };
        // Only the first: a list of thousands would cost as many MACs.
        let protocol = hello.client_hello().alpn().and_then(|mut protocols| protocols.next());
        let (config, term) = match self.identity.admit(protocol, SystemTime::now()) {
            Ok(admitted) => admitted,
            Err(reason) => return Err(Rejected { io, reason }),
        };
        let stream = match handshake::finish(hello, io, config, deadline).await {
            Ok(stream) => stream,
            Err((error, io)) => return Err(Rejected { io, reason: error.into() }),
        };
        let certificate = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        match certificate.and_then(peer::node_name) {
            Some(name) => Ok((stream, name, term)),
            None => Err(Rejected { io: stream.into_inner().0, reason: NodeRejected::NoName }),
        }
    }
}
