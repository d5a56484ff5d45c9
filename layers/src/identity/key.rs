use std::fmt;

use hkdf::Hkdf;
use p256::ecdsa::{Signature, SigningKey, signature::Signer};
use rcgen::{PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{
    Secret,
    error::{IdentityError, Kind},
};

/// A P-256 key that is derived, not generated. It signs without random numbers (RFC 6979), so nodes with the same
/// secret sign the same bytes with the same signature.
pub(super) struct DerivedKey {
    key: SigningKey,
    /// The uncompressed point (SEC 1, 2.3.3).
    public: Vec<u8>,
}

impl DerivedKey {
    /// Derives the key for the purpose `label`. Each label gives an unrelated key.
    ///
    /// HKDF-SHA256 (RFC 5869), without a salt and with `label` and a counter byte as info, gives candidates of 32
    /// bytes. The first one that is a valid private key is used (testing candidates: FIPS 186-5, A.2.2), so the key is
    /// not biased. One candidate in 2^32 is invalid; all 256 never are.
    pub(super) fn derive(secret: &Secret, label: &str) -> Result<Self, IdentityError> {
        let hkdf = Hkdf::<Sha256>::new(None, secret.bytes());
        let mut candidate = Zeroizing::new([0; 32]);
        for counter in 0..=u8::MAX {
            hkdf.expand_multi_info(&[label.as_bytes(), &[counter]], &mut candidate[..])
                .map_err(|_| Kind::Underivable)?;
            if let Ok(key) = SigningKey::from_slice(&candidate[..]) {
                let public = key.verifying_key().to_sec1_point(false).as_bytes().to_vec();
                return Ok(Self { key, public });
            }
        }
        Err(Kind::Underivable.into())
    }
}

impl PublicKeyData for DerivedKey {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for DerivedKey {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signature: Signature = self.key.try_sign(message).map_err(|_| rcgen::Error::RemoteKeyError)?;
        Ok(signature.to_der().as_bytes().to_vec())
    }
}

impl fmt::Debug for DerivedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DerivedKey(hidden)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(digit: &str, label: &str) -> DerivedKey {
        DerivedKey::derive(&digit.repeat(64).parse().unwrap(), label).unwrap()
    }

    #[test]
    fn secrets_and_labels_give_unrelated_keys() {
        assert_eq!(key("1", "a").der_bytes(), key("1", "a").der_bytes());
        assert_ne!(key("1", "a").der_bytes(), key("2", "a").der_bytes());
        assert_ne!(key("1", "a").der_bytes(), key("1", "b").der_bytes());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(format!("{:?}", key("1", "a")), "DerivedKey(hidden)");
    }
}
