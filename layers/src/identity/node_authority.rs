use std::time::{Duration, SystemTime};

use rcgen::{ExtendedKeyUsagePurpose, SanType};
use rustls::pki_types::CertificateDer;

use super::{
    NodeName, Secret,
    derived::{DerivedAuthority, Fingerprint, Purpose},
    error::{IdentityError, Kind},
    issued::{Issued, Leaf},
};

const PURPOSE: Purpose = Purpose { label: "authority for nodes v1", common_name: "node authority" };

/// A certificate authority that is derived from a [`Secret`] and issues the certificates that nodes present to each
/// other.
///
/// It is unrelated to the [`Authority`](super::Authority) of the same secret, which clients trust. Clients that trust
/// one of them do not accept certificates from the other. Its certificate is the same on every node, on every start,
/// and in every version.
///
/// ```
/// use std::time::SystemTime;
/// use pmesh_layers::identity::{NodeAuthority, Role, Secret};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let authority = NodeAuthority::derive(&Secret::generate()?, "example")?;
/// let issued = authority.issue(&"berlin-1".parse()?, Role::Client, SystemTime::now())?;
/// assert!(issued.not_after > SystemTime::now());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct NodeAuthority(DerivedAuthority);

/// The side of a connection that presents a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The node that connects.
    Client,
    /// The node that accepts the connection.
    Server,
}

impl NodeAuthority {
    /// How long an issued certificate is valid: 24 hours. Nodes issue their own certificates, so frequent renewal is no
    /// burden.
    pub const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

    /// How far certificates are backdated, for nodes with a slow clock: one hour.
    pub const CLOCK_SLACK: Duration = Duration::from_secs(60 * 60);

    /// Derives the authority of a program. `context` is the program's name, as for
    /// [`Authority`](super::Authority::derive).
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if `context` is empty or longer than 32 bytes, or if the certificate cannot be created,
    /// which no known secret causes.
    pub fn derive(secret: &Secret, context: &str) -> Result<Self, IdentityError> {
        DerivedAuthority::derive(secret, context, &PURPOSE).map(Self)
    }

    /// The certificate in DER, for the roots of a TLS configuration.
    pub fn certificate_der(&self) -> &CertificateDer<'static> {
        self.0.certificate_der()
    }

    /// The fingerprint of the certificate. Nodes with the same fingerprint share a secret.
    pub fn fingerprint(&self) -> Fingerprint {
        self.0.fingerprint()
    }

    /// Issues a certificate for one node in one role, with its own new key. The name of the node is the only DNS name
    /// in the certificate.
    ///
    /// # Errors
    ///
    /// Returns [`IdentityError`] if `now` is before 1970, if the validity ends after 9999, or if the system provides no
    /// random numbers.
    pub fn issue(&self, name: &NodeName, role: Role, now: SystemTime) -> Result<Issued, IdentityError> {
        let leaf = Leaf {
            name: SanType::DnsName(name.as_str().try_into().map_err(Kind::Certificate)?),
            usage: match role {
                Role::Client => ExtendedKeyUsagePurpose::ClientAuth,
                Role::Server => ExtendedKeyUsagePurpose::ServerAuth,
            },
            slack: Self::CLOCK_SLACK,
            lifetime: Self::LIFETIME,
        };
        leaf.issue(&self.0.issuer, now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identity::Authority;

    fn secret(digit: &str) -> Secret {
        digit.repeat(64).parse().unwrap()
    }

    fn authority(digit: &str) -> NodeAuthority {
        NodeAuthority::derive(&secret(digit), "pmesh").unwrap()
    }

    /// Pins every byte. A change would split a mesh into nodes from before and after it.
    #[test]
    fn the_certificate_never_changes() {
        assert_eq!(
            authority("1").fingerprint().to_string(),
            "65:71:65:05:D5:23:52:59:DA:93:11:28:47:F9:17:80:B7:D3:CD:0A:E3:02:A6:82:B1:28:F5:70:0E:5B:DF:10"
        );
    }

    #[test]
    fn it_differs_from_the_public_authority() {
        let public = Authority::derive(&secret("1"), "pmesh").unwrap();
        assert_ne!(authority("1").certificate_der(), public.certificate_der());
        assert_ne!(authority("1").certificate_der(), authority("2").certificate_der());
    }

    #[test]
    fn a_certificate_is_valid_for_a_day_and_backdated_by_an_hour() {
        let hour = |hours: u64| SystemTime::UNIX_EPOCH + Duration::from_secs(hours * 60 * 60);
        let issued = authority("1").issue(&"a".parse().unwrap(), Role::Server, hour(500_000)).unwrap();
        assert_eq!((issued.not_before, issued.not_after), (hour(499_999), hour(500_024)));
    }
}
