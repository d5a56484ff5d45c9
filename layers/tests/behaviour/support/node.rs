//! Nodes, and clients that are not quite nodes.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use pmesh_layers::{
    identity::{NodeAuthority, NodeName, Secret},
    node::{ExpiringIo, NodeAcceptor, NodeConnector, NodeError, NodeIdentity, NodeRejected},
    silence,
    sni::Rejected,
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    sync::mpsc,
};
use tokio_rustls::{client, server};
use tower::{BoxError, ServiceExt};

pub(crate) const DEADLINE: Duration = Duration::from_secs(10);

pub(crate) fn secret(digit: char) -> Secret {
    String::from(digit).repeat(64).parse().unwrap()
}

pub(crate) fn name(name: &str) -> NodeName {
    name.parse().unwrap()
}

/// The node `name`, with a secret for each digit.
pub(crate) fn identity(name: &str, digits: &str) -> NodeIdentity {
    let secrets: Vec<_> = digits.chars().map(secret).collect();
    NodeIdentity::new("example", self::name(name), &secrets).unwrap()
}

pub(crate) fn authority(digit: char) -> NodeAuthority {
    NodeAuthority::derive(&secret(digit), "example").unwrap()
}

/// A TLS client that trusts the authority of secret `digit`, and presents the given certificate.
pub(crate) fn client_config(
    digit: char,
    presented: Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(authority(digit).certificate_der().clone()).unwrap();
    let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(rustls::ALL_VERSIONS)
        .unwrap()
        .with_root_certificates(roots);
    let mut config = match presented {
        Some((chain, key)) => builder.with_client_auth_cert(chain, key).unwrap(),
        None => builder.with_no_client_auth(),
    };
    config.enable_sni = false;
    config
}

/// The ClientHello of `config` for the node `b`, with these protocols.
pub(crate) fn hello(config: ClientConfig, protocols: Vec<Vec<u8>>) -> Vec<u8> {
    let name = ServerName::try_from("b").unwrap();
    let mut client = ClientConnection::new_with_alpn(Arc::new(config), name, protocols).unwrap();
    super::tls::outgoing(&mut client)
}

/// Sends `bytes` to an acceptor. Returns the reason for the rejection, and the bytes received until the end.
pub(crate) async fn rejected(acceptor: &NodeAcceptor, bytes: &[u8]) -> (NodeRejected, Vec<u8>) {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    near.write_all(bytes).await.unwrap();
    let Err(rejected) = acceptor.accept(far, DEADLINE).await else { panic!("accepted") };
    let Rejected { io, reason, .. } = rejected;
    let received = read_until_closed(near, io).await;
    (reason, received)
}

/// The bytes received from a connection that is closed in silence.
async fn read_until_closed(mut near: DuplexStream, far: DuplexStream) -> Vec<u8> {
    let mut received = Vec::new();
    let listen = async {
        near.read_to_end(&mut received).await.unwrap();
        drop(near);
    };
    tokio::join!(listen, silence::close(far));
    received
}

/// The error and its causes, on one line.
pub(crate) fn with_causes(error: impl Into<BoxError>) -> String {
    let error = error.into();
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

/// Connects nodes, and counts the connections.
#[derive(Clone, Default)]
pub(crate) struct Network(Arc<AtomicUsize>);

pub(crate) type ClientStream = client::TlsStream<TokioIo<ExpiringIo<TokioIo<DuplexStream>>>>;
pub(crate) type ServerStream = server::TlsStream<DuplexStream>;

impl Network {
    /// Connects `from` to `to`, by the name `requested`. Returns both ends, once both have received from the other.
    pub(crate) async fn connect(
        &self,
        from: &NodeIdentity,
        to: &NodeIdentity,
        requested: &str,
    ) -> Result<(ClientStream, ServerStream, NodeName), NodeError> {
        let (accepted, mut connections) = mpsc::unbounded_channel();
        let (network, acceptor) = (self.clone(), NodeAcceptor::new(to.clone()));
        let inner = tower::service_fn(move |_: Uri| {
            network.0.fetch_add(1, Ordering::Relaxed);
            let (near, far) = tokio::io::duplex(64 * 1024);
            let (acceptor, accepted) = (acceptor.clone(), accepted.clone());
            tokio::spawn(async move {
                match acceptor.accept(far, DEADLINE).await {
                    Ok(both) => accepted.send(both).unwrap(),
                    Err(rejected) => silence::close(rejected.io).await,
                }
            });
            std::future::ready(Ok::<_, io::Error>(TokioIo::new(near)))
        });
        let connector = NodeConnector::new(inner, from.clone(), name(requested));
        let mut client = connector.oneshot(Uri::from_static("https://10.0.0.2:8443")).await?.into_inner();
        let (mut server, peer, _) = connections.recv().await.expect("the server has accepted the certificate");
        ping(&mut client, &mut server).await;
        Ok((client, server, peer))
    }

    /// The number of connections since the last call.
    pub(crate) fn take_count(&self) -> usize {
        self.0.swap(0, Ordering::Relaxed)
    }
}

/// Sends a byte each way.
pub(crate) async fn ping(client: &mut ClientStream, server: &mut ServerStream) {
    client.write_all(b"?").await.unwrap();
    assert_eq!(server.read_u8().await.unwrap(), b'?');
    server.write_all(b"!").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'!');
}
