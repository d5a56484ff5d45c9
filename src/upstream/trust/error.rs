//! Errors in the configuration of TLS to upstreams.

use std::path::PathBuf;

use crate::pem::PemError;

/// Why TLS to upstreams cannot work as configured.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system trusts no authority.
    #[error(
        "{route}: cannot verify certificates, because the system trusts no authority; install the \
         ca-certificates package, or set tls = {{ ca = \"FILE\" }}"
    )]
    NoSystemRoots {
        /// The route.
        route: String,
    },
    /// A file cannot be read, or does not contain what it should.
    #[error(transparent)]
    File(#[from] PemError),
    /// A certificate cannot be used.
    #[error("{origin}: a certificate in {path} cannot be used")]
    BadCertificate {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// A key is of an unsupported or unsafe type.
    #[error("{origin}: the key in {path} cannot be used")]
    BadKey {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// A key does not match the certificate.
    #[error("{origin}: the key in {key} does not match the first certificate in {cert} ({cert_origin})")]
    Mismatch {
        /// Where the key was configured.
        origin: String,
        /// Its file.
        key: PathBuf,
        /// Where the certificate was configured.
        cert_origin: String,
        /// Its file.
        cert: PathBuf,
    },
}

impl TrustError {
    /// Where the file was configured, if this is about a file.
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::File(error) => Some(error.origin()),
            Self::BadCertificate { origin, .. } | Self::BadKey { origin, .. } | Self::Mismatch { origin, .. } => {
                Some(origin)
            }
            Self::NoSystemRoots { .. } => None,
        }
    }
}
