use rustls::crypto::aws_lc_rs;

use super::error::{IdentityError, Kind};

/// Fills `bytes` from the system's source of random numbers.
pub(crate) fn fill(bytes: &mut [u8]) -> Result<(), IdentityError> {
    Ok(aws_lc_rs::default_provider().secure_random.fill(bytes).map_err(|_| Kind::Random)?)
}
