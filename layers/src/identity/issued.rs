use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rcgen::{
    CertificateParams, DistinguishedName, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    SanType, date_time_ymd,
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::{
    authority::serial_number,
    error::{IdentityError, Kind},
    key::DerivedKey,
    random,
};
use crate::host::{HostName, HostPattern};

/// How long an issued certificate is valid from the moment it is issued: 90 days. Long enough that a client with a
/// slow clock accepts one that is replaced in time, and well below every client's maximum (Apple's is 825 days for
/// authorities that people add).
pub const LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long before the moment of issue a certificate is valid, for clients whose clock is late: a day.
pub const CLOCK_SLACK: Duration = Duration::from_secs(24 * 60 * 60);

/// The last second that a certificate can name: 9999-12-31T23:59:59Z (RFC 5280, 4.1.2.5), in seconds since 1970.
const END_OF_TIME: u64 = 253_402_300_799;

/// A certificate for a server, and its key.
#[derive(Debug)]
#[non_exhaustive]
pub struct Issued {
    /// What the server sends: the certificate alone, since clients have the authority's own.
    pub chain: Vec<CertificateDer<'static>>,
    /// The private key, in PKCS #8.
    pub key: PrivateKeyDer<'static>,
    /// The first moment of validity: [`CLOCK_SLACK`] before it was issued.
    pub not_before: SystemTime,
    /// The last moment of validity: [`LIFETIME`] after it was issued.
    pub not_after: SystemTime,
}

pub(super) fn issue(
    issuer: &Issuer<'static, DerivedKey>,
    name: &HostPattern,
    now: SystemTime,
) -> Result<Issued, IdentityError> {
    let now = now.duration_since(UNIX_EPOCH).map_err(|_| Kind::Clock)?.as_secs();
    let not_before = Duration::from_secs(now.saturating_sub(CLOCK_SLACK.as_secs()));
    let not_after = now
        .checked_add(LIFETIME.as_secs())
        .filter(|end| *end <= END_OF_TIME)
        .map(Duration::from_secs)
        .ok_or(Kind::Clock)?;
    let mut serial = [0; 16];
    random::fill(&mut serial)?;
    let key = KeyPair::generate().map_err(Kind::Certificate)?;

    let mut params = CertificateParams::default();
    // Clients read the alternative name alone; a common name holds no more than 64 bytes.
    params.distinguished_name = DistinguishedName::new();
    params.subject_alt_names = vec![alternative_name(name)?];
    params.serial_number = Some(serial_number(&serial));
    let epoch = date_time_ymd(1970, 1, 1);
    params.not_before = epoch + not_before;
    params.not_after = epoch + not_after;
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
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

fn alternative_name(name: &HostPattern) -> Result<SanType, IdentityError> {
    let dns = match name {
        HostPattern::Exact(address) if address.is_ip() => return ip_address(address),
        name => name.to_string(),
    };
    Ok(SanType::DnsName(dns.try_into().map_err(Kind::Certificate)?))
}

fn ip_address(address: &HostName) -> Result<SanType, IdentityError> {
    let text = address.as_str();
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let ip = bare.parse().map_err(|_| Kind::NotAnAddress(address.clone()))?;
    Ok(SanType::IpAddress(ip))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Authority;

    fn issue(name: &str, now: SystemTime) -> Result<Issued, IdentityError> {
        Authority::derive(&"1".repeat(64).parse().unwrap()).unwrap().issue(&name.parse().unwrap(), now)
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
    fn what_looks_like_an_address_and_is_none_is_an_error() {
        for name in ["1.2.3", "999.1.1.1"] {
            let error = issue(name, SystemTime::now()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }

    #[test]
    fn keys_and_serial_numbers_are_new_and_debug_shows_no_key() {
        let (first, second) = (issue("a.example", UNIX_EPOCH).unwrap(), issue("a.example", UNIX_EPOCH).unwrap());
        assert_ne!(first.key.secret_der(), second.key.secret_der());
        assert_ne!(first.chain, second.chain);
        assert!(format!("{first:?}").contains("key elided"), "{first:?}");
    }
}
