//! Connections to nodes: which peers are trusted, and the errors.

use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use pmesh_layers::{
    identity::{Authority, Issued, Role},
    node::{NodeConnector, NodeError},
    silence,
};
use rustls::{HandshakeKind, ServerConfig, crypto::aws_lc_rs, server::Acceptor};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};
use tokio_rustls::{LazyConfigAcceptor, TlsAcceptor};
use tower::ServiceExt;

use super::support::{
    backend::{Backend, Connector, backend},
    node::{ClientStream, Network, authority, identity, name, secret, with_causes},
};

/// A node `a` with secret 1, which connects to `b`.
fn connector() -> (NodeConnector<Connector>, Backend) {
    let (connector, backend) = backend();
    (NodeConnector::new(connector, identity("a", "1"), name("b")), backend)
}

type Connected = Result<TokioIo<ClientStream>, NodeError>;

fn connect(connector: &NodeConnector<Connector>) -> JoinHandle<Connected> {
    tokio::spawn(connector.clone().oneshot(Uri::from_static("https://10.0.0.2:8443")))
}

/// A plain TLS server.
fn server(issued: Issued, protocols: &[&str]) -> TlsAcceptor {
    let mut config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(issued.chain, issued.key)
        .unwrap();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    Arc::new(config).into()
}

#[tokio::test]
async fn nodes_with_the_same_secret_reach_each_other() {
    let network = Network::default();
    let (a, b) = (identity("a", "1"), identity("b", "1"));
    for (from, to, requested) in [(&a, &b, "b"), (&b, &a, "a"), (&a, &a, "a")] {
        let (client, _, peer) = network.connect(from, to, requested).await.unwrap();
        assert_eq!(&peer, from.name());
        assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        assert_eq!(client.get_ref().1.protocol_version(), Some(rustls::ProtocolVersion::TLSv1_3));
    }
    assert_eq!(network.take_count(), 3);
}

#[tokio::test]
async fn the_peer_must_be_the_requested_node() {
    let now = SystemTime::now();
    let day = Duration::from_secs(24 * 60 * 60);
    let issue = |digit, node, role, at| authority(digit).issue(&name(node), role, at).unwrap();
    let public = Authority::derive(&secret('1'), "example").unwrap().issue(&"b".parse().unwrap(), now).unwrap();
    for (case, issued, expected) in [
        ("another node", issue('1', "c", Role::Server, now), "certificate not valid for name \"b\""),
        (
            "a client's",
            issue('1', "b", Role::Client, now),
            "does not allow extended key usage for server authentication",
        ),
        ("of another secret", issue('2', "b", Role::Server, now), "UnknownIssuer"),
        ("of the public authority", public, "UnknownIssuer"),
        ("expired", issue('1', "b", Role::Server, now - 2 * day), "expired"),
    ] {
        let (connector, mut backend) = connector();
        let connected = connect(&connector);
        tokio::task::yield_now().await;
        let _ = server(issued, &["h2"]).accept(backend.try_accept().unwrap()).await;
        let error = connected.await.unwrap().unwrap_err();
        assert!(!error.is_silence() && !error.is_timeout(), "{case}");
        let error = with_causes(error);
        assert!(error.starts_with("node b (10.0.0.2:8443) failed the TLS handshake: "), "{case}: {error}");
        assert!(error.contains(expected), "{case}: {error}");
        assert!(!backend.has_waiting(), "{case}: it was retried");
    }
}

#[tokio::test]
async fn the_first_bytes_contain_no_name() {
    let mut proofs = Vec::new();
    for _ in 0..2 {
        let (connector, mut backend) = connector();
        let connected = connect(&connector);
        tokio::task::yield_now().await;
        let hello = LazyConfigAcceptor::new(Acceptor::default(), backend.try_accept().unwrap()).await.unwrap();
        assert_eq!(hello.client_hello().server_name(), None);
        let protocols: Vec<_> = hello.client_hello().alpn().unwrap().map(<[u8]>::to_vec).collect();
        assert_eq!((protocols.len(), protocols[0].len(), &protocols[1][..]), (2, 57, &b"h2"[..]));
        proofs.extend(protocols.into_iter().next());
        drop(hello);
        assert!(connected.await.unwrap().unwrap_err().is_silence());
    }
    assert_ne!(proofs[0], proofs[1]);
}

#[tokio::test]
async fn sessions_are_not_resumed() {
    let (connector, mut backend) = connector();
    // This server would resume a session.
    let server = server(authority('1').issue(&name("b"), Role::Server, SystemTime::now()).unwrap(), &["h2"]);
    for _ in 0..2 {
        let connected = connect(&connector);
        tokio::task::yield_now().await;
        let mut accepted = server.accept(backend.try_accept().unwrap()).await.unwrap();
        accepted.write_all(b"!").await.unwrap();
        accepted.flush().await.unwrap();
        let mut client = connected.await.unwrap().unwrap().into_inner();
        assert_eq!(client.read_u8().await.unwrap(), b'!');
        assert_ne!(client.get_ref().1.tls13_tickets_received(), 0);
        assert_eq!(accepted.get_ref().1.handshake_kind(), Some(HandshakeKind::Full));
    }
}

#[tokio::test]
async fn a_peer_without_http2_is_an_error() {
    let (connector, mut backend) = connector();
    let connected = connect(&connector);
    tokio::task::yield_now().await;
    let issued = authority('1').issue(&name("b"), Role::Server, SystemTime::now()).unwrap();
    let _server = server(issued, &[]).accept(backend.try_accept().unwrap()).await;
    let error = with_causes(connected.await.unwrap().unwrap_err());
    assert_eq!(error, "node b (10.0.0.2:8443) speaks TLS, but not HTTP/2 over it (ALPN)");
}

#[tokio::test]
async fn silence_is_reported_with_its_possible_causes() {
    let expected = "node b (10.0.0.2:8443) closed the connection without a byte: it holds another secret, its clock \
                    differs by more than 60 s, or it is not a node of that name";
    let network = Network::default();
    for (case, to) in [("another secret", identity("b", "2")), ("another name", identity("c", "1"))] {
        let error = network.connect(&identity("a", "1"), &to, "b").await.unwrap_err();
        assert!(error.is_silence(), "{case}: {error:?}");
        assert_eq!(with_causes(error), expected, "{case}");
        assert_eq!(network.take_count(), 1, "{case}");
    }
    // The error is the same for a peer that is not a node.
    let (connector, mut backend) = connector();
    let connected = connect(&connector);
    tokio::task::yield_now().await;
    silence::close(backend.try_accept().unwrap()).await;
    assert_eq!(with_causes(connected.await.unwrap().unwrap_err()), expected);
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_never_responds_times_out() {
    let (connector, mut backend) = connector();
    let connected = connect(&connector.handshake_timeout(Duration::from_secs(2)));
    let _open = backend.accept().await;
    let error = connected.await.unwrap().unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(with_causes(error), "node b (10.0.0.2:8443) did not finish the TLS handshake in time");
}

#[tokio::test]
async fn a_refused_connection_and_a_peer_without_tls_are_errors() {
    let (connector, mut backend) = connector();
    let connected = connect(&connector);
    backend.accept().await.send("HTTP/1.1 400 Bad Request\r\n\r\n").await;
    let error = with_causes(connected.await.unwrap().unwrap_err());
    assert!(error.starts_with("node b (10.0.0.2:8443) failed the TLS handshake: "), "{error}");

    drop(backend);
    let error = with_causes(connect(&connector).await.unwrap().unwrap_err());
    assert_eq!(error, "node b (10.0.0.2:8443) is unreachable: connection refused");
}
