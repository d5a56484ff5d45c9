//! The certificates of a TLS listener: for each served name one from a file, or else one that the authority issues.

mod error;
mod files;
mod issued;
mod tls;
mod watch;

use std::{collections::HashMap, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
pub use error::CertificateError;
use pmesh_layers::{
    host::{HostName, HostPattern, parents},
    identity::Authority,
};
use rustls::ServerConfig;
pub use watch::{CertificateWatch, Looked};

use crate::settings::CertificateFiles;

use self::{
    files::Files,
    issued::{IssuedBelow, IssuedFor, Issuer},
    tls::Tls,
};

/// How many names below one wildcard have issued certificates at a time. A name that is asked for again after it was
/// evicted costs another signature, so less than a millisecond.
const NAMES_BELOW: usize = 1024;

/// The TLS configuration for each served name, shared by all workers.
///
/// Which certificate a name gets is decided by the name alone. One from the files wins over one that the authority
/// issues; among the files, one that lists the name wins over one with a wildcard, and an earlier over a later one.
/// The authority issues at the first handshake that needs it, for that name alone: were one certificate good for
/// several names, browsers would ask for all of them over one connection, and SNI and request would not match. It
/// replaces what it has issued when a third of the lifetime is left.
///
/// All certificates speak TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, ask for no client certificate, and resume sessions by
/// tickets alone, under one key for all: rustls resumes a session only for the name that it was made for (RFC 6066, 3).
///
/// A [`CertificateWatch`] takes up files that change.
#[derive(Debug)]
pub struct Certificates {
    issuer: Issuer,
    files: ArcSwap<Files>,
    exact: HashMap<HostName, IssuedFor>,
    /// By the name that they are below.
    below: HashMap<HostName, IssuedBelow>,
}

impl Certificates {
    /// Reads the files and finds each pattern its certificate. A file that is out of date, or of no use to any
    /// pattern, is not refused but among the [`doubts`](Self::doubts).
    ///
    /// # Errors
    ///
    /// [`CertificateError`], naming the file and where it was configured, when it cannot be read, holds no certificate or
    /// no key, or when the two do not belong together; and naming a pattern that looks like an IP address but is none.
    pub fn new(
        files: &[CertificateFiles],
        authority: Arc<Authority>,
        patterns: impl IntoIterator<Item = HostPattern>,
    ) -> Result<Self, CertificateError> {
        let issuer = Issuer::new(authority, Tls::new()?);
        let (mut exact, mut below) = (HashMap::new(), HashMap::new());
        for pattern in patterns {
            match pattern {
                HostPattern::Exact(name) => {
                    if name.is_ip() && files::server_name(&name).is_none() {
                        return Err(CertificateError::NotAnAddress { name });
                    }
                    exact.entry(name).or_default();
                }
                HostPattern::Below(parent) => {
                    below.entry(parent).or_insert_with(|| IssuedBelow::new(NAMES_BELOW));
                }
            }
        }
        let made = Self { issuer, files: ArcSwap::default(), exact, below };
        let patterns = made.patterns();
        let pairs = files.iter().map(|pair| Ok(Arc::new(pair.load(&made.issuer.tls, &patterns)?)));
        let pairs = pairs.collect::<Result<Vec<_>, CertificateError>>()?;
        made.files.store(Arc::new(Files::new(pairs)));
        Ok(made)
    }

    /// What is served.
    fn patterns(&self) -> Vec<HostPattern> {
        let exact = self.exact.keys().cloned().map(HostPattern::Exact);
        exact.chain(self.below.keys().cloned().map(HostPattern::Below)).collect()
    }

    /// What may be wrong with the files, a line each: to be warned of.
    pub fn doubts(&self) -> Vec<String> {
        self.files.load().pairs.iter().flat_map(|pair| pair.doubts.clone()).collect()
    }

    /// Connections from now on are shown what `authority` issues, where no file has a certificate. Those that are there go
    /// on, and sessions are resumed.
    pub fn replace_authority(&self, authority: Arc<Authority>) {
        self.issuer.replace_authority(authority);
    }

    /// The configuration for connections to `name`; `None` where no pattern serves it.
    ///
    /// Of the patterns that match, an exact one wins over a wildcard, and a longer wildcard over a shorter one. Names
    /// that a pattern or a file lists are found without a lock. Where the authority cannot issue, which is logged, the
    /// name is treated as not served.
    pub fn server_config(&self, name: &HostName) -> Option<Arc<ServerConfig>> {
        self.server_config_at(name, SystemTime::now())
    }

    fn server_config_at(&self, name: &HostName, now: SystemTime) -> Option<Arc<ServerConfig>> {
        let from_files = || self.files.load().find(name);
        if let Some(issued) = self.exact.get(name) {
            return from_files().or_else(|| issued.config(&self.issuer, name, now));
        }
        let below = parents(name.as_str()).find_map(|parent| self.below.get(parent))?;
        from_files().or_else(|| below.config(&self.issuer, name, now))
    }
}

#[cfg(test)]
mod tests;
