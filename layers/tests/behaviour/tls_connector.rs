//! TLS to backends: trusted certificates and names, and errors.

use std::{error::Error, sync::Arc, time::Duration};

use http::{Request, Uri};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::TokioIo;
use pmesh_layers::{
    connect::{TlsConnector, TlsError},
    pool::Pool,
};
use rustls::{HandshakeKind, ServerConfig, crypto::aws_lc_rs, pki_types::ServerName};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    task::JoinHandle,
};
use tower::{BoxError, Service, ServiceExt};

use super::support::{
    backend::{Backend, Connector, backend},
    tls::{client_config, issued},
};

fn connector() -> (TlsConnector<Connector>, Backend) {
    let (connector, backend) = backend();
    (TlsConnector::new(connector, client_config(rustls::ALL_VERSIONS)), backend)
}

fn server(names: &str, protocols: &[&str]) -> Arc<ServerConfig> {
    let (chain, key) = issued(names);
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config)
}

/// Accepts one connection and echoes its input. Returns the requested name.
fn echo(backend: &mut Backend, config: Arc<ServerConfig>) -> impl Future<Output = Option<String>> {
    let io = backend.try_accept().unwrap();
    async move {
        let acceptor = tokio_rustls::LazyConfigAcceptor::new(rustls::server::Acceptor::default(), io);
        let start = acceptor.await.ok()?;
        let name = start.client_hello().server_name().map(str::to_owned);
        let mut stream = start.into_stream(config).await.ok()?;
        tokio::spawn(async move {
            let mut bytes = [0; 4];
            stream.read_exact(&mut bytes).await.unwrap();
            stream.write_all(&bytes).await.unwrap();
            stream.flush().await.unwrap();
        });
        Some(name.unwrap_or_default())
    }
}

type Connected = Result<TokioIo<tokio_rustls::client::TlsStream<TokioIo<TokioIo<DuplexStream>>>>, TlsError>;

fn connect(connector: &TlsConnector<Connector>, uri: &'static str) -> JoinHandle<Connected> {
    tokio::spawn(connector.clone().oneshot(Uri::from_static(uri)))
}

async fn ping(stream: Connected) -> HandshakeKind {
    let mut stream = stream.unwrap().into_inner();
    stream.write_all(b"ping").await.unwrap();
    let mut received = [0; 4];
    stream.read_exact(&mut received).await.unwrap();
    assert_eq!(&received, b"ping");
    stream.get_ref().1.handshake_kind().unwrap()
}

