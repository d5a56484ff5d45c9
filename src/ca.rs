//! The public part of the local authority, for `pmesh ca`.

use std::path::Path;

use pmesh_layers::identity::{Authority, IdentityError};

use crate::secret::{SecretError, home_secret};

/// The certificate of the authority that belongs to the secret of a home folder, as PEM. A home without a secret gets
/// one, so that the certificate can be installed before the first start.
///
/// # Errors
///
/// [`CaError`] when there is no secret to be had, or when no authority can be derived from it.
pub fn authority_pem(home: &Path) -> Result<String, CaError> {
    Ok(Authority::derive(&home_secret(home)?)?.certificate_pem())
}

/// Why there is no authority to show.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub enum CaError {
    /// There is no secret.
    Secret(#[from] SecretError),
    /// No authority comes from it.
    Identity(#[from] IdentityError),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_home_has_one_authority() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        let pem = authority_pem(&home).unwrap();
        assert!(pem.starts_with("-----BEGIN CERTIFICATE-----") && !pem.contains("PRIVATE"), "{pem}");
        assert_eq!(pem, authority_pem(&home).unwrap());
        assert_ne!(pem, authority_pem(&folder.path().join("other")).unwrap());
    }
}
