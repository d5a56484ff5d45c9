//! The certificates that pmesh presents to upstreams.

use std::sync::Arc;

use rustls::{
    InconsistentKeys,
    crypto::aws_lc_rs,
    sign::{CertifiedKey, SingleCertAndKey},
};

use super::error::TrustError;
use crate::{pem, settings::ClientCertificate};

/// A certificate that pmesh presents, with its key.
#[derive(Debug)]
pub(super) struct Client {
    /// A digest of the certificates and the key.
    pub(super) digest: [u8; 32],
    pub(super) certified: Arc<SingleCertAndKey>,
}

impl Client {
    pub(super) fn load(files: &ClientCertificate) -> Result<Self, TrustError> {
        let ClientCertificate { cert, key } = files;
        let chain = cert.certificates()?;
        let private = key.private_key()?;
        let digest = pem::digest(chain.iter().map(|certificate| &**certificate).chain([private.secret_der()]));
        let certified = CertifiedKey::from_der(chain, private, &aws_lc_rs::default_provider());
        let certified = certified.map_err(|error| match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => TrustError::Mismatch {
                origin: key.origin.to_string(),
                key: key.path.clone(),
                cert_origin: cert.origin.to_string(),
                cert: cert.path.clone(),
            },
            source @ rustls::Error::InvalidCertificate(_) => {
                TrustError::BadCertificate { origin: cert.origin.to_string(), path: cert.path.clone(), source }
            }
            source => TrustError::BadKey { origin: key.origin.to_string(), path: key.path.clone(), source },
        })?;
        Ok(Self { digest, certified: Arc::new(SingleCertAndKey::from(certified)) })
    }
}
