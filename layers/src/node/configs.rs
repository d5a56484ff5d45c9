use std::{
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rustls::{
    ClientConfig, RootCertStore, ServerConfig,
    client::{Resumption, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
    server::{WebPkiClientVerifier, danger::ClientCertVerifier},
    version::TLS13,
};

use super::peer;
use crate::identity::{IdentityError, Issued, NodeAuthority, NodeName, Role, error::Kind};

pub(super) const HTTP2: &[u8] = b"h2";

/// Certificates from your own authority, instead of certificates that are derived from the secret.
///
/// The certificate must have the node's name as a DNS name of one label (`DNS:berlin-1`), and no other such name; names
/// with a dot are allowed. It is used on both sides of connections: if it has an extended key usage, that must include
/// `serverAuth` and `clientAuth`.
#[derive(Debug)]
#[non_exhaustive]
pub struct NodeCertificates {
    /// The authorities to trust.
    pub roots: Vec<CertificateDer<'static>>,
    /// The certificate of this node, followed by the intermediate certificates up to a root.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key of the certificate.
    pub key: PrivateKeyDer<'static>,
}

impl NodeCertificates {
    /// Creates a set of certificates. [`NodeIdentity`](super::NodeIdentity) checks them.
    pub fn new(
        roots: Vec<CertificateDer<'static>>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
    ) -> Self {
        Self { roots, chain, key }
    }
}

/// The TLS configurations for both sides of connections between nodes.
#[derive(Debug, Clone)]
pub(super) struct Configs {
    pub(super) client: Arc<ClientConfig>,
    pub(super) server: Arc<ServerConfig>,
}

impl Configs {
    /// With new certificates from `authority`, which is the only one trusted.
    pub(super) fn derived(authority: &NodeAuthority, name: &NodeName, now: SystemTime) -> Result<Self, IdentityError> {
        let roots = roots(&[authority.certificate_der().clone()])?;
        let Issued { chain, key, .. } = authority.issue(name, Role::Client, now)?;
        let client = client(&server_verifier(&roots)?, chain, key)?;
        let Issued { chain, key, .. } = authority.issue(name, Role::Server, now)?;
        let server = server(client_verifier(&roots)?, chain, key)?;
        Ok(Self { client, server })
    }

    /// With certificates from elsewhere, after checking them as peers will.
    pub(super) fn own(certificates: NodeCertificates, name: &NodeName, now: SystemTime) -> Result<Self, IdentityError> {
        let NodeCertificates { roots: trusted, chain, key } = certificates;
        let roots = roots(&trusted)?;
        let (server_verifier, client_verifier) = (server_verifier(&roots)?, client_verifier(&roots)?);

        let (leaf, intermediates) = chain.split_first().ok_or(Kind::NoCertificate)?;
        if peer::node_name(leaf).as_ref() != Some(name) {
            return Err(Kind::NotNamed(name.clone()).into());
        }
        let now = UnixTime::since_unix_epoch(now.duration_since(UNIX_EPOCH).map_err(|_| Kind::Clock)?);
        client_verifier
            .verify_client_cert(leaf, intermediates, now)
            .map_err(|error| Kind::Refused { role: "clientAuth", error })?;
        server_verifier
            .verify_server_cert(leaf, intermediates, &server_name(name)?, &[], now)
            .map_err(|error| Kind::Refused { role: "serverAuth", error })?;

        let client = client(&server_verifier, chain.clone(), key.clone_key())?;
        let server = server(client_verifier, chain, key)?;
        Ok(Self { client, server })
    }
}

/// Whether derived certificates that were issued at `issued` should be replaced: when a third of their lifetime is
/// left, or when the clock was so wrong that they are not valid yet.
pub(super) fn is_due(issued: SystemTime, now: SystemTime) -> bool {
    let fresh: Duration = NodeAuthority::LIFETIME * 2 / 3;
    match now.duration_since(issued) {
        Ok(age) => age >= fresh,
        Err(error) => error.duration() > NodeAuthority::CLOCK_SLACK,
    }
}

/// The name that the certificate of a node is verified for.
pub(super) fn server_name(name: &NodeName) -> Result<ServerName<'static>, IdentityError> {
    Ok(ServerName::try_from(name.as_str().to_owned()).map_err(|_| Kind::NotNamed(name.clone()))?)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(aws_lc_rs::default_provider())
}

fn roots(certificates: &[CertificateDer<'static>]) -> Result<Arc<RootCertStore>, IdentityError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add(certificate.clone()).map_err(Kind::Tls)?;
    }
    Ok(Arc::new(roots))
}

fn server_verifier(roots: &Arc<RootCertStore>) -> Result<Arc<WebPkiServerVerifier>, IdentityError> {
    let verifier = WebPkiServerVerifier::builder_with_provider(Arc::clone(roots), provider()).build();
    Ok(verifier.map_err(Kind::Verifier)?)
}

fn client_verifier(roots: &Arc<RootCertStore>) -> Result<Arc<dyn ClientCertVerifier>, IdentityError> {
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(roots), provider()).build();
    Ok(verifier.map_err(Kind::Verifier)?)
}

fn client(
    verifier: &Arc<WebPkiServerVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ClientConfig>, IdentityError> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(Kind::Tls)?
        .with_webpki_verifier(Arc::clone(verifier))
        .with_client_auth_cert(chain, key)
        .map_err(Kind::Tls)?;
    // The name of the node is also verified without SNI, which observers could read.
    config.enable_sni = false;
    // A resumed session would outlive a secret that was removed.
    config.resumption = Resumption::disabled();
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}

fn server(
    verifier: Arc<dyn ClientCertVerifier>,
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> Result<Arc<ServerConfig>, IdentityError> {
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(&[&TLS13])
        .map_err(Kind::Tls)?
        .with_client_cert_verifier(verifier)
        .with_single_cert(chain, key)
        .map_err(Kind::Tls)?;
    config.send_tls13_tickets = 0;
    config.alpn_protocols = vec![HTTP2.to_vec()];
    Ok(Arc::new(config))
}