/// All causes, on one line.
fn with_causes(error: TlsError) -> String {
    let error: BoxError = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[tokio::test]
async fn the_certificate_must_be_for_the_host_or_the_configured_name() {
    for (certificate, uri, name, sent) in [
        ("a.example", "https://a.example", None, "a.example"),
        ("a.example", "https://a.example:8443/path", None, "a.example"),
        ("a.example", "https://127.0.0.1", Some("a.example"), "a.example"),
        ("127.0.0.1", "https://127.0.0.1:1", None, ""),
        ("[::1]", "https://[::1]:1", None, ""),
        ("127.0.0.1", "https://a.example", Some("127.0.0.1"), ""),
    ] {
        let (connector, mut backend) = connector();
        let connector = match name {
            Some(name) => connector.name(ServerName::try_from(name).unwrap()),
            None => connector,
        };
        let stream = connect(&connector, uri);
        tokio::task::yield_now().await;
        let requested = echo(&mut backend, server(certificate, &[])).await;
        assert_eq!(requested.as_deref(), Some(sent), "{uri} {name:?}");
        ping(stream.await.unwrap()).await;
    }
}

#[tokio::test]
async fn other_certificates_are_rejected() {
    for (certificate, uri, expected) in [
        (
            "b.example",
            "https://a.example:8443",
            "the TLS handshake with a.example:8443 for the name a.example failed: invalid peer certificate: certificate not valid for name \"a.example\"",
        ),
        (
            "a.example",
            "https://127.0.0.1:1",
            "the TLS handshake with 127.0.0.1:1 for the name 127.0.0.1 failed: invalid peer certificate: certificate not valid for name \"127.0.0.1\"",
        ),
    ] {
        let (connector, mut backend) = connector();
        let stream = connect(&connector, uri);
        tokio::task::yield_now().await;
        let _ = echo(&mut backend, server(certificate, &[])).await;
        let error = with_causes(stream.await.unwrap().unwrap_err());
        assert!(error.starts_with(expected), "{error}");
    }
}

#[tokio::test]
async fn http2_is_negotiated_or_the_connection_fails() {
    for (offered, agreed) in [(&["h2", "http/1.1"][..], true), (&[], false)] {
        let (connector, mut backend) = connector();
        let stream = connect(&connector.http2(), "https://a.example");
        tokio::task::yield_now().await;
        let _ = echo(&mut backend, server("a.example", offered)).await;
        let stream = stream.await.unwrap();
        if agreed {
            ping(stream).await;
        } else {
            assert_eq!(with_causes(stream.unwrap_err()), "a.example speaks TLS, but not HTTP/2 over it (ALPN)");
        }
    }
}

#[tokio::test]
async fn sessions_are_resumed() {
    let (connector, mut backend) = connector();
    let config = server("a.example", &[]);
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let stream = connect(&connector, "https://a.example");
        tokio::task::yield_now().await;
        echo(&mut backend, Arc::clone(&config)).await.unwrap();
        kinds.push(ping(stream.await.unwrap()).await);
    }
    assert_eq!(kinds[1], HandshakeKind::Resumed);
    assert_ne!(kinds[0], HandshakeKind::Resumed);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_responds_times_out() {
    let (connector, mut backend) = connector();
    let stream = connect(&connector.handshake_timeout(Duration::from_secs(2)), "https://a.example");
    let _open = backend.accept().await;
    let error = stream.await.unwrap().unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(with_causes(error), "a.example did not finish the TLS handshake in time");
}

#[tokio::test]
async fn a_refused_connection_and_a_peer_without_tls_are_errors() {
    let (mut connector, mut backend) = connector();
    let stream = connect(&connector, "https://a.example");
    let mut plain = backend.accept().await;
    plain.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = with_causes(stream.await.unwrap().unwrap_err());
    assert!(error.starts_with("a.example does not speak TLS: it answered with something else"), "{error}");

    drop(backend);
    let error = connector.call(Uri::from_static("https://a.example")).await.unwrap_err();
    assert!(error.source().unwrap().is::<std::io::Error>());
    let error = connector.call(Uri::from_static("/path")).await.unwrap_err();
    assert_eq!(with_causes(error), "there is no name to verify in /path");
    for uri in ["http://a.example/", "ws://a.example/"] {
        let error = connector.call(Uri::from_static(uri)).await.unwrap_err();
        let expected = "asks for a connection without TLS: write https, or use the inner connector alone";
        assert_eq!(with_causes(error), format!("{uri} {expected}"));
    }
}

/// RFC 9112, 9.8: without a closing alert, a response that ends with its connection is incomplete.
#[tokio::test]
async fn an_end_without_a_closing_alert_does_not_complete_a_response() {
    for (alert, whole) in [(true, true), (false, false)] {
        let (connector, mut backend) = connector();
        let pool: Pool<_> = Pool::new(connector, "https://a.example".parse().unwrap());
        let response = tokio::spawn(pool.oneshot(Request::new(Empty::new())));
        let io = backend.accept().await.0;
        let mut stream = tokio_rustls::TlsAcceptor::from(server("a.example", &[])).accept(io).await.unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.unwrap());
        }
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nhalf of it, or all").await.unwrap();
        stream.flush().await.unwrap();
        if alert {
            stream.shutdown().await.unwrap();
        }
        drop(stream);
        let body = response.await.unwrap().unwrap().into_body().collect().await;
        assert_eq!(body.is_ok(), whole);
    }
}
