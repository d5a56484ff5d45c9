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

type Shown = Option<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)>;

/// A client with a valid proof: the result of the acceptor, and what the client receives.
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
        let mut heard = Vec::new();
        tls.read_to_end(&mut heard).await?;
        Ok(heard)
    };
    tokio::join!(server, client)
}

fn shown(issued: Issued) -> Shown {
    Some((issued.chain, issued.key))
}

#[tokio::test]
async fn the_certificate_of_a_client_is_accepted_and_names_it() {
    let issued = authority('1').issue(&name("a"), Role::Client, SystemTime::now()).unwrap();
    let (accepted, heard) = accept(client_config('1', shown(issued))).await;
    assert_eq!(accepted.unwrap(), "a");
    assert_eq!(heard.unwrap(), b"hello");
}

#[tokio::test]
async fn no_other_certificate_is_accepted() {
    let now = SystemTime::now();
    let issue = |digit, role, at| shown(authority(digit).issue(&name("a"), role, at).unwrap());
    let public = Authority::derive(&secret('1'), "example").unwrap().issue(&"a".parse().unwrap(), now).unwrap();
    let days = |days: u64| Duration::from_secs(days * 24 * 60 * 60);
    let cases: [(&str, Shown, &str); 7] = [
        ("none", None, "peer sent no certificates"),
        ("a server's", issue('1', Role::Server, now), "does not allow extended key usage for client authentication"),
        ("expired", issue('1', Role::Client, now - days(2)), "expired"),
        ("not valid yet", issue('1', Role::Client, now + days(1)), "not valid yet"),
        ("of another secret", issue('2', Role::Client, now), "UnknownIssuer"),
        ("of the public authority", shown(public), "does not allow extended key usage for client authentication"),
        ("self-signed", self_signed(), "UnknownIssuer"),
    ];
    for (case, shown, expected) in cases {
        let (accepted, heard) = accept(client_config('1', shown)).await;
        let Err(NodeRejected::Handshake(error)) = accepted else { panic!("{case}: {accepted:?}") };
        assert!(error.to_string().contains(expected), "{case}: {error}");
        let told = heard.unwrap_err();
        assert!(told.to_string().contains("alert"), "{case}: {told}");
    }
}

/// With a client certificate's name and usage, and the authority's name.
fn self_signed() -> Shown {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::new([String::from("a")]).unwrap();
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    let certificate = params.self_signed(&key).unwrap();
    Some((vec![certificate.into()], key.into()))
}

#[tokio::test]
async fn without_tls_13_or_http2_there_is_no_connection() {
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
        (client_config('1', shown(issued())), vec![proof()]),
        (client_config('1', shown(issued())), vec![proof(), b"http/1.1".to_vec()]),
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
async fn there_is_nothing_to_resume() {
    let issued = authority('1').issue(&name("a"), Role::Client, SystemTime::now()).unwrap();
    // A client that would resume a session.
    let config = Arc::new(client_config('1', shown(issued)));
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
