//! The recorded reasons for endpoint failures.

use std::{future::pending, io, time::Duration};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use pmesh_layers::{
    balance::{Endpoint, Health, Rotation},
    body::{RequestBody, ResponseBody},
    connect::SourceConnector,
    pool::{Http2Pool, Pool},
    response_timeout::ResponseTimeoutLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    net::TcpSocket,
};
use tower::{BoxError, Layer, Service, ServiceExt, service_fn, util::BoxCloneSyncService};

type Body = RequestBody;
type Connector = BoxCloneSyncService<Uri, TokioIo<DuplexStream>, BoxError>;

/// Sends a request to an endpoint. Returns the recorded failure.
async fn error_of<S, E>(pool: S) -> String
where
    S: Service<Request<Body>, Response = Response<ResponseBody>, Error = E, Future: Send> + Clone + Send + 'static,
    E: Into<BoxError>,
{
    let health = Health::new();
    let service = ResponseTimeoutLayer::new(Duration::from_secs(30)).layer(pool);
    let endpoint = Endpoint::with_health("a", service, health.clone());
    let balance = Rotation::new().balance(vec![endpoint], Vec::new());
    // A POST, which is not retried.
    let request = Request::post("/").body(Empty::<Bytes>::new()).unwrap();
    if let Ok(response) = balance.oneshot(request).await {
        response.into_body().collect().await.unwrap_err();
    }
    health.state().last_failure.unwrap().error.to_string()
}

fn uri() -> Uri {
    Uri::from_static("http://backend")
}

/// Reads something, writes `answer`, and closes the connection.
fn answers(answer: &'static [u8]) -> Connector {
    BoxCloneSyncService::new(service_fn(move |_| async move {
        let (near, mut far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            let _ = far.read(&mut [0; 1024]).await;
            let _ = far.write_all(answer).await;
        });
        Ok(TokioIo::new(near))
    }))
}

fn never_connects() -> Connector {
    BoxCloneSyncService::new(service_fn(|_| pending()))
}

fn never_answers() -> Connector {
    BoxCloneSyncService::new(service_fn(|_| async {
        let (near, far) = tokio::io::duplex(4096);
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            drop(far);
        });
        Ok(TokioIo::new(near))
    }))
}

fn is_reset() -> Connector {
    BoxCloneSyncService::new(service_fn(|_| async { Err(io::Error::from(io::ErrorKind::ConnectionReset).into()) }))
}

#[tokio::test(start_paused = true)]
async fn failures_of_http1_endpoints_have_a_reason() {
    for (connector, expected) in [
        (never_connects(), "no connection to the endpoint: connecting timed out after 5.0s"),
        (is_reset(), "no connection to the endpoint: connection reset"),
        (never_answers(), "the backend did not respond in time"),
        (answers(b""), "the endpoint broke off before it responded: connection closed before message completed"),
        (
            answers(b"HTTP/1.1 200 OK\r\n"),
            "the endpoint broke off before it responded: connection closed before message completed",
        ),
        (
            answers(b"SSH-2.0-OpenSSH\r\n\r\n"),
            "the endpoint did not send an HTTP/1.1 response: invalid HTTP version parsed",
        ),
        (
            answers(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            "the response broke off: error reading a body from connection: end of file before message length reached",
        ),
    ] {
        assert_eq!(error_of(Pool::new(connector, uri())).await, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn failures_of_http2_endpoints_have_a_reason() {
    for (connector, expected) in [
        (never_connects(), "no connection to the endpoint: connecting timed out after 5.0s"),
        (
            never_answers(),
            "no connection to the endpoint: backend does not speak HTTP/2: its SETTINGS did not arrive in time",
        ),
        (
            answers(b""),
            "no connection to the endpoint: backend does not speak HTTP/2: it closed the connection before its SETTINGS",
        ),
        (
            answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"),
            "no connection to the endpoint: backend does not speak HTTP/2: its first bytes are not SETTINGS: \"HTTP/1.1 \"",
        ),
    ] {
        assert_eq!(error_of(Http2Pool::new(connector, uri())).await, expected);
    }
}

#[tokio::test]
async fn a_refused_connection_is_recorded_with_its_address() {
    // Bound, so that no other test gets the port, but not listening.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    let pool = Pool::new(SourceConnector::new(), format!("http://{address}").parse().unwrap());
    let expected =
        format!("no connection to the endpoint: cannot connect to {address}: Connection refused (os error 111)");
    assert_eq!(error_of(pool).await, expected);
}
