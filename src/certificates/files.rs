//! Certificates from files, found by the names that they are valid for.

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use humantime::format_rfc3339_seconds;
use pmesh_layers::host::{HostName, HostPattern, parents};
use rustls::{
    InconsistentKeys, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime},
};
use webpki::{EndEntityCert, KeyUsage};

use super::{CertificateError, served::Served, tls::Tls};
use crate::{pem, settings::CertificateFiles};

/// The certificates from files, found by the names that they are valid for.
#[derive(Debug, Default)]
pub(super) struct Files {
    /// In the order of the settings.
    pub(super) pairs: Vec<Arc<Pair>>,
    exact: HashMap<HostName, Arc<ServerConfig>>,
    /// By the parent of the wildcard.
    wildcard: HashMap<HostName, Arc<ServerConfig>>,
    by_digest: HashMap<Digest, Arc<Loaded>>,
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
                // The first file with the name wins.
                place.or_insert_with(|| pair.loaded.config.clone());
            }
        }
        let by_digest = pairs.iter().map(|pair| (pair.loaded.digest, pair.loaded.clone())).collect();
        Self { pairs, exact, wildcard, by_digest }
    }

    /// The configuration whose certificate is valid for `name`. A wildcard covers one label (RFC 9525, 6.3).
    pub(super) fn find(&self, name: &HostName) -> Option<Arc<ServerConfig>> {
        self.exact.get(name).or_else(|| self.wildcard.get(parents(name.as_str()).next()?)).cloned()
    }
}

/// A pair of files, and the names that it is valid for.
#[derive(Debug)]
pub(super) struct Pair {
    pub(super) files: CertificateFiles,
    pub(super) loaded: Arc<Loaded>,
    names: Vec<HostPattern>,
    /// Possible problems, one per line.
    pub(super) doubts: Vec<String>,
}

/// The contents of a pair of files, parsed once.
#[derive(Debug)]
pub(super) struct Loaded {
    digest: Digest,
    pub(super) chain: Vec<CertificateDer<'static>>,
    pub(super) not_after: Option<SystemTime>,
    config: Arc<ServerConfig>,
}

impl Pair {
    pub(super) fn log_in_use(&self) {
        let CertificateFiles { cert, key, origin, .. } = &self.files;
        let until = self.loaded.not_after.map(|time| format!(", valid until {}", format_rfc3339_seconds(time)));
        tracing::info!(
            "{origin}: now using the new certificate in {} with the key in {}{}",
            cert.display(),
            key.display(),
            until.unwrap_or_default()
        );
    }
}

/// Digest of the certificates and the key.
type Digest = [u8; 32];

impl CertificateFiles {
    /// Reads the files. If `previous` has the same contents, they are not parsed again.
    pub(super) fn load(&self, tls: &Tls, served: &Served, previous: &Files) -> Result<Pair, CertificateError> {
        let chain = pem::certificates(&self.cert, &self.origin)?;
        let key = pem::private_key(&self.key, &self.key_origin)?;
        let digest = pem::digest(chain.iter().map(|certificate| &**certificate).chain([key.secret_der()]));
        let loaded = match previous.by_digest.get(&digest) {
            Some(same) => Arc::clone(same),
            None => Arc::new(self.parse(digest, chain, key, tls)?),
        };
        let certificate = self.end_entity(&loaded.chain)?;
        let doubt = |problem: &str| format!("{}: the certificate in {} {problem}", self.origin, self.cert.display());
        let mut doubts: Vec<_> = out_of_date(&certificate, UnixTime::now()).into_iter().map(doubt).collect();
        let names = names(&certificate, served);
        if !names.iter().any(|name| served.overlaps(name)) {
            doubts.push(doubt("is not valid for any served name"));
        }
        Ok(Pair { files: self.clone(), loaded, names, doubts })
    }

    fn parse(
        &self,
        digest: Digest,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        tls: &Tls,
    ) -> Result<Loaded, CertificateError> {
        let not_after = not_after(&self.end_entity(&chain)?);
        let config = tls.server_config(chain.clone(), key).map_err(|error| self.bad_key(error))?;
        Ok(Loaded { digest, chain, not_after, config })
    }

    /// The server's own certificate.
    fn end_entity<'a>(&self, chain: &'a [CertificateDer<'_>]) -> Result<EndEntityCert<'a>, CertificateError> {
        EndEntityCert::try_from(&chain[0]).map_err(|source| CertificateError::BadCertificate {
            origin: self.origin.clone(),
            path: self.cert.clone(),
            source,
        })
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

/// The names that a certificate is valid for: its DNS names, and those served addresses that it lists.
fn names(certificate: &EndEntityCert<'_>, served: &Served) -> Vec<HostPattern> {
    let addresses = served.addresses().filter(|address| {
        server_name(address).is_some_and(|name| certificate.verify_is_valid_for_subject_name(&name).is_ok())
    });
    let addresses = addresses.cloned().map(HostPattern::Exact);
    certificate.valid_dns_names().filter_map(|name| name.parse().ok()).chain(addresses).collect()
}

/// The address in the form that TLS uses; `None` if it only looks like one (`1.2.3`).
pub(super) fn server_name(address: &HostName) -> Option<ServerName<'_>> {
    ServerName::try_from(address.as_str().trim_matches(['[', ']'])).ok()
}

/// A problem with the certificate's dates, if there is one.
fn out_of_date(certificate: &EndEntityCert<'_>, now: UnixTime) -> Option<&'static str> {
    match verified_at(certificate, now) {
        webpki::Error::CertExpired { .. } => Some("has expired"),
        webpki::Error::CertNotValidYet { .. } => Some("is not valid yet"),
        _ => None,
    }
}

/// When the certificate expires. webpki reveals this only in the error for an expired certificate.
fn not_after(certificate: &EndEntityCert<'_>) -> Option<SystemTime> {
    match verified_at(certificate, UnixTime::since_unix_epoch(Duration::MAX)) {
        webpki::Error::CertExpired { not_after, .. } => {
            UNIX_EPOCH.checked_add(Duration::from_secs(not_after.as_secs()))
        }
        _ => None,
    }
}

/// Without roots, verification always fails, but it reports wrong dates before the missing root.
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
}
