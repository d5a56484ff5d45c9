//! Why TLS to upstreams does not work as configured.

use std::path::PathBuf;

use crate::pem::PemError;

/// Why TLS to upstreams does not work as configured.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The system has no authorities.
    #[error(
        "{route}: the certificate cannot be verified, because the system trusts no authority; install the \
         ca-certificates package, or name a file, as in tls = {{ ca = \"…\" }}"
    )]
    NoSystemRoots {
        /// The route.
        route: String,
    },
    /// A file cannot be read, or holds something else.
    #[error(transparent)]
    File(#[from] PemError),
    /// A certificate cannot be used.
    #[error("{origin}: a certificate in {path} cannot be used")]
    BadCertificate {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// A key is of an unknown or unsafe kind.
    #[error("{origin}: the key in {path} cannot be used")]
    BadKey {
        /// Where the file was named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: rustls::Error,
    },
    /// A key does not belong to the certificate.
    #[error("{origin}: the key in {key} does not match the first certificate in {cert} ({cert_origin})")]
    Mismatch {
        /// Where the key was named.
        origin: String,
        /// Its file.
        key: PathBuf,
        /// Where the certificate was named.
        cert_origin: String,
        /// Its file.
        cert: PathBuf,
    },
}
