use std::{io, sync::Arc};

use rustls::{ServerConfig, server::Accepted};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tokio_rustls::{
    TlsAcceptor,
    server::{StartHandshake, TlsStream},
};

/// Why a TLS connection was not established by [`hello::read`](super::hello::read) and [`finish`].
#[derive(Debug)]
pub(crate) enum HandshakeError {
    /// The connection broke or ended before the ClientHello did.
    Io(io::Error),
    /// The first bytes are not a ClientHello.
    NoClientHello(rustls::Error),
    /// The client took too long.
    Deadline,
    /// The handshake after the ClientHello failed.
    Failed(io::Error),
}

/// Finishes the handshake after an approved ClientHello. Returns the connection if the handshake fails.
pub(crate) async fn finish<IO>(
    hello: Accepted,
    mut io: IO,
    config: Arc<ServerConfig>,
    deadline: Instant,
) -> Result<TlsStream<IO>, (HandshakeError, IO)>
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    // A handshake that owned the connection would drop it on failure, with unread input, and the client would get a
    // RST.
    let handshake = StartHandshake::from_parts(hello, &mut io).into_stream(Arc::clone(&config));
    let session = match timeout_at(deadline, handshake).await {
        Ok(Ok(stream)) => stream.into_inner().1,
        Ok(Err(error)) => return Err((HandshakeError::Failed(error), io)),
        Err(_) => return Err((HandshakeError::Deadline, io)),
    };
    // Puts the session, whose handshake is done, on its connection. Nothing is read. tokio-rustls offers no other way.
    let stream = TlsAcceptor::from(config).accept_with(io, |fresh| *fresh = session).into_fallible().await;
    stream.map_err(|(error, io)| (HandshakeError::Failed(error), io))
}
