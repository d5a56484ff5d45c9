//! A proof starts the handshake; only a certificate from the same authority completes it.

use std::{
    io,
    sync::Arc,
    time::{Duration, SystemTime},
};

use pmesh_layers::{
    identity::{Authority, Issued, Role},
    node::{NodeAcceptor, NodeRejected},
};
use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, KeyPair};
use rustls::{
    ClientConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::TlsConnector;

use super::support::node::{DEADLINE, authority, client_config, identity, name, secret};

type Presented = Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>;

/// Connects with a valid proof. Returns the result of the acceptor, and what the client received.
async fn accept(config: ClientConfig) -> (Result<String, NodeRejected>, io::Result<Vec<u8>>) {
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    let (near, far) = tokio::io::duplex(64 * 1024);
    let server = async {
        let (mut tls, peer, _) = acceptor.accept(far, DEADLINE).await.map_err(|rejected| rejected.reason)?;
        tls.write_all(b"hello").await.unwrap();
        tls.shutdown().await.unwrap();
        Ok(peer.to_string())
    };
    let client = async {
        let proof = identity("a", "1").proof(&name("b"), SystemTime::now()).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let protocols = vec![proof, b"h2".to_vec()];
        let mut tls = connector.with_alpn(protocols).connect(ServerName::try_from("b").unwrap(), near).await?;
        // The server may have closed, which the client notices when it reads.
        let _ = tls.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
        let mut received = Vec::new();
        tls.read_to_end(&mut received).await?;
        Ok(received)
    };
    tokio::join!(server, client)
}

fn presented(issued: Issued) -> Presented {
    Some((issued.chain, issued.key))
}

#[tokio::test]
async fn a_client_certificate_is_accepted_and_names_the_client() {
    let issued = authority('1').issue(&name("a"), Role::Client, SystemTime::now()).unwrap();
    let (accepted, received) = accept(client_config('1', presented(issued))).await;
    assert_eq!(accepted.unwrap(), "a");
    assert_eq!(received.unwrap(), b"hello");
}

#[tokio::test]
async fn no_other_certificate_is_accepted() {
    let now = SystemTime::now();
    let issue = |digit, role, at| presented(authority(digit).issue(&name("a"), role, at).unwrap());
    let public = Authority::derive(&secret('1'), "example").unwrap().issue(&"a".parse().unwrap(), now).unwrap();
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    let cases: [(&str, Presented, &str); 7] = [
        ("none", None, "peer sent no certificates"),
        ("a server's", issue('1', Role::Server, now), "does not allow extended key usage for client authentication"),
        ("expired", issue('1', Role::Client, now - days(2)), "expired"),
        ("not valid yet", issue('1', Role::Client, now + days(1)), "not valid yet"),
        ("of another secret", issue('2', Role::Client, now), "UnknownIssuer"),
        ("of the public authority", presented(public), "does not allow extended key usage for client authentication"),
        ("self-signed", self_signed(), "UnknownIssuer"),
    ];
    for (case, presented, expected) in cases {
        let (accepted, received) = accept(client_config('1', presented)).await;
        let Err(NodeRejected::Handshake(error)) = accepted else { panic!("{case}: {accepted:?}") };
        assert!(error.to_string().contains(expected), "{case}: {error}");
        let alert = received.unwrap_err();
        assert!(alert.to_string().contains("alert"), "{case}: {alert}");
    }
}

/// Has the name and usage of a valid client certificate.
fn self_signed() -> Presented {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([String::from("a")]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key).unwrap();
    Some((vec![certificate.into()], key.into()))
}

#[tokio::test]
async fn tls_13_and_http2_are_required() {
    let issued = || authority('1').issue(&name("a"), Role::Client, SystemTime::now()).unwrap();
    let proof = || identity("a", "1").proof(&name("b"), SystemTime::now()).unwrap();
    let tls12 = {
        let config = client_config('1', None);
        let Issued { chain, key, .. } = issued();
        ClientConfig::builder_with_provider(config.crypto_provider().clone())
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_client_auth_cert(chain, key)
            .unwrap()
    };
    for (config, protocols) in [
        (tls12, vec![proof(), b"h2".to_vec()]),
        (client_config('1', presented(issued())), vec![proof()]),
        (client_config('1', presented(issued())), vec![proof(), b"http/1.1".to_vec()]),
    ] {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let acceptor = NodeAcceptor::new(identity("b", "1"));
        let connector = TlsConnector::from(Arc::new(config));
        let client = connector.with_alpn(protocols).connect(ServerName::try_from("b").unwrap(), near);
        let (accepted, connected) = tokio::join!(acceptor.accept(far, DEADLINE), client);
        assert!(matches!(accepted.err().unwrap().reason, NodeRejected::Handshake(_)));
        assert!(connected.is_err());
    }
}

#[tokio::test]
async fn sessions_cannot_be_resumed() {
    let issued = authority('1').issue(&name("a"), Role::Client, SystemTime::now()).unwrap();
    // This client would resume a session.
    let config = Arc::new(client_config('1', presented(issued)));
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    for _ in 0..2 {
        let (near, far) = tokio::io::duplex(64 * 1024);
        let proof = identity("a", "1").proof(&name("b"), SystemTime::now()).unwrap();
        let connector = TlsConnector::from(Arc::clone(&config));
        let client = connector.with_alpn(vec![proof, b"h2".to_vec()]);
        let (accepted, connected) =
            tokio::join!(acceptor.accept(far, DEADLINE), client.connect(ServerName::try_from("b").unwrap(), near));
        let (mut server, ..) = accepted.map_err(|rejected| rejected.reason).unwrap();
        server.write_all(b"!").await.unwrap();
        server.flush().await.unwrap();
        let mut client = connected.unwrap();
        // Tickets would have arrived before this.
        assert_eq!(client.read_u8().await.unwrap(), b'!');
        assert_eq!(client.get_ref().1.tls13_tickets_received(), 0);
        assert_eq!(client.get_ref().1.handshake_kind(), Some(rustls::HandshakeKind::Full));
    }
}
