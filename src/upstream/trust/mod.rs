//! Which authorities are trusted to certify upstreams with TLS: those that the system trusts, or those in a file.

mod verifier;

use std::{collections::HashMap, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::{VerifierBuilderError, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
    pki_types::CertificateDer,
};
use sha2::{Digest, Sha256};

use self::verifier::Verifier;
use crate::{
    pem::{self, PemError},
    settings::{CaFile, Route, endpoint::Endpoint},
};

/// The authorities that the routes of one configuration name.
#[derive(Debug)]
pub struct Trust {
    /// Those of the system, if a route needs them.
    system: Option<Authorities>,
    files: HashMap<PathBuf, Authorities>,
}

/// Tells whether two configurations trust the same authorities: as long as the contents are the same, so is this.
///
/// Connections that were made under one are of no use under another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct TrustId {
    is_system: bool,
    digest: [u8; 32],
}

/// Some authorities, and what verifies that a certificate is one of theirs.
#[derive(Debug, Clone)]
struct Authorities {
    id: TrustId,
    verifier: Arc<dyn ServerCertVerifier>,
}

impl Trust {
    /// Reads what `routes` need, and nothing if no upstream has TLS. What has not changed since `previous` was loaded is
    /// taken over from there.
    ///
    /// # Errors
    ///
    /// What cannot be used, and where the user named it.
    pub fn load(routes: &[Route], previous: Option<&Self>) -> Result<Self, TrustError> {
        let mut trust = Self { system: None, files: HashMap::new() };
        for route in routes.iter().filter(|route| route.endpoints().iter().any(Endpoint::is_tls)) {
            match &route.tls.ca {
                Some(ca) if trust.files.contains_key(&ca.path) => {}
                Some(ca) => drop(trust.files.insert(ca.path.clone(), ca.load(previous)?)),
                None if trust.system.is_none() => trust.system = Some(system(route, previous)?),
                None => {}
            }
        }
        Ok(trust)
    }

    /// TLS to upstreams with a certificate of `ca` or, without one, of an authority that the system trusts. Sessions
    /// can be resumed.
    ///
    /// # Errors
    ///
    /// If none of the routes that were loaded names `ca`.
    pub fn client_config(&self, ca: Option<&CaFile>) -> Result<ClientConfig, rustls::Error> {
        let authorities = self.find(ca).ok_or_else(|| match ca {
            Some(ca) => rustls::Error::General(format!("{} was not read", ca.path.display())),
            None => rustls::Error::General("the authorities that the system trusts were not read".to_owned()),
        })?;
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::clone(&authorities.verifier));
        Ok(builder.with_no_client_auth())
    }

    /// The authorities of `ca` or, without one, those that the system trusts. Of no meaning if no route that was loaded
    /// names them.
    pub fn id(&self, ca: Option<&CaFile>) -> TrustId {
        self.find(ca).map(|authorities| authorities.id).unwrap_or_default()
    }

    fn find(&self, ca: Option<&CaFile>) -> Option<&Authorities> {
        match ca {
            Some(ca) => self.files.get(&ca.path),
            None => self.system.as_ref(),
        }
    }

    /// A file that was moved is still the same.
    fn find_by_id(&self, id: TrustId) -> Option<&Authorities> {
        self.files.values().chain(&self.system).find(|authorities| authorities.id == id)
    }
}

impl TrustId {
    fn new(is_system: bool, certificates: &[CertificateDer<'_>]) -> Self {
        let mut digest = Sha256::new();
        for certificate in certificates {
            digest.update(certificate.len().to_be_bytes());
            digest.update(certificate);
        }
        Self { is_system, digest: digest.finalize().into() }
    }
}

fn system(route: &Route, previous: Option<&Trust>) -> Result<Authorities, TrustError> {
    // Sorted, so that the order in a folder does not matter.
    let found = rustls_native_certs::load_native_certs();
    for error in &found.errors {
        tracing::warn!(%error, "cannot read some of the authorities that the system trusts");
    }
    let id = TrustId::new(true, &found.certs);
    if let Some(same) = previous.and_then(|previous| previous.find_by_id(id)) {
        return Ok(same.clone());
    }
    let mut roots = RootCertStore::empty();
    // Systems carry some that are out of date or out of the ordinary; the others do.
    let (trusted, ignored) = roots.add_parsable_certificates(found.certs);
    tracing::debug!(trusted, ignored, "authorities of the system");
    match verifier(roots) {
        Ok(verifier) => Ok(Authorities { id, verifier }),
        Err(_) => Err(TrustError::NoSystemRoots { route: route.to_string() }),
    }
}

impl CaFile {
    fn load(&self, previous: Option<&Trust>) -> Result<Authorities, TrustError> {
        let named = pem::certificates(&self.path, &self.origin.to_string())?;
        let id = TrustId::new(false, &named);
        if let Some(same) = previous.and_then(|previous| previous.find_by_id(id)) {
            return Ok(same.clone());
        }
        let unusable =
            |source| TrustError::Unusable { origin: self.origin.to_string(), path: self.path.clone(), source };
        let mut roots = RootCertStore::empty();
        for certificate in &named {
            roots.add(certificate.clone()).map_err(unusable)?;
        }
        let inner = verifier(roots).map_err(|error| unusable(rustls::Error::General(error.to_string())))?;
        Ok(Authorities { id, verifier: Arc::new(Verifier { inner, named }) })
    }
}

/// An error without roots, which is the only one without revocation lists.
fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()
}

/// Why the authorities for upstreams with TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system has no authorities.
    #[error(
        "{route}: the certificate cannot be verified, because the system trusts no authority; install its package of them \
         (ca-certificates), or name a file by tls = {{ ca = \"…\" }}"
    )]
    NoSystemRoots {
        /// The route.
        route: String,
    },
    /// A file cannot be read, or holds something else.
    #[error(transparent)]
    File(#[from] PemError),
    /// A certificate cannot be that of an authority.
    #[error("{origin}: a certificate in {path} cannot be used")]
    Unusable {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
}

#[cfg(test)]
mod tests;
