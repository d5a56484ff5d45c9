//! Reads certificates and keys from PEM files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{Error, PemObject},
};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::settings::PemFile;

/// Returns the certificates in a file, in order; at least one. `origin` says where the user named the file, for errors.
///
/// # Errors
///
/// [`PemError`] if the file cannot be read, is damaged, or holds no certificate.
pub fn certificates(path: &Path, origin: &str) -> Result<Vec<CertificateDer<'static>>, PemError> {
    let text = read(path, origin)?;
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&text).collect();
    match certificates {
        Ok(none) if none.is_empty() => {
            Err(PemError::NoCertificate { origin: origin.to_owned(), path: path.to_owned() })
        }
        Ok(certificates) => Ok(certificates),
        Err(source) => Err(damaged(path, origin, source)),
    }
}

/// Returns the first private key in a file. `origin` says where the user named the file, for errors.
///
/// # Errors
///
/// [`PemError`] if the file cannot be read, is damaged, or holds no key.
pub fn private_key(path: &Path, origin: &str) -> Result<PrivateKeyDer<'static>, PemError> {
    let text = read(path, origin)?;
    PrivateKeyDer::from_pem_slice(&text).map_err(|error| match error {
        Error::NoItemsFound => PemError::NoKey { origin: origin.to_owned(), path: path.to_owned() },
        source => damaged(path, origin, source),
    })
}

impl PemFile {
    /// Returns the certificates in the file.
    ///
    /// # Errors
    ///
    /// The errors of [`certificates`].
    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, PemError> {
        certificates(&self.path, &self.origin.to_string())
    }

    /// Returns the first private key in the file.
    ///
    /// # Errors
    ///
    /// The errors of [`private_key`].
    pub fn private_key(&self) -> Result<PrivateKeyDer<'static>, PemError> {
        private_key(&self.path, &self.origin.to_string())
    }
}

/// Identifies certificates and keys by their contents, not by their paths.
pub fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut digest = Sha256::new();
    for part in parts {
        // The length marks where each part ends.
        digest.update(part.len().to_be_bytes());
        digest.update(part);
    }
    digest.finalize().into()
}

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PemError {
    /// It is missing, is not readable, or is a folder.
    #[error("{origin}: cannot read {path}")]
    Unreadable {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It is damaged.
    #[error("{origin}: {path} is not valid PEM")]
    Damaged {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The parser's error.
        source: Error,
    },
    /// It holds no certificate.
    #[error("{origin}: {path} holds no certificate; one starts with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
    },
    /// It holds no private key.
    #[error(
        "{origin}: {path} holds no private key; one starts with `-----BEGIN PRIVATE KEY-----`; if it is encrypted, \
         decrypt it first"
    )]
    NoKey {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
    },
}

/// The contents may include a key, so they are wiped from memory on drop.
fn read(path: &Path, origin: &str) -> Result<Zeroizing<Vec<u8>>, PemError> {
    fs::read(path).map(Zeroizing::new).map_err(|source| PemError::Unreadable {
        origin: origin.to_owned(),
        path: path.to_owned(),
        source,
    })
}

fn damaged(path: &Path, origin: &str, source: Error) -> PemError {
    PemError::Damaged { origin: origin.to_owned(), path: path.to_owned(), source }
}

impl PemError {
    /// Where the file was named.
    pub fn origin(&self) -> &str {
        match self {
            Self::Unreadable { origin, .. }
            | Self::Damaged { origin, .. }
            | Self::NoCertificate { origin, .. }
            | Self::NoKey { origin, .. } => origin,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CERTIFICATE: &str = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    const KEY: &str = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";

    #[test]
    fn certificates_and_keys_can_share_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("all.pem");
        fs::write(&path, format!("A comment.\n{KEY}{CERTIFICATE}\n{CERTIFICATE}")).unwrap();
        assert_eq!(certificates(&path, "--cert").unwrap().len(), 2);
        assert_eq!(private_key(&path, "--key").unwrap().secret_der(), [0; 3]);
    }

    #[test]
    fn errors_say_where_the_file_was_named_and_what_it_lacks() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file.pem");
        let shown = |error: PemError| error.to_string().replace(&path.display().to_string(), "PATH");
        let both =
            || [shown(certificates(&path, "--cert").unwrap_err()), shown(private_key(&path, "--key").unwrap_err())];
        assert_eq!(both(), ["--cert: cannot read PATH", "--key: cannot read PATH"]);
        fs::write(&path, "").unwrap();
        let [certificate, key] = both();
        assert!(certificate.starts_with("--cert: PATH holds no certificate; one starts with"), "{certificate}");
        assert!(key.starts_with("--key: PATH holds no private key; one starts with"), "{key}");
        for kind in ["CERTIFICATE", "PRIVATE KEY"] {
            fs::write(&path, format!("-----BEGIN {kind}-----\n!\n-----END {kind}-----\n")).unwrap();
            assert!(both().iter().all(|shown| shown.ends_with("PATH is not valid PEM")), "{kind}");
        }
    }
}
