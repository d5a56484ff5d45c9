use std::time::SystemTime;

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::pki_types::CertificateDer;

use super::{
    CLOCK_SLACK, LIFETIME, Secret,
    derived::{DerivedAuthority, Fingerprint, Purpose},
    error::{IdentityError, Kind},
    issued::{Issued, Leaf},
};
use crate::host::{HostName, HostPattern};

const PURPOSE: Purpose = Purpose { label: "authority for public names v1", common_name: "local authority" };

/// A certificate authority that is derived from a [`Secret`] and issues certificates for browsers and other clients.
///
/// Its certificate is the same on every node, on every start, and in every version: all of it is either derived from
/// the secret or fixed. It is valid from 2020-01-01 to 2049-12-31, and cannot issue further authorities.
#[derive(Debug)]
pub struct Authority(DerivedAuthority);

impl Authority {
    /// Derives the authority of a program. `context` is the program's name, 1 to 32 bytes. It must never change,
    /// because another context gives an unrelated authority. People see it in the certificate, as in `example local
    /// authority 5a17c0de`.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if `context` is empty or too long, or if the certificate cannot be created, which no
    /// known secret causes.
    pub fn derive(secret: &Secret, context: &str) -> Result<Self, IdentityError> {
        DerivedAuthority::derive(secret, context, &PURPOSE).map(Self)
    }

    /// The certificate as PEM text, for trust stores and `curl --cacert`. It contains nothing secret.
    pub fn certificate_pem(&self) -> String {
        self.0.certificate_pem()
    }

    /// The certificate in DER.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        self.0.certificate_der()
    }

    /// The fingerprint of the certificate, in the form that trust stores show.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint()
    }

    /// Issues a server certificate for one name, with its own new key, valid from [`CLOCK_SLACK`] before `now` until
    /// [`LIFETIME`] after it.
    ///
    /// The certificate names a host as a DNS name, an IP address as an IP address, and `*.example.com` as a wildcard. TLS
    /// clients accept a wildcard only for names one label below `example.com` (RFC 9525, 6.3). Many accept no wildcard
    /// below a single label, such as `*.localhost`.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if the name looks like an IP address but is not one (`1.2.3`), if `now` is before 1970,
    /// if the validity ends after 9999, or if the system provides no random numbers.
    pub fn issue(&self, name: &HostPattern, now: SystemTime) -> Result<Issued, IdentityError> {
        let leaf = Leaf {
            name: alternative_name(name)?,
            usage: ExtendedKeyUsagePurpose::ServerAuth,
            slack: CLOCK_SLACK,
            lifetime: LIFETIME,
        };
        leaf.issue(&self.0.issuer, now)
    }
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

    fn authority(digit: &str) -> Authority {
        Authority::derive(&digit.repeat(64).parse().unwrap(), "pmesh").unwrap()
    }

    /// Pins every byte. After a change, people would have to install the authority again on every client.
    #[test]
    fn the_certificate_never_changes() {
        assert_eq!(
            authority("1").fingerprint().to_string(),
            "9B:61:EE:FE:A5:1C:C7:3E:BA:18:74:B9:45:DC:CF:18:92:78:7C:6C:6B:4E:D1:FC:A6:CD:FD:E5:D8:0C:84:40"
        );
    }

    #[test]
    fn each_secret_has_its_own_authority() {
        assert_eq!(authority("1").certificate_der(), authority("1").certificate_der());
        assert_ne!(authority("1").certificate_der(), authority("2").certificate_der());
    }

    #[test]
    fn each_context_has_its_own_authority() {
        let secret: Secret = "1".repeat(64).parse().unwrap();
        let other = Authority::derive(&secret, "example").unwrap();
        assert_ne!(authority("1").certificate_der(), other.certificate_der());
        let subject = b"example local authority ";
        assert!(other.certificate_der().windows(subject.len()).any(|window| window == subject));
        for (context, fits) in [("", false), (&*"c".repeat(32), true), (&*"c".repeat(33), false)] {
            assert_eq!(Authority::derive(&secret, context).is_ok(), fits, "{context}");
        }
    }

    #[test]
    fn a_name_that_only_looks_like_an_address_is_an_error() {
        for name in ["1.2.3", "999.1.1.1"] {
            let error = authority("1").issue(&name.parse().unwrap(), SystemTime::now()).unwrap_err();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}
