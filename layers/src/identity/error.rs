use crate::host::HostName;

/// Why no secret, authority or certificate could be made.
#[derive(Debug, thiserror::Error)]
#[error(transparent)]
pub struct IdentityError(#[from] Kind);

#[derive(Debug, thiserror::Error)]
pub(super) enum Kind {
    #[error("the system gives no random numbers")]
    Random,
    #[error("no key can be derived from this secret; make another with `openssl rand -hex 32`")]
    Underivable,
    #[error("the system's clock is before 1970 or after 9999, so no certificate can be dated; set it")]
    Clock,
    #[error("{0} has the form of an IP address but is none, so no certificate can name it")]
    NotAnAddress(HostName),
    #[error("the certificate cannot be made")]
    Certificate(#[from] rcgen::Error),
}
