//! Connections that break while a request is being sent: bytes that the backend sent before that are still read.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full};
use hyper::rt::{Read, ReadBufCursor, Write};
use pmesh_layers::{
    body::ResponseBody,
    connect::SourceConnector,
    pool::{Pool, PoolError},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use tower::ServiceExt;

type Body = Full<Bytes>;

/// A connection that accepts the start of a request. The next write fails, and only then can `arrived` be read.
struct Breaking {
    written: usize,
    failed: bool,
    arrived: &'static [u8],
    /// All writes succeed, but the flush fails.
    in_flush: bool,
}

impl Breaking {
    fn new(arrived: &'static [u8]) -> Self {
        Self { written: 0, failed: false, arrived, in_flush: false }
    }
}

impl Read for Breaking {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut buf: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        if !self.failed {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let (now, later) = self.arrived.split_at(self.arrived.len().min(20));
        buf.put_slice(now);
        self.arrived = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Breaking {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        if self.in_flush {
            return Poll::Ready(Ok(buf.len()));
        }
        if self.written > 0 {
            self.failed = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.written = buf.len().min(100);
        Poll::Ready(Ok(self.written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.in_flush {
            self.failed = true;
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Sends an upload over a [`Breaking`] connection.
async fn upload(arrived: &'static [u8]) -> Result<Response<ResponseBody>, PoolError> {
    upload_over(move || Breaking::new(arrived)).await
}

async fn upload_over(
    connect: impl Fn() -> Breaking + Clone + Send + Sync + 'static,
) -> Result<Response<ResponseBody>, PoolError> {
    let connector = tower::service_fn(move |_: Uri| std::future::ready(Ok::<_, io::Error>(connect())));
    let pool = Pool::new(connector, "http://backend".parse().unwrap());
    pool.oneshot(Request::post("/").body(Full::from(vec![b'x'; 1024 * 1024])).unwrap()).await
}

#[tokio::test]
async fn a_response_that_arrived_before_a_failed_write_is_read() {
    for in_flush in [false, true] {
        let arrived = b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 8\r\n\r\ntoo long";
        let response = upload_over(move || Breaking { in_flush, ..Breaking::new(arrived) }).await.unwrap();
        assert_eq!(response.status(), 413);
        assert_eq!(response.into_body().collect().await.unwrap().to_bytes(), "too long");
    }
}

#[tokio::test]
async fn a_response_cut_off_after_a_failed_write_is_an_error() {
    for (response, expected) in [
        (&b"HTTP/1.1 413 Content Too Large\r\n\r\ntoo lo"[..], Some(413)),
        (b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 8\r\n\r\n", Some(413)),
        (b"HTTP/1.1 413 Content Too", None),
        (b"", None),
    ] {
        match upload(response).await {
            Ok(response) => {
                assert_eq!(Some(response.status().as_u16()), expected);
                let error = response.into_body().collect().await.unwrap_err();
                assert!(format!("{error:?}").contains("BrokenPipe"), "{error:?}");
            }
            Err(error) => {
                assert_eq!(expected, None, "{error:?}");
                assert!(error.is_endpoint_failure());
                assert!(format!("{error:?}").contains("BrokenPipe"), "{error:?}");
            }
        }
    }
}

/// Over sockets, where the end may arrive before the head is read.
#[tokio::test]
async fn a_head_followed_at_once_by_the_end_is_a_response() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let pool: Pool<_> = Pool::new(SourceConnector::new(), endpoint);
    tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            assert!(connection.read(&mut [0; 1024]).await.unwrap() > 0);
            connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n").await.unwrap();
        }
    });
    for number in 0..200 {
        let body = if number % 2 == 0 { "" } else { "body" };
        let response = pool.clone().oneshot(Request::post("/").body(Body::from(body)).unwrap()).await.unwrap();
        assert!(response.into_body().collect().await.is_err());
    }
}
