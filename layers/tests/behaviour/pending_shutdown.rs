//! Connections whose shutdown stays pending, for example because the client does not read the closing TLS alert.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
    silence::IntoRaw,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, duplex},
    time::sleep,
};
use tower::{BoxError, service_fn};

use super::support::client::{PEER, gated};

/// A stream whose shutdown never completes.
struct Stuck(DuplexStream);

impl AsyncRead for Stuck {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Stuck {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Pending
    }
}

impl IntoRaw for Stuck {
    type Raw = DuplexStream;

    fn into_raw(self) -> DuplexStream {
        self.0
    }
}

#[tokio::test(start_paused = true)]
async fn the_rest_of_a_body_is_not_read_as_a_request() {
    let requests = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&requests);
    // Responds without reading the body.
    let service = service_fn(move |_: Request<RequestBody>| {
        counted.fetch_add(1, Ordering::Relaxed);
        std::future::ready(Ok::<_, BoxError>(Response::new("early".to_owned())))
    });
    let (near, mut client) = duplex(4096);
    let info = ConnInfo::plain(PEER.into());
    let served = tokio::spawn(HttpServer::new().serve(Stuck(near), info, Protocol::Http1, gated(service)));
    client.write_all(b"POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 100\r\n\r\n").await.unwrap();
    sleep(Duration::from_millis(500)).await;
    client.write_all(b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n").await.unwrap();
    client.read_to_end(&mut Vec::new()).await.unwrap();
    assert_eq!(requests.load(Ordering::Relaxed), 1);
    drop(client);
    assert!(matches!(served.await.unwrap(), Ended::Idle));
}
