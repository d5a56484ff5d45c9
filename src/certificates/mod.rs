//! The certificates of a TLS listener: one for each served name, from a file or issued by the authority.

mod error;
mod files;
mod issued;
mod issuer;
mod served;
mod tls;
mod watch;

use std::{collections::HashMap, num::NonZeroUsize, sync::Arc, time::SystemTime};

use arc_swap::ArcSwap;
pub use error::CertificateError;
pub use issuer::Issuer;
use pmesh_layers::host::{HostName, HostPattern, parents};
use rustls::ServerConfig;
pub use watch::{CertificateWatch, Refreshed};

use crate::settings::CertificateFiles;

use self::{
    files::{Files, Pair},
    issued::{IssuedBelow, IssuedFor},
    served::Served,
};

/// How many names below one wildcard can have issued certificates at a time. If a name is requested again after its
/// certificate was evicted, that costs another signature, which takes less than a millisecond.
const NAMES_BELOW: NonZeroUsize = NonZeroUsize::new(1024).expect("more than 0");

/// The TLS configuration for each served name, shared by all workers.
///
/// Only the name decides which certificate is presented. Files win over the authority. Among the files, one that lists
/// the name wins over one with a wildcard, and an earlier one over a later one. The authority issues a certificate at
/// the first handshake that needs it, for that name alone: with one certificate for several names, browsers would
/// request all of them over one connection, and SNI and requests would not match. Issued certificates are replaced when
/// a third of their lifetime is left.
///
/// All configurations offer TLS 1.2 and 1.3, and HTTP/2, HTTP/1.1 and HTTP/1.0 by ALPN. They do not request client
/// certificates. They resume sessions only by tickets, with one key for all. rustls resumes a session only for the name
/// that it was made for (RFC 6066, 3).
///
/// Built for one set of served names and then fixed, except for files that a [`CertificateWatch`] reads again. A reload
/// builds new ones, and reuses what it can from the previous ones.
#[derive(Debug)]
pub struct Certificates {
    issuer: Arc<Issuer>,
    files: ArcSwap<Files>,
    exact: HashMap<HostName, Arc<IssuedFor>>,
    /// By the parent of the wildcard.
    below: HashMap<HostName, Arc<IssuedBelow>>,
}

impl Certificates {
    /// Reads the files, and prepares certificates for each pattern. A certificate that is out of date or valid for no
    /// pattern is not an error, but is listed in [`doubts`](Self::doubts).
    ///
    /// Certificates that were issued for a pattern of `previous` are shared with it, and files with the same contents
    /// are not parsed again. `previous` is never changed.
    ///
    /// # Errors
    ///
    /// [`CertificateError`] if a file cannot be read or contains no certificate or key, or if the two do not match. The
    /// error names the file and where it was configured. Also if a pattern looks like an IP address but is not one.
    pub fn new(
        issuer: Arc<Issuer>,
        files: &[CertificateFiles],
        patterns: impl IntoIterator<Item = HostPattern>,
        previous: Option<&Self>,
    ) -> Result<Self, CertificateError> {
        // Certificates of another issuer have other ticket keys.
        let previous = previous.filter(|previous| Arc::ptr_eq(&previous.issuer, &issuer));
        let (mut exact, mut below) = (HashMap::new(), HashMap::new());
        for pattern in patterns {
            match pattern {
                HostPattern::Exact(name) => {
                    if name.is_ip() && files::server_name(&name).is_none() {
                        return Err(CertificateError::NotAnAddress { name });
                    }
                    let issued = previous.and_then(|previous| previous.exact.get(&name));
                    exact.entry(name).or_insert_with(|| issued.cloned().unwrap_or_default());
                }
                HostPattern::Below(parent) => {
                    let issued = previous.and_then(|previous| previous.below.get(&parent));
                    let new = || Arc::new(IssuedBelow::new(NAMES_BELOW));
                    below.entry(parent).or_insert_with(|| issued.cloned().unwrap_or_else(new));
                }
            }
        }
        let made = Self { issuer, files: ArcSwap::default(), exact, below };
        if !files.is_empty() {
            let served = made.served();
            let read = previous.map(|previous| previous.files.load_full()).unwrap_or_default();
            let pairs = files.iter().map(|pair| Ok(Arc::new(pair.load(&made.issuer.tls, &served, &read)?)));
            let pairs = pairs.collect::<Result<Vec<_>, CertificateError>>()?;
            made.files.store(Arc::new(Files::new(pairs)));
        }
        Ok(made)
    }

    fn served(&self) -> Served {
        let exact = self.exact.keys().cloned().map(HostPattern::Exact);
        exact.chain(self.below.keys().cloned().map(HostPattern::Below)).collect()
    }

    /// Possible problems with the files, one per line, to log as warnings.
    pub fn doubts(&self) -> Vec<String> {
        self.files.load().pairs.iter().flat_map(|pair| pair.doubts.clone()).collect()
    }

    /// Logs which files have a different certificate than in `previous`, and returns their number. A reload needs this,
    /// because it reads the files before the watch of the previous certificates notices a change.
    pub fn log_renewed(&self, previous: &Self) -> usize {
        let (files, previous) = (self.files.load(), previous.files.load());
        let before: HashMap<_, _> = previous.pairs.iter().map(|pair| (&pair.files.cert, pair)).collect();
        let is_renewed = |pair: &&Arc<Pair>| {
            before.get(&pair.files.cert).is_some_and(|before| before.loaded.chain != pair.loaded.chain)
        };
        files.pairs.iter().filter(is_renewed).inspect(|pair| pair.log_in_use()).count()
    }

    /// The configuration for connections to `name`; `None` if no pattern serves it.
    ///
    /// An exact pattern wins over a wildcard, and a longer wildcard over a shorter one. Names that a pattern or a file
    /// lists are found without a lock. If the authority cannot issue a certificate, that is logged, and the name is
    /// treated as not served.
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
