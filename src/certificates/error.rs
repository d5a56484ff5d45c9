//! Why a TLS listener has no certificates.

use std::path::PathBuf;

use pmesh_layers::host::HostName;

use crate::pem::PemError;

/// Why a TLS listener has no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file cannot be read, or holds something else.
    #[error(transparent)]
    File(#[from] PemError),
    /// The key is not the certificate's.
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
    /// The certificate is one that clients cannot read.
    #[error("{origin}: the first certificate in {path} is none that TLS clients can use")]
    BadCertificate {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: webpki::Error,
    },
    /// The key is of an unknown or unsafe kind.
    #[error("{origin}: the key in {path} cannot be used")]
    BadKey {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// A served name looks like an IP address but is none.
    #[error("{name} has the form of an IP address but is none, so no certificate can name it")]
    NotAnAddress {
        /// The name.
        name: HostName,
    },
    /// No key for session tickets can be made.
    #[error("cannot prepare TLS")]
    Tls(#[from] rustls::Error),
}
