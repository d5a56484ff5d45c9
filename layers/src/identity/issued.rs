use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{
    derived::serial_number,
    error::{IdentityError, Kind},
    key::DerivedKey,
    random,
};

/// How long a certificate of the [`Authority`](super::Authority) is valid after it is issued: 90 days. That is long
/// enough that clients with a slow clock accept its replacement, and well below every client's maximum (Apple's is 825
/// days for authorities that people add).
pub const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How far certificates are backdated, for clients with a slow clock: one day.
pub const CLOCK_SLACK: Duration = Duration::from_secs(24 * 60 * 60);

/// The last second that a certificate can name: 9999-12-31T23:59:59Z (RFC 5280, 4.1.2.5), in seconds since 1970.
const END_OF_TIME: u64 = 253_402_300_799;

/// A certificate and its key.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued {
    /// The certificates to send in a handshake: just the issued one, because the other side has the authority's.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, in PKCS #8 format.
    pub key: PrivateKeyDer<'static>,
    /// The start of its validity, some time before it was issued.
    pub not_before: SystemTime,
    /// The end of its validity.
    pub not_after: SystemTime,
}

/// The contents of a certificate to be issued.
#[derive(Debug)]
pub(super) struct Leaf {
    pub(super) name: SanType,
    pub(super) usage: ExtendedKeyUsagePurpose,
    /// How far it is backdated.
    pub(super) slack: Duration,
    /// How long it is valid after it is issued.
    pub(super) lifetime: Duration,
}

impl Leaf {
    /// Issues the certificate, with a new key.
    pub(super) fn issue(self, issuer: &Issuer<'_, DerivedKey>, now: SystemTime) -> Result<Issued, IdentityError> {
        let now = now.duration_since(UNIX_EPOCH).map_err(|_| Kind::Clock)?.as_secs();
        let not_before = Duration::from_secs(now.saturating_sub(self.slack.as_secs()));
        let not_after = now
            .checked_add(self.lifetime.as_secs())
            .filter(|end| *end <= END_OF_TIME)
            .map(Duration::from_secs)
            .ok_or(Kind::Clock)?;
        let mut serial = [0; 16];
        random::fill(&mut serial)?;
        let key = KeyPair::generate().map_err(Kind::Certificate)?;

        let mut params = CertificateParams::default();
        // Clients read only the alternative name, and a common name has at most 64 bytes.
        params.distinguished_name = DistinguishedName::new();
        params.subject_alt_names = vec![self.name];
        params.serial_number = Some(serial_number(&serial));
        let epoch = date_time_ymd(1970, 1, 1);
        params.not_before = epoch + not_before;
        params.not_after = epoch + not_after;
        params.is_ca = IsCa::ExplicitNoCa;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![self.usage];
        params.key_identifier_method = KeyIdMethod::Sha256;
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&key, issuer).map_err(Kind::Certificate)?;

        Ok(Issued {
            chain: vec![certificate.into()],
            key: key.into(),
            not_before: UNIX_EPOCH + not_before,
            not_after: UNIX_EPOCH + not_after,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Authority;

    fn issue(name: &str, now: SystemTime) -> Result<Issued, IdentityError> {
        Authority::derive(&"1".repeat(64).parse().unwrap(), "example").unwrap().issue(&name.parse().unwrap(), now)
    }

    #[test]
    fn validity_starts_a_day_early_and_ends_after_90_days() {
        let day = |days: u64| UNIX_EPOCH + Duration::from_secs(days * 24 * 60 * 60);
        let issued = issue("a.example", day(20_000) + Duration::from_millis(1)).unwrap();
        assert_eq!((issued.not_before, issued.not_after), (day(19_999), day(20_090)));
    }

    #[test]
    fn impossible_dates_are_errors() {
        assert!(issue("a.example", UNIX_EPOCH - Duration::from_secs(1)).is_err());
        assert!(issue("a.example", UNIX_EPOCH).is_ok());
        let end = UNIX_EPOCH + Duration::from_secs(END_OF_TIME);
        assert!(issue("a.example", end - LIFETIME).is_ok());
        assert!(issue("a.example", end - LIFETIME + Duration::from_secs(1)).is_err());
    }

    #[test]
    fn keys_and_serial_numbers_are_new_and_debug_shows_no_key() {
        let (first, second) = (issue("a.example", UNIX_EPOCH).unwrap(), issue("a.example", UNIX_EPOCH).unwrap());
        assert_ne!(first.key.secret_der(), second.key.secret_der());
        assert_ne!(first.chain, second.chain);
        assert!(format!("{first:?}").contains("key elided"), "{first:?}");
    }
}
