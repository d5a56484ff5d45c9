//! Why a TLS listener has no certificates.

use std::path::PathBuf;

use pmesh_layers::host::HostName;

use crate::pem::PemError;

/// Why a TLS listener has no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or does not contain what it should.
    #[error(transparent)]
    File(#[from] PemError),
    /// The key does not match the certificate.
    #[error(
        "{origin}: the key in {key} does not match the first certificate in {certificate}, which must be the server's own"
    )]
    Mismatch {
        /// Where the files were configured.
        origin: String,
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
    },
    /// TLS clients cannot use the certificate.
    #[error("{origin}: TLS clients cannot use the first certificate in {path}")]
    BadCertificate {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: webpki::Error,
    },
    /// The key is of an unsupported or unsafe type.
    #[error("{origin}: the key in {path} cannot be used")]
    BadKey {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: rustls::Error,
    },
    /// A served name looks like an IP address but is not one.
    #[error("{name} looks like an IP address but is not one, so no certificate can be valid for it")]
    NotAnAddress {
        /// The name.
        name: HostName,
    },
    /// No key for session tickets can be generated.
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
}

impl CertificateError {
    /// Where the file was configured, if this is about a file.
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::File(error) => Some(error.origin()),
            Self::Mismatch { origin, .. } | Self::BadCertificate { origin, .. } | Self::BadKey { origin, .. } => {
                Some(origin)
            }
            Self::NotAnAddress { .. } | Self::Tls(_) => None,
        }
    }
}
