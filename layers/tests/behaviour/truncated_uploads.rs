//! Truncated request bodies never look complete (RFC 9112, 8; RFC 9113, 8.1).

use std::net::SocketAddr;

use bytes::Bytes;
use h2::server;
use http::{Request, Response};
use http_body_util::{BodyExt, Collected};
use pmesh_layers::{
    body::{RequestBody, RequestBodyError, ResponseBody},
    conn::ConnInfo,
    pool::{Http2Pool, Pool, PoolError},
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use tower::{BoxError, Service, ServiceBuilder, service_fn};

use super::support::{
    backend::{backend, settle},
    client::{connect_to, gated},
    http2::{DATA, GOAWAY, RST_STREAM, frame, hello, request},
};

const NO_ERROR: [u8; 4] = [0, 0, 0, 0];
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const END_STREAM: u8 = 1;

/// How an HTTP/2 client ends an upload of `body`.
#[derive(Debug, Clone, Copy)]
enum End {
    Whole,
    /// Complete, with END_STREAM in a frame of its own.
    WholeInTwoFrames,
    Reset([u8; 4]),
    Goaway,
    Gone,
}

impl End {
    const ALL: [Self; 6] =
        [Self::Whole, Self::WholeInTwoFrames, Self::Reset(NO_ERROR), Self::Reset(CANCEL), Self::Goaway, Self::Gone];

    fn is_whole(self) -> bool {
        matches!(self, Self::Whole | Self::WholeInTwoFrames)
    }

    /// The frames after the head, in two parts.
    fn bytes(self) -> [Vec<u8>; 2] {
        let data = frame(DATA, 0, 1, b"body");
        match self {
            Self::Whole => [frame(DATA, END_STREAM, 1, b"body"), Vec::new()],
            Self::WholeInTwoFrames => [data, frame(DATA, END_STREAM, 1, b"")],
            Self::Reset(reason) => [data, frame(RST_STREAM, 0, 1, &reason)],
            Self::Goaway => [data, frame(GOAWAY, 0, 0, &[0; 8])],
            Self::Gone => [data, Vec::new()],
        }
    }

    fn leaves(self) -> bool {
        matches!(self, Self::Goaway | Self::Gone)
    }
}

fn post() -> Vec<u8> {
    let mut head = request(1, &[(":method", "POST"), (":scheme", "http"), (":path", "/"), (":authority", "a.example")]);
    // Without END_STREAM.
    head[4] = 4;
    head
}

/// Sends a request that ends with `end`, either in the same packet as its body or in a separate one.
async fn upload(mut client: DuplexStream, end: End, at_once: bool) -> Option<DuplexStream> {
    let [body, rest] = end.bytes();
    // Lets the request reach the backend before it can be cancelled.
    client.write_all(&[hello(), post()].concat()).await.unwrap();
    settle().await;
    client.write_all(&body).await.unwrap();
    if !at_once {
        settle().await;
    }
    client.write_all(&rest).await.unwrap();
    (!end.leaves()).then_some(client)
}

fn serve<P>(pool: P) -> DuplexStream
where
    P: Service<Request<RequestBody>, Response = Response<ResponseBody>, Error = PoolError>,
    P: Clone + Send + 'static,
    P::Future: Send,
{
    let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service(pool);
    let (client, server) = tokio::io::duplex(64 * 1024);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http2, stack).await });
    client
}

/// The result of reading a body that was sent as `bytes`: all of it, or an error.
async fn read(protocol: Protocol, bytes: &[Vec<u8>], leaves: bool) -> Result<Bytes, RequestBodyError> {
    let (results, mut received) = mpsc::unbounded_channel();
    let mut client = connect_to(
        gated(service_fn(move |request: Request<RequestBody>| {
            let results = results.clone();
            // In a task that outlives the request.
            tokio::spawn(async move { results.send(request.into_body().collect().await) });
            std::future::ready(Ok::<_, BoxError>(Response::new(String::new())))
        })),
        protocol,
    );
    for bytes in bytes {
        client.send(bytes).await;
        settle().await;
    }
    if leaves {
        client.io.shutdown().await.unwrap();
    }
    received.recv().await.unwrap().map(Collected::to_bytes)
}

#[tokio::test(start_paused = true)]
async fn a_truncated_http1_body_is_an_error_for_its_reader() {
    let chunked = "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n";
    for (rest, whole) in [
        (format!("{chunked}0\r\n\r\n"), true),
        (chunked.to_owned(), false),
        ("Content-Length: 4\r\n\r\nbody".to_owned(), true),
        ("Content-Length: 5\r\n\r\nbody".to_owned(), false),
    ] {
        let bytes = format!("POST / HTTP/1.1\r\nHost: a.example\r\n{rest}");
        let read = read(Protocol::Http1, &[bytes.into_bytes()], true).await;
        assert_eq!(read.ok(), whole.then(|| Bytes::from("body")), "{rest:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_http2_body_is_an_error_for_its_reader() {
    for end in End::ALL {
        let bytes = [[hello(), post()].concat(), end.bytes().concat()];
        let read = read(Protocol::Http2, &bytes, end.leaves()).await;
        assert_eq!(read.ok(), end.is_whole().then(|| Bytes::from("body")), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_http1_backend_gets_no_last_chunk_of_a_truncated_body() {
    for end in End::ALL {
        for (at_once, early) in [(true, false), (false, false), (false, true)] {
            let (connector, mut backend) = backend();
            let client = serve(Pool::new(connector, "http://backend".parse().unwrap()));
            let sent = tokio::spawn(upload(client, end, at_once));
            let mut connection = backend.accept().await;
            if early {
                connection.answer("early").await;
            }
            settle().await;
            let _client = sent.await.unwrap();
            settle().await;
            let whole = end.is_whole();
            if whole && !early {
                connection.send("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 0\r\n\r\n").await;
            }
            if whole && early {
                connection.0.shutdown().await.unwrap();
            }
            let mut all = Vec::new();
            connection.0.read_to_end(&mut all).await.unwrap();
            let all = String::from_utf8(all).unwrap();
            assert_eq!(all.ends_with("0\r\n\r\n"), whole, "{end:?}, at once: {at_once}, early: {early}: {all:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn an_http2_backend_gets_no_end_stream_for_a_truncated_body() {
    for end in End::ALL {
        for early in [false, true] {
            let (connector, mut backend) = backend();
            let pool: Http2Pool<_> = Http2Pool::new(connector, "http://backend".parse().unwrap());
            let sent = tokio::spawn(upload(serve(pool), end, false));
            let mut connection = server::handshake(backend.accept().await.0).await.unwrap();
            let (request, mut respond): (_, server::SendResponse<Bytes>) = connection.accept().await.unwrap().unwrap();
            let running = tokio::spawn(async move { while let Some(Ok(_)) = connection.accept().await {} });
            if early {
                respond.send_response(Response::new(()), true).unwrap();
            }
            let _client = sent.await.unwrap();
            let mut body = request.into_body();
            let last = loop {
                match body.data().await {
                    Some(Ok(_)) => {}
                    last => break last,
                }
            };
            let whole = end.is_whole();
            assert_eq!(last.is_none() && body.is_end_stream(), whole, "{end:?}, early: {early}: {last:?}");
            if let Some(Err(error)) = last {
                assert_ne!(error.reason(), Some(h2::Reason::NO_ERROR), "{end:?}, early: {early}");
            }
            running.abort();
        }
    }
}
