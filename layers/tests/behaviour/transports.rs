//! The server works over TCP, Unix sockets and pipes.

use std::net::SocketAddr;

use http::{Request, Response};
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    forwarded::{ForwardedLayer, TrustedProxies},
    respond::RespondLayer,
    route::NoRoute,
    serve::{Ended, HttpServer, Protocol},
    silence::IntoRaw,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};
use tower::{BoxError, ServiceBuilder, service_fn};

use super::support::client::gated;

/// Sends `request` to a server at the other end of a connection. Returns everything received, and how the connection ended.
async fn exchange<IO>(mut client: impl AsyncRead + AsyncWrite + Unpin, server: IO, request: &str) -> (String, Ended)
where
    IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
{
    // The address to use for a peer that has none, as on a Unix socket or a pipe.
    let info = ConnInfo::plain(SocketAddr::from(([127, 0, 0, 1], 0)));
    let stack = ServiceBuilder::new().layer(ForwardedLayer::new(TrustedProxies::none())).service(service_fn(
        async |request: Request<RequestBody>| {
            let client = request.headers()["x-forwarded-for"].to_str()?;
            Ok::<_, BoxError>(Response::new(format!("hello {client}")))
        },
    ));
    let ended = tokio::spawn(HttpServer::new().serve(server, info, Protocol::Detect, gated(stack)));
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    drop(client);
    (answer, ended.await.unwrap())
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn tcp_unix_sockets_and_pipes_behave_the_same() {
    for (host, body) in [("a.example", "hello 127.0.0.1"), ("other.example", "")] {
        let request = format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let (client, server) = tcp().await;
        let over_tcp = exchange(client, server, &request).await;
        let (client, server) = UnixStream::pair().unwrap();
        let over_unix = exchange(client, server, &request).await;
        let (client, server) = tokio::io::duplex(1024);
        let over_pipe = exchange(client, server, &request).await;
        for (answer, ended) in [over_tcp, over_unix, over_pipe] {
            assert_eq!(answer.split_once("\r\n\r\n").map_or("", |(_, body)| body), body, "{answer}");
            assert_eq!(answer.is_empty(), body.is_empty(), "{answer}");
            assert_eq!(matches!(ended, Ended::Silenced), body.is_empty(), "{ended:?}");
        }
    }
}

/// A response from a stack that never opens the gate is held back like everything else.
#[tokio::test(start_paused = true)]
async fn a_response_behind_a_closed_gate_is_never_sent() {
    let stack =
        ServiceBuilder::new().layer(RespondLayer::new()).service(service_fn(async |_: Request<RequestBody>| {
            Err::<Response<String>, _>(BoxError::from(NoRoute::NotFound))
        }));
    for connection in ["keep-alive", "close"] {
        let (mut client, server) = tokio::io::duplex(1024);
        let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 1)));
        let ended = tokio::spawn(HttpServer::new().serve(server, info, Protocol::Http1, stack.clone()));
        let request = format!("GET / HTTP/1.1\r\nHost: a.example\r\nConnection: {connection}\r\n\r\n");
        client.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        assert_eq!(answer, "");
        drop(client);
        let ended = ended.await.unwrap();
        match connection {
            "close" => assert!(matches!(ended, Ended::Withheld), "{ended:?}"),
            _ => assert!(matches!(ended, Ended::SilenceDeadline), "{ended:?}"),
        }
    }
}
