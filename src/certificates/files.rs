use std::{
    collections::HashMap,
    fs, io,
    path::Path,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use pmesh_layers::host::{HostName, HostPattern, parents};
use rustls::{
    InconsistentKeys, ServerConfig,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName, UnixTime,
        pem::{self, PemObject},
    },
};
use webpki::{EndEntityCert, KeyUsage};
use zeroize::Zeroizing;

use super::{CertificateError, tls::Tls};
use crate::settings::CertificateFiles;

/// The certificates from files, by the names that they are valid for.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// In the order of the settings.
    pub(super) pairs: Vec<Arc<Pair>>,
    exact: HashMap<HostName, Arc<ServerConfig>>,
    /// By the name that the wildcard stands below.
    wildcard: HashMap<HostName, Arc<ServerConfig>>,
}

impl Files {
    pub(super) fn new(pairs: Vec<Arc<Pair>>) -> Self {
        let (mut exact, mut wildcard) = (HashMap::new(), HashMap::new());
        for pair in &pairs {
            for name in &pair.names {
                let place = match name {
                    HostPattern::Exact(name) => exact.entry(name.clone()),
                    HostPattern::Below(parent) => wildcard.entry(parent.clone()),
                };
                // An earlier file wins.
                place.or_insert_with(|| pair.config.clone());
            }
        }
        Self { pairs, exact, wildcard }
    }

    /// The configuration whose certificate is valid for `name`. A wildcard stands for one label (RFC 9525, 6.3).
    pub(super) fn find(&self, name: &HostName) -> Option<Arc<ServerConfig>> {
        self.exact.get(name).or_else(|| self.wildcard.get(parents(name.as_str()).next()?)).cloned()
    }
}

/// What a certificate and its key in files come to.
#[derive(Debug)]
pub(super) struct Pair {
    names: Vec<HostPattern>,
    config: Arc<ServerConfig>,
    /// Tells whether another one is new: the key is that of the first certificate.
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) not_after: Option<SystemTime>,
    /// What it may be of no use for, a line each.
    pub(super) doubts: Vec<String>,
}

impl CertificateFiles {
    pub(super) fn load(&self, tls: &Tls, patterns: &[HostPattern]) -> Result<Pair, CertificateError> {
        let chain = self.read_chain()?;
        let certificate = EndEntityCert::try_from(&chain[0]).map_err(|source| self.bad_certificate(source))?;
        let doubt = |problem: &str| format!("{}: the certificate in {} {problem}", self.origin, self.cert.display());
        let mut doubts: Vec<_> = out_of_date(&certificate, UnixTime::now()).into_iter().map(doubt).collect();
        let names = names(&certificate, patterns);
        if !names.iter().any(|name| patterns.iter().any(|pattern| overlap(name, pattern))) {
            doubts.push(doubt("is valid for no name that is served"));
        }
        let not_after = not_after(&certificate);
        let config = tls.server_config(chain.clone(), self.read_key()?).map_err(|error| self.bad_key(error))?;
        Ok(Pair { names, config, chain, not_after, doubts })
    }

    /// The certificates: one at least.
    fn read_chain(&self) -> Result<Vec<CertificateDer<'static>>, CertificateError> {
        let path = &self.cert;
        let bytes = fs::read(path).map_err(|source| unreadable(&self.origin, path, source))?;
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&bytes)
            .collect::<Result<_, _>>()
            .map_err(|error| damaged(&self.origin, path, error))?;
        if chain.is_empty() {
            return Err(CertificateError::NoCertificate { origin: self.origin.clone(), path: path.clone() });
        }
        Ok(chain)
    }

    fn read_key(&self) -> Result<PrivateKeyDer<'static>, CertificateError> {
        let (path, origin) = (&self.key, &self.key_origin);
        let bytes = Zeroizing::new(fs::read(path).map_err(|source| unreadable(origin, path, source))?);
        PrivateKeyDer::from_pem_slice(&bytes).map_err(|error| match error {
            pem::Error::NoItemsFound => CertificateError::NoKey { origin: origin.clone(), path: path.clone() },
            error => damaged(origin, path, error),
        })
    }

    fn bad_certificate(&self, source: webpki::Error) -> CertificateError {
        CertificateError::BadCertificate { origin: self.origin.clone(), path: self.cert.clone(), source }
    }

    fn bad_key(&self, error: rustls::Error) -> CertificateError {
        let origin = self.key_origin.clone();
        match error {
            rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
                CertificateError::Mismatch { origin, certificate: self.cert.clone(), key: self.key.clone() }
            }
            source => CertificateError::BadKey { origin, path: self.key.clone(), source },
        }
    }
}

