//! The cipher suites, protocols and session tickets that all TLS configurations of a listener share.

use std::sync::Arc;

use rustls::{
    CipherSuite, ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer},
    server::{NoServerSessionStorage, ProducesTickets},
};

/// The parts that all TLS configurations of a listener share.
#[derive(Debug)]
pub(super) struct Tls {
    provider: Arc<CryptoProvider>,
    ticketer: Arc<dyn ProducesTickets>,
}

impl Tls {
    pub(super) fn new() -> Result<Self, rustls::Error> {
        let mut provider = aws_lc_rs::default_provider();
        provider.cipher_suites.sort_by_key(|suite| cost(suite.suite()));
        Ok(Self { provider: Arc::new(provider), ticketer: aws_lc_rs::Ticketer::new()? })
    }

    /// The configuration that presents `chain`.
    pub(super) fn server_config(
        &self,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let mut config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        // OpenSSL's clients prefer SHA-384, which processors have no instructions for: it makes a resumed handshake
        // take a fifth longer. All suites here are acceptable, so the server may choose.
        config.ignore_client_order = true;
        // Each ticket costs a key derivation and an encryption. One is enough, because a resumed session gets a new one.
        // Go's servers send one, too.
        config.send_tls13_tickets = 1;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec(), b"http/1.0".to_vec()];
        config.ticketer = self.ticketer.clone();
        // The default is a small cache behind a lock, which tickets make unnecessary.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        Ok(Arc::new(config))
    }
}

/// Orders AES-128 with SHA-256 first, then AES-256, then ChaCha20, which is for clients without AES hardware.
fn cost(suite: CipherSuite) -> u8 {
    match suite {
        CipherSuite::TLS13_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256 => 0,
        CipherSuite::TLS13_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384
        | CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384 => 1,
        _ => 2,
    }
}
