//! Both sides of TLS, with their own authority.

use std::{
    io::Read,
    sync::{Arc, LazyLock},
    time::SystemTime,
};

use pmesh_layers::{
    host::HostName,
    identity::Authority,
    sni::{SniAcceptor, SniPolicy},
};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName},
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

static AUTHORITY: LazyLock<Authority> =
    LazyLock::new(|| Authority::derive(&"5e".repeat(32).parse().unwrap(), "example").unwrap());

/// A certificate for `name`, and its key.
pub(crate) fn issued(name: &str) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>) {
    let issued = AUTHORITY.issue(&name.parse().unwrap(), SystemTime::now()).unwrap();
    (issued.chain, issued.key)
}

static SERVER: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let (chain, key) = issued("a.example");
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(chain, key);
    Arc::new(config.unwrap())
});

/// The configuration for `a.example`; `None` for all other names.
fn policy(name: &HostName) -> Option<Arc<ServerConfig>> {
    (name.as_str() == "a.example").then(|| Arc::clone(&SERVER))
}

pub(crate) fn acceptor() -> SniAcceptor<impl SniPolicy> {
    SniAcceptor::new(policy)
}

pub(crate) fn client_config(versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(AUTHORITY.certificate_der().clone()).unwrap();
    ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client that connects to `name`, before its first byte.
pub(crate) fn client(config: ClientConfig, name: &str) -> ClientConnection {
    ClientConnection::new(Arc::new(config), ServerName::try_from(name.to_owned()).unwrap()).unwrap()
}

/// The bytes that the client wants to send now.
pub(crate) fn outgoing(client: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while client.wants_write() {
        client.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// A ClientHello for `name`.
pub(crate) fn client_hello(name: &str) -> Vec<u8> {
    outgoing(&mut client(client_config(rustls::ALL_VERSIONS), name))
}

/// Moves bytes between `client` and `io` until `done`. Returns whether that happened before the end.
pub(crate) async fn pump(
    client: &mut ClientConnection,
    io: &mut DuplexStream,
    mut done: impl FnMut(&mut ClientConnection) -> bool,
) -> bool {
    let mut buffer = [0; 16 * 1024];
    loop {
        let bytes = outgoing(client);
        io.write_all(&bytes).await.unwrap();
        if done(client) {
            return true;
        }
        let count = io.read(&mut buffer).await.unwrap();
        let mut input = &buffer[..count];
        if input.is_empty() {
            return false;
        }
        while !input.is_empty() {
            client.read_tls(&mut input).unwrap();
            client.process_new_packets().unwrap();
        }
    }
}

/// Plaintext that has arrived.
pub(crate) fn received(client: &mut ClientConnection) -> Vec<u8> {
    let mut all = Vec::new();
    // An error only means that all data so far has been read, or that there was no closing alert.
    let _ = client.reader().read_to_end(&mut all);
    all
}
