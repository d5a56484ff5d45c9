//! The authorities that may issue certificates to upstreams: the system's, or those in a file.

use std::sync::Arc;

use rustls::{
    RootCertStore,
    client::{VerifierBuilderError, WebPkiServerVerifier, danger::ServerCertVerifier},
    crypto::aws_lc_rs,
};

use super::{error::TrustError, unverified::Unverified, verifier::Verifier};
use crate::{
    pem,
    settings::{PemFile, Route},
};

/// Authorities, and the verifier of the certificates that they issue.
#[derive(Debug, Clone)]
pub(super) struct Authorities {
    pub(super) id: AuthoritiesId,
    pub(super) verifier: Arc<dyn ServerCertVerifier>,
}

/// Identifies authorities by their certificates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum AuthoritiesId {
    System([u8; 32]),
    File([u8; 32]),
    /// No certificate is verified.
    Any,
}

impl Authorities {
    /// The authorities that the system trusts. Errors name `route`. `same` finds authorities that were loaded before.
    pub(super) fn from_system<'a>(
        route: &Route,
        same: impl FnOnce(AuthoritiesId) -> Option<&'a Self>,
    ) -> Result<Self, TrustError> {
        // This sorts them, so their order in a folder does not matter.
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "cannot read some of the authorities that the system trusts");
        }
        let id = AuthoritiesId::System(pem::digest(found.certs.iter().map(|certificate| &**certificate)));
        if let Some(same) = same(id) {
            return Ok(same.clone());
        }
        let mut roots = RootCertStore::empty();
        // Systems have a few certificates that webpki cannot parse. The others are enough.
        let (trusted, ignored) = roots.add_parsable_certificates(found.certs);
        tracing::debug!(trusted, ignored, "loaded the authorities that the system trusts");
        match verifier(roots) {
            Ok(verifier) => Ok(Self { id, verifier }),
            Err(_) => Err(TrustError::NoSystemRoots { route: route.to_string() }),
        }
    }

    /// The authorities in a file. `same` finds authorities that were loaded before.
    pub(super) fn from_file<'a>(
        file: &PemFile,
        same: impl FnOnce(AuthoritiesId) -> Option<&'a Self>,
    ) -> Result<Self, TrustError> {
        let named = file.certificates()?;
        let id = AuthoritiesId::File(pem::digest(named.iter().map(|certificate| &**certificate)));
        if let Some(same) = same(id) {
            return Ok(same.clone());
        }
        let unusable =
            |source| TrustError::BadCertificate { origin: file.origin.to_string(), path: file.path.clone(), source };
        let mut roots = RootCertStore::empty();
        for certificate in &named {
            roots.add(certificate.clone()).map_err(unusable)?;
        }
        let inner = verifier(roots).map_err(|error| unusable(rustls::Error::General(error.to_string())))?;
        Ok(Self { id, verifier: Arc::new(Verifier { inner, named }) })
    }

    /// No authorities: any certificate is accepted.
    pub(super) fn any() -> Self {
        Self { id: AuthoritiesId::Any, verifier: Arc::new(Unverified::new()) }
    }
}

/// Fails only if there are no roots. The other possible error is an invalid revocation list, and there are none.
fn verifier(roots: RootCertStore) -> Result<Arc<WebPkiServerVerifier>, VerifierBuilderError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider).build()
}
