use std::{io, path::PathBuf};

use pmesh_layers::host::HostName;
use rustls::pki_types::pem;

/// Why a TLS listener has no certificates.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is missing, is not readable, or is a folder.
    #[error("{origin}: cannot read {path}")]
    Unreadable {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is damaged.
    #[error("{origin}: {path} is not valid PEM")]
    Damaged {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// A file holds no certificate.
    #[error("{origin}: {path} holds no certificate; one starts with `-----BEGIN CERTIFICATE-----`")]
    NoCertificate {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
    },
    /// A file holds no private key.
    #[error(
        "{origin}: {path} holds no private key; one starts with `-----BEGIN PRIVATE KEY-----`, and an encrypted one has \
         to be decrypted first"
    )]
    NoKey {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
    },
    /// The key is not the certificate's.
    #[error(
        "{origin}: the key in {key} does not fit the first certificate in {certificate}, which has to be the server's own"
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
