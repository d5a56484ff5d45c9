//! A TLS backend that reports the requested name and the client's certificate.

use std::{
    io::{Read, Write},
    sync::Arc,
};

use rcgen::{CertificateParams, KeyPair};
use rustls::{
    RootCertStore, ServerConfig, ServerConnection, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer},
    server::WebPkiClientVerifier,
};

use super::{Backend, backend::ok};

/// Starts a backend that answers each request with the SNI and the index of the client's certificate in `clients`, such
/// as `inside.test 1`. If there are `clients`, others are rejected. Also returns the backend's own certificate for
/// `inside.test` as PEM.
pub fn tls_backend(clients: &[CertificateDer<'static>]) -> (Backend, String) {
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["inside.test".to_owned()]).unwrap().self_signed(&key).unwrap();
    let config = Arc::new(config(&certificate, &key, clients));
    let clients = clients.to_vec();
    let backend = Backend::start(move |connection| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), connection);
        let mut head = Vec::new();
        let mut byte = [0];
        while stream.read_exact(&mut byte).is_ok() {
            head.push(byte[0]);
            if head.ends_with(b"\r\n\r\n") {
                head.clear();
                let name = stream.conn.server_name().unwrap_or("-").to_owned();
                let own = stream.conn.peer_certificates().map(|chain| &chain[0]);
                let client = clients.iter().position(|client| Some(client) == own);
                let client = client.map_or("-".to_owned(), |index| index.to_string());
                let _ = stream.write_all(ok(&format!("{name} {client}")).as_bytes());
            }
        }
    });
    (backend, certificate.pem())
}

fn config(certificate: &rcgen::Certificate, key: &KeyPair, clients: &[CertificateDer<'static>]) -> ServerConfig {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let builder = builder.unwrap();
    let builder = if clients.is_empty() {
        builder.with_no_client_auth()
    } else {
        let mut roots = RootCertStore::empty();
        clients.iter().for_each(|client| roots.add(client.clone()).unwrap());
        builder.with_client_cert_verifier(
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider).build().unwrap(),
        )
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    builder.with_single_cert(vec![certificate.der().clone()], key).unwrap()
}
