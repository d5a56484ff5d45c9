//! A client connection, which holds its slot until it is closed, even as a tunnel or while it is being turned away.

use std::{
    io::{self, Read},
    net::Shutdown,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use pmesh_layers::silence::IntoRaw;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

use crate::admission::{
    Slot,
    strangers::{Patience, Stranger, Unnamed},
};

/// Maximum number of bytes to discard when a stranger is closed at once.
const LAST_INPUT: usize = 32 * 8 * 1024;

/// A connection and its slot.
#[derive(Debug)]
pub struct ClientStream {
    stream: TcpStream,
    slot: Slot,
    /// `Some` until the connection has named a served host.
    unnamed: Option<Unnamed>,
    /// Whether the last read returned data, for a stranger that must leave.
    fed: bool,
}

impl ClientStream {
    /// Creates the stream, which holds `slot`.
    pub fn new(stream: TcpStream, slot: Slot, unnamed: Unnamed) -> Self {
        Self { stream, slot, unnamed: Some(unnamed), fed: false }
    }

    /// Gives the slot back, because this connection is from another node and carries the requests of many clients.
    pub fn give_back_slot(&mut self) {
        self.slot.give_back();
    }

    /// The stranger, until the connection has named a served host.
    pub fn stranger(&self) -> Option<Arc<Stranger>> {
        self.unnamed.as_ref().map(|unnamed| Arc::clone(unnamed.stranger()))
    }
}

impl ClientStream {
    /// Reads what the kernel has, even if the runtime has not been notified of it yet. No data is an error.
    fn poll_last(&mut self, cx: &Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match (&*SockRef::from(&self.stream)).read(buf.initialize_unfilled()) {
            Ok(count) => {
                buf.advance(count);
                self.fed = count > 0;
                Poll::Ready(Ok(()))
            }
            // The server may read again before it has looked at the data. Whether the data named a host is known at the
            // next poll.
            Err(_) if std::mem::take(&mut self.fed) => {
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            Err(_) => Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
        }
    }
}

impl AsyncRead for ClientStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if let Some(unnamed) = &self.unnamed {
            match unnamed.stranger().patience(cx) {
                Patience::Named => self.unnamed = None,
                Patience::Wait => {}
                Patience::ReadArrived => return self.poll_last(cx, buf),
                Patience::Leave => return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into())),
            }
        }
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for ClientStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(unnamed) = &self.unnamed {
            unnamed.end();
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl IntoRaw for ClientStream {
    type Raw = Self;

    fn into_raw(self) -> Self {
        self
    }

    fn reset(self) {
        // Fails only on a broken socket.
        let _ = self.stream.set_zero_linger();
    }
}

impl Drop for ClientStream {
    fn drop(&mut self) {
        if self.unnamed.as_ref().is_some_and(|unnamed| !unnamed.stranger().is_named()) {
            leave(&self.stream);
        }
    }
}

/// Closes a connection at once, with a FIN. Input that arrives later gets a RST, and so does input beyond a limit.
pub fn leave(stream: &TcpStream) {
    let stream = SockRef::from(stream);
    // Fails if the client is gone.
    let _ = stream.shutdown(Shutdown::Write);
    let mut buffer = [0; 8 * 1024];
    let mut left = LAST_INPUT;
    while left > 0 {
        match (&*stream).read(&mut buffer) {
            Ok(count @ 1..) => left = left.saturating_sub(count),
            Ok(0) | Err(_) => break,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pmesh_layers::{conn::Control, silence};
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::admission::{Admission, Limits, spares::SpareDescriptors};

    /// The only slot, the stranger in it, and its client.
    async fn stranger(control: &Control) -> (Arc<Admission>, ClientStream, TcpStream) {
        let limits = Limits { max: 1, per_client: 0, exempt: Vec::new() };
        let admission = Arc::new(Admission::new(limits, 1, SpareDescriptors::new(0).unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let slot = admission.slot(0).await;
        let stream = ClientStream::new(stream, slot, admission.room().strangers().add(0, control.clone()));
        (admission, stream, client)
    }

    #[tokio::test]
    async fn a_stranger_that_must_leave_gets_a_fin() {
        let (admission, mut stream, mut client) = stranger(&Control::closed()).await;
        let ended = tokio::spawn(async move {
            let read = stream.read(&mut [0; 8]).await;
            silence::close(stream).await;
            read
        });
        // Needs the slot.
        let _slot = admission.slot(0).await;
        assert_eq!(ended.await.unwrap().unwrap_err().kind(), io::ErrorKind::ConnectionAborted);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn input_that_has_arrived_is_read_and_can_name_a_host() {
        let control = Control::closed();
        let (admission, mut stream, mut client) = stranger(&control).await;
        client.write_all(b"name").await.unwrap();
        let waiting = tokio::spawn({
            let admission = Arc::clone(&admission);
            async move { admission.slot(0).await }
        });
        while !stream.stranger().unwrap().was_crowded_out() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let mut buffer = [0; 8];
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 4);
        control.open_gate();
        // It waits for more, like any other connection.
        client.write_all(b"more").await.unwrap();
        assert_eq!(stream.read(&mut buffer).await.unwrap(), 4);
        assert!(!waiting.is_finished() && stream.stranger().is_none());
    }

    #[tokio::test]
    async fn unread_input_does_not_cause_a_reset() {
        let (_admission, stream, mut client) = stranger(&Control::closed()).await;
        client.write_all(&[b'x'; 10_000]).await.unwrap();
        drop(stream);
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0);
        // A reset would show here.
        client.write_all(b"x").await.unwrap();
    }
}
