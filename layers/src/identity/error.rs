use rustls::server::VerifierBuilderError;

use super::NodeName;
use crate::host::HostName;

/// An error while creating a secret, an authority, a certificate or a node's identity.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct IdentityError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(crate) enum Kind {
    #[error("the system provides no random numbers")]
    Random,
    #[error("no key can be derived from this secret; create another one with `openssl rand -hex 32`")]
    Underivable,
    #[error("the context {0:?} must be 1 to 32 bytes long; it is the name of the program")]
    Context(String),
    #[error("the system clock is before 1970 or after 9999; set it to the right time")]
    Clock,
    #[error("{0} looks like an IP address but is not one, so no certificate can be valid for it")]
    NotAnAddress(HostName),
    #[error("the certificate cannot be created")]
    Certificate(#[from] rcgen::Error),
    #[error("a node needs a secret; create one with `openssl rand -hex 32` and give it to all nodes")]
    NoSecret,
    #[error("there is no certificate for this node")]
    NoCertificate,
    #[error(
        "the certificate does not name the node {0}; issue one with the DNS name {0} and no other name without a dot"
    )]
    NotNamed(NodeName),
    #[error(
        "peers refuse the certificate of this node; it must be issued by one of the roots, for {role}, and be valid now"
    )]
    Refused {
        role: &'static str,
        #[source]
        error: rustls::Error,
    },
    #[error("certificate and key cannot be used for TLS")]
    Tls(#[source] rustls::Error),
    #[error("the roots cannot be used for TLS")]
    Verifier(#[source] VerifierBuilderError),
}
