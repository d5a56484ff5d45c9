use std::{fmt, time::SystemTime};

use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, KeyUsagePurpose,
    PublicKeyData, SerialNumber, date_time_ymd,
};
use rustls::pki_types::CertificateDer;
use sha2::{Digest, Sha256};

use super::{
    Secret,
    error::{IdentityError, Kind},
    issued::{self, Issued},
    key::DerivedKey,
};
use crate::host::HostPattern;

/// What the key of this authority is for. To change it, or anything below that ends up in the certificate, is to
/// change the authority: clients that trust the old one refuse the new.
const LABEL: &str = "pmesh authority for public names v1";

/// A certificate authority that is derived from a [`Secret`] and issues what browsers and other clients see.
///
/// Its certificate is the same on every node, at every start and in every version: all of it comes from the secret or
/// is fixed. The key is on P-256, since browsers accept no Ed25519; it may issue certificates for servers, but no
/// further authorities; and it is valid from 2020-01-01 to 2049-12-31, since dates from 2050 on are written in another
/// form (RFC 5280, 4.1.2.5), which few certificates have tried out.
#[derive(Debug)]
pub struct Authority {
    issuer: Issuer<'static, DerivedKey>,
    certificate: Certificate,
}

impl Authority {
    /// Derives the authority.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] when the certificate cannot be made, which happens for no secret known.
    pub fn derive(secret: &Secret) -> Result<Self, IdentityError> {
        let key = DerivedKey::derive(secret, LABEL)?;
        let params = params(&key);
        let certificate = params.self_signed(&key).map_err(Kind::Certificate)?;
        Ok(Self { issuer: Issuer::new(params, key), certificate })
    }

    /// The certificate as text, for trust stores and `curl --cacert`. It holds nothing secret.
    pub fn certificate_pem(&self) -> String {
        self.certificate.pem()
    }

    /// The certificate in DER.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        self.certificate.der()
    }

    /// The fingerprint of the certificate, as trust stores show it.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(Sha256::digest(self.certificate_der()).into())
    }

    /// Issues a server certificate for one name, with a new key of its own, valid at `now` and for
    /// [`LIFETIME`](super::LIFETIME) from then.
    ///
    /// A name becomes a DNS name of the certificate, an IP address an address of it, and `*.example.com` a
    /// wildcard, which TLS clients accept for names one label below `example.com` only (RFC 9525, 6.3). Many
    /// accept no wildcard below a single label, such as `*.localhost`.
    ///
    /// # Errors
    ///
    /// [`IdentityError`] when the name looks like an IP address but is none (`1.2.3`), when `now` is before 1970 or
    /// after 9999, or when the system gives no random numbers.
    pub fn issue(&self, name: &HostPattern, now: SystemTime) -> Result<Issued, IdentityError> {
        issued::issue(&self.issuer, name, now)
    }
}

/// What the authority's certificate says.
fn params(key: &DerivedKey) -> CertificateParams {
    let key_hash = Sha256::digest(key.subject_public_key_info());
    // Two authorities in one trust store differ in what people see and in what software compares.
    let shown: String = key_hash[..4].iter().map(|byte| format!("{byte:02x}")).collect();
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, format!("pmesh local authority {shown}"));
    params.serial_number = Some(serial_number(&key_hash[..16]));
    // RFC 7093, 2, method 1, spelled out: a library's default may change.
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

/// The SHA-256 of a certificate. Displayed as by `openssl x509 -fingerprint -sha256`: `AB:CD:…`.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn authority(digit: &str) -> Authority {
        Authority::derive(&digit.repeat(64).parse().unwrap()).unwrap()
    }

    /// Pins every byte. A change here takes away the trust in every authority that people have installed.
    #[test]
    fn the_certificate_never_changes() {
        assert_eq!(
            authority("1").fingerprint().to_string(),
            "9B:61:EE:FE:A5:1C:C7:3E:BA:18:74:B9:45:DC:CF:18:92:78:7C:6C:6B:4E:D1:FC:A6:CD:FD:E5:D8:0C:84:40"
        );
    }

    #[test]
    fn one_secret_one_authority() {
        assert_eq!(authority("1").certificate_der(), authority("1").certificate_der());
        assert_ne!(authority("1").certificate_der(), authority("2").certificate_der());
        assert_ne!(authority("1").issuer.key().der_bytes(), authority("2").issuer.key().der_bytes());
    }

    #[test]
    fn labels_give_unrelated_keys() {
        let secret = "1".repeat(64).parse().unwrap();
        let key = |label| DerivedKey::derive(&secret, label).unwrap().der_bytes().to_vec();
        assert_ne!(key(LABEL), key("another label"));
    }

    #[test]
    fn debug_shows_no_key() {
        let shown = format!("{:?}", authority("1").issuer.key());
        assert_eq!(shown, "DerivedKey(hidden)");
    }
}
