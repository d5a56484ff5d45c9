//! Which authorities are trusted to certify upstreams with TLS: those that the system trusts, or those in a file.

mod verifier;

use std::{collections::HashMap, fs, io, path::PathBuf, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    client::WebPkiServerVerifier,
    crypto::aws_lc_rs,
    pki_types::{
        CertificateDer,
        pem::{self, PemObject},
    },
};

use self::verifier::Verifier;
use crate::settings::{CaFile, Route, endpoint::Endpoint};

/// The authorities that routes name, read once.
#[derive(Debug)]
pub struct Trust {
    /// Those of the system, where a route needs them.
    system: Arc<RootCertStore>,
    files: HashMap<PathBuf, Arc<Verifier>>,
}

impl Trust {
    /// Reads what `routes` need, and nothing where no upstream has TLS.
    ///
    /// # Errors
    ///
    /// What cannot be used, and where the user named it.
    pub fn load(routes: &[Route]) -> Result<Self, TrustError> {
        let mut trust = Self { system: Arc::new(RootCertStore::empty()), files: HashMap::new() };
        for route in routes.iter().filter(|route| route.upstreams.iter().any(Endpoint::is_tls)) {
            match &route.upstream_ca {
                Some(ca) if trust.files.contains_key(&ca.path) => {}
                Some(ca) => drop(trust.files.insert(ca.path.clone(), Arc::new(ca.read()?))),
                None if trust.system.is_empty() => trust.system = Arc::new(system(route)?),
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
    /// None with the provider that is built in.
    pub fn client_config(&self, ca: Option<&CaFile>) -> Result<ClientConfig, rustls::Error> {
        let builder = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])?;
        let builder = match ca.and_then(|ca| self.files.get(&ca.path)) {
            Some(verifier) => builder.dangerous().with_custom_certificate_verifier(Arc::clone(verifier) as _),
            None => builder.with_root_certificates(Arc::clone(&self.system)),
        };
        Ok(builder.with_no_client_auth())
    }
}

fn system(route: &Route) -> Result<RootCertStore, TrustError> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry some that are out of date or out of the ordinary; the others do.
    let (_, ignored) = roots.add_parsable_certificates(found.certs);
    for error in &found.errors {
        tracing::warn!(%error, "cannot read some of the authorities that the system trusts");
    }
    tracing::debug!(trusted = roots.len(), ignored, "authorities of the system");
    if roots.is_empty() { Err(TrustError::NoSystemRoots { route: route.to_string() }) } else { Ok(roots) }
}

impl CaFile {
    fn read(&self) -> Result<Verifier, TrustError> {
        let Self { path, origin } = self.clone();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(source) => return Err(TrustError::Unreadable { origin, path, source }),
        };
        let (mut roots, mut named) = (RootCertStore::empty(), Vec::new());
        for certificate in CertificateDer::pem_slice_iter(&bytes) {
            let certificate = match certificate {
                Ok(certificate) => certificate,
                Err(source) => return Err(TrustError::Damaged { origin, path, source }),
            };
            if let Err(source) = roots.add(certificate.clone()) {
                return Err(TrustError::Unusable { origin, path, source });
            }
            named.push(certificate);
        }
        let provider = Arc::new(aws_lc_rs::default_provider());
        match WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build() {
            Ok(inner) => Ok(Verifier { inner, named }),
            // Without revocation lists, this is the only possible reason.
            Err(_) => Err(TrustError::Empty { origin, path }),
        }
    }
}

/// Why the authorities for upstreams with TLS cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system has no authorities.
    #[error(
        "{route}: the certificate cannot be verified, because the system trusts no authority; install its package of them \
         (ca-certificates), or name a file by upstream_ca"
    )]
    NoSystemRoots {
        /// The route.
        route: String,
    },
    /// A file is missing, is not readable, or is a folder.
    #[error("{origin}: cannot read {path}")]
    Unreadable {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is damaged.
    #[error("{origin}: {path} is not valid PEM")]
    Damaged {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
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
    /// A file holds no certificate.
    #[error("{origin}: {path} holds no certificate; one starts with `-----BEGIN CERTIFICATE-----`")]
    Empty {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
    },
}
