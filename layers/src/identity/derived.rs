use std::fmt;

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose,
    PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::{
    Secret,
    error::{IdentityError, Kind},
    key::DerivedKey,
};

/// What distinguishes the derived authorities of a program. Changing it, or anything below that is part of the
/// certificate, changes the authority: clients that trust the old one refuse the new one.
#[derive(Debug)]
pub(super) struct Purpose {
    /// Follows the context in the label that the key is derived with.
    pub(super) label: &'static str,
    /// The readable part of the common name, between the context and a part of the key's hash.
    pub(super) common_name: &'static str,
}

/// Leaves room for the rest of a common name, which has at most 64 characters (RFC 5280, A.1).
const MAX_CONTEXT: usize = 32;

/// A certificate authority. All of it is derived from the secret or fixed.
///
/// The key is on P-256, because browsers do not accept Ed25519. It can issue certificates, but no further authorities.
/// It is valid from 2020-01-01 to 2049-12-31, because dates from 2050 on are encoded differently (RFC 5280, 4.1.2.5),
/// and few certificates have such dates.
#[derive(Debug)]
pub(super) struct DerivedAuthority {
    pub(super) issuer: Issuer<'static, DerivedKey>,
    certificate: Certificate,
}

impl DerivedAuthority {
    pub(super) fn derive(secret: &Secret, context: &str, purpose: &Purpose) -> Result<Self, IdentityError> {
        if context.is_empty() || context.len() > MAX_CONTEXT {
            return Err(Kind::Context(context.to_owned()).into());
        }
        let key = DerivedKey::derive(secret, &format!("{context} {}", purpose.label))?;
        let params = params(&key, &format!("{context} {}", purpose.common_name));
        let certificate = params.self_signed(&key).map_err(Kind::Certificate)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    pub(super) fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    pub(super) fn certificate_der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    pub(super) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.certificate_der()).into())
    }
}

/// The contents of the authority's certificate.
fn params(key: &DerivedKey, common_name: &str) -> CertificateParams {
    let key_hash = Sha256::digest(key.subject_public_key_info());
    // Lets people and software tell two authorities in one trust store apart.
    let shown = base16ct::lower::encode_string(&key_hash[..4]);
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("{common_name} {shown}"));
    params.serial_number = Some(serial_number(&key_hash[..16]));
    // RFC 7093, 2, method 1, spelled out because a library's default can change.
    params.key_identifier_method = KeyIdMethod::PreSpecified(key_hash[..20].to_vec());
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2049, 12, 31);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

/// A serial number from at most 20 bytes: positive and without a leading zero (RFC 5280, 4.1.2.2).
pub(super) fn serial_number(bytes: &[u8]) -> SerialNumber {
    let mut bytes = bytes.to_vec();
    if let Some(first) = bytes.first_mut() {
        *first = *first & 0x7f | 0x40;
    }
    SerialNumber::from(bytes)
}

/// The SHA-256 of a certificate. Displayed like the output of `openssl x509 -fingerprint -sha256`: `AB:CD:…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fingerprint([u8; 32]);

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}
