//! Backends on Unix sockets.

use std::{
    os::{fd::OwnedFd, unix::net::UnixStream},
    path::Path,
    time::Duration,
};

use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use pmesh_layers::{connect::UnixConnector, pool::Pool};
use socket2::{Domain, SockAddr, Socket, Type};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixListener,
};
use tower::ServiceExt;

#[tokio::test]
async fn requests_go_over_the_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let pool: Pool<_> = Pool::new(UnixConnector::new(&path), "http://localhost".parse().unwrap());
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

/// A socket whose backlog has one slot, and the connection that fills it.
fn full_backlog(path: &Path) -> (std::os::unix::net::UnixListener, UnixStream) {
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    let address = SockAddr::unix(path).unwrap();
    socket.bind(&address).unwrap();
    socket.listen(0).unwrap();
    let first = UnixStream::connect(path).unwrap();
    (OwnedFd::from(socket).into(), first)
}

#[tokio::test]
async fn connections_wait_for_a_slot_in_the_backlog() {
    const COUNT: usize = 50;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let (listener, _first) = full_backlog(&path);
    let connector = UnixConnector::new(&path).connect_timeout(Duration::from_secs(60));
    let connecting: Vec<_> = (0..COUNT).map(|_| tokio::spawn(connector.clone().oneshot(Uri::default()))).collect();
    // Each of them finds the backlog full.
    tokio::task::yield_now().await;
    listener.set_nonblocking(true).unwrap();
    let listener = UnixListener::from_std(listener).unwrap();
    for _ in 0..=COUNT {
        listener.accept().await.unwrap();
    }
    for connection in connecting {
        connection.await.unwrap().unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_backlog_that_stays_full_is_a_timeout() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let _full = full_backlog(&path);
    let connector = UnixConnector::new(&path).connect_timeout(Duration::from_secs(5));
    let error = connector.oneshot(Uri::default()).await.unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(error.to_string(), format!("{} accepted no connection in time: its backlog is full", path.display()));
}

#[tokio::test]
async fn https_requests_are_never_sent_in_clear_text() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    for (uri, connects) in [("http://a.test/", true), ("https://a.test/", false), ("wss://a.test/", false)] {
        match UnixConnector::new(&path).oneshot(Uri::from_static(uri)).await {
            Ok(_) => assert!(connects),
            Err(error) => {
                let expected = "needs TLS, which this connector does not speak: wrap it in a TlsConnector";
                assert_eq!(error.to_string(), format!("{uri} {expected}"));
            }
        }
    }
}
