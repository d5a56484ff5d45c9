use std::{
    future::poll_fn,
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use rustls::server::{Accepted, Acceptor};
use tokio::{
    io::{AsyncRead, ReadBuf},
    time::{Instant, timeout_at},
};

use super::handshake::HandshakeError;

/// Reads a ClientHello, however it is cut into records and segments, until `deadline`. Writes nothing.
///
/// tokio-rustls' own `LazyConfigAcceptor` sends an alert when the bytes are not a ClientHello.
pub(crate) async fn read<IO: AsyncRead + Unpin>(io: &mut IO, deadline: Instant) -> Result<Accepted, HandshakeError> {
    let mut acceptor = Acceptor::default();
    let read = poll_fn(|cx| {
        loop {
            ready!(poll_feed(&mut acceptor, Pin::new(io), cx))?;
            match acceptor.accept() {
                Ok(Some(accepted)) => return Poll::Ready(Ok(accepted)),
                Ok(None) => {}
                // The second value is the alert, which is not sent.
                Err((error, _)) => return Poll::Ready(Err(HandshakeError::NoClientHello(error))),
            }
        }
    });
    timeout_at(deadline, read).await.unwrap_or(Err(HandshakeError::Deadline))
}

fn poll_feed<IO: AsyncRead>(
    acceptor: &mut Acceptor,
    io: Pin<&mut IO>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), HandshakeError>> {
    let mut buffer = [0; 4096];
    let mut input = ReadBuf::new(&mut buffer);
    ready!(io.poll_read(cx, &mut input)).map_err(HandshakeError::Io)?;
    let mut input = input.filled();
    if input.is_empty() {
        return Poll::Ready(Err(HandshakeError::Io(io::ErrorKind::UnexpectedEof.into())));
    }
    while !input.is_empty() {
        acceptor.read_tls(&mut input).map_err(HandshakeError::Io)?;
    }
    Poll::Ready(Ok(()))
}
