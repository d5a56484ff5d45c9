//! Backends on Unix sockets.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use pmesh_layers::{balance::Unsent, connect::UnixConnector, pool::Pool};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};
use tower::ServiceExt;

#[tokio::test]
async fn requests_go_over_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let pool: Pool<_, Empty<Bytes>> = Pool::new(UnixConnector::new(&path), "http://localhost".parse().unwrap());
    let request = || Request::get("/path").header("host", "a.test").body(Empty::new()).unwrap();

    let mut error = pool.clone().oneshot(request()).await.unwrap_err();
    assert!(error.is_connect() && error.take_request().is_some());
    let cause = std::error::Error::source(&error).unwrap();
    assert_eq!(cause.to_string(), format!("cannot connect to {}", path.display()));

    let listener = UnixListener::bind(&path).unwrap();
    let answer = tokio::spawn(pool.oneshot(request()));
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
    assert_eq!(head, b"GET /path HTTP/1.1\r\nhost: a.test\r\n\r\n");
    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").await.unwrap();
    assert_eq!(answer.await.unwrap().unwrap().into_body().collect().await.unwrap().to_bytes(), "ok");
}