fn unreadable(origin: &str, path: &Path, source: io::Error) -> CertificateError {
    CertificateError::Unreadable { origin: origin.to_owned(), path: path.to_owned(), source }
}

fn damaged(origin: &str, path: &Path, source: pem::Error) -> CertificateError {
    CertificateError::Damaged { origin: origin.to_owned(), path: path.to_owned(), source }
}

/// The names that a certificate is valid for: DNS names, and those addresses among the patterns that it lists.
fn names(certificate: &EndEntityCert<'_>, patterns: &[HostPattern]) -> Vec<HostPattern> {
    let addresses = patterns.iter().filter(|pattern| match pattern {
        HostPattern::Exact(name) if name.is_ip() => {
            server_name(name).is_some_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
        }
        _ => false,
    });
    certificate.valid_dns_names().filter_map(|name| name.parse().ok()).chain(addresses.cloned()).collect()
}

/// The address in the form that TLS knows it; `None` for what only looks like one (`1.2.3`).
pub(super) fn server_name(address: &HostName) -> Option<ServerName<'_>> {
    ServerName::try_from(address.as_str().trim_matches(['[', ']'])).ok()
}

/// Whether some name is one of both.
fn overlap(certificate: &HostPattern, served: &HostPattern) -> bool {
    match (certificate, served) {
        (HostPattern::Exact(name), pattern) => pattern.matches(name),
        (HostPattern::Below(parent), HostPattern::Exact(name)) => {
            parents(name.as_str()).next() == Some(parent.as_str())
        }
        (HostPattern::Below(parent), HostPattern::Below(above)) => parent == above || served.matches(parent),
    }
}

/// What is wrong with the certificate's dates, if anything.
fn out_of_date(certificate: &EndEntityCert<'_>, now: UnixTime) -> Option<&'static str> {
    match verified_at(certificate, now) {
        webpki::Error::CertExpired { .. } => Some("has expired"),
        webpki::Error::CertNotValidYet { .. } => Some("is not valid yet"),
        _ => None,
    }
}

/// The last moment at which it is valid, which webpki tells only of one that has expired.
fn not_after(certificate: &EndEntityCert<'_>) -> Option<SystemTime> {
    match verified_at(certificate, UnixTime::since_unix_epoch(Duration::MAX)) {
        webpki::Error::CertExpired { not_after, .. } => {
            UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

/// Without a root the path always ends in an error; that of the dates comes before that of the root.
fn verified_at(certificate: &EndEntityCert<'_>, now: UnixTime) -> webpki::Error {
    match certificate.verify_for_usage(&[], &[], &[], now, KeyUsage::server_auth(), None, None) {
        Err(error) => error,
        Ok(_) => webpki::Error::UnknownIssuer,
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn pattern(text: &str) -> HostPattern {
        text.parse().unwrap()
    }

    #[test]
    fn dates_are_checked() {
        let mut params = CertificateParams::new(["a.example".to_owned()]).unwrap();
        (params.not_before, params.not_after) = (date_time_ymd(2001, 1, 1), date_time_ymd(2002, 1, 1));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let certificate = EndEntityCert::try_from(certificate.der()).unwrap();
        let at = |year: u64| UnixTime::since_unix_epoch(Duration::from_secs((year - 1970) * 31_556_952));
        assert_eq!(out_of_date(&certificate, at(2000)), Some("is not valid yet"));
        assert_eq!(out_of_date(&certificate, UnixTime::since_unix_epoch(Duration::from_secs(1_000_000_000))), None);
        assert_eq!(out_of_date(&certificate, at(2003)), Some("has expired"));
        // 2002-01-01T00:00:00Z
        assert_eq!(not_after(&certificate), Some(UNIX_EPOCH + Duration::from_secs(1_009_843_200)));
    }

    #[test]
    fn a_file_of_use_overlaps_with_a_pattern() {
        for (certificate, served, expected) in [
            ("a.example.com", "a.example.com", true),
            ("a.example.com", "*.example.com", true),
            ("a.example.com", "b.example.com", false),
            ("*.example.com", "a.example.com", true),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "example.com", false),
            ("*.example.com", "*.example.com", true),
            ("*.b.example.com", "*.example.com", true),
            ("*.example.com", "*.b.example.com", false),
        ] {
            assert_eq!(overlap(&pattern(certificate), &pattern(served)), expected, "{certificate} {served}");
        }
    }
}
