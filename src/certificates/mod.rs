//! The certificates of a TLS listener: for each served name one from a file, or else one that the authority issues.

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
pub use watch::{CertificateWatch, Looked};

use crate::settings::CertificateFiles;

use self::{
    files::{Files, Pair},
    issued::{IssuedBelow, IssuedFor},
    served::Served,
};

/// How many names below one wildcard have issued certificates at a time. A name that is asked for again after it was
/// evicted costs another signature, so less than a millisecond.
const NAMES_BELOW: NonZeroUsize = NonZeroUsize::new(1024).expect("more than 0");

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
/// Built whole for one set of served names, then never changed but for files that a [`CertificateWatch`] reads again. What
/// outlives a reload is taken over from the previous one.
#[derive(Debug)]
pub struct Certificates {
    issuer: Arc<Issuer>,
    files: ArcSwap<Files>,
    exact: HashMap<HostName, Arc<IssuedFor>>,
    /// By the name that they are below.
    below: HashMap<HostName, Arc<IssuedBelow>>,
}

impl Certificates {
    /// Reads the files and finds each pattern its certificate. A file that is out of date, or of no use to any
    /// pattern, is not refused but among the [`doubts`](Self::doubts).
    ///
    /// What was issued for a pattern of `previous` is shared with it, and a file with the same contents is not parsed
    /// again. `previous` stays as it is, whatever the outcome.
    ///
    /// # Errors
    ///
    /// [`CertificateError`], naming the file and where it was configured, when it cannot be read, holds no certificate or
    /// no key, or when the two do not belong together; and naming a pattern that looks like an IP address but is none.
    pub fn new(
        issuer: Arc<Issuer>,
        files: &[CertificateFiles],
        patterns: impl IntoIterator<Item = HostPattern>,
        previous: Option<&Self>,
    ) -> Result<Self, CertificateError> {
        // Those of another issuer have other ticket keys.
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

    /// What may be wrong with the files, a line each: to be warned of.
    pub fn doubts(&self) -> Vec<String> {
        self.files.load().pairs.iter().flat_map(|pair| pair.doubts.clone()).collect()
    }

    /// Logs which files have another certificate than in `previous`, and returns how many. For a reload, which reads
    /// them again before the watch of the previous ones has had a look.
    pub fn log_renewed(&self, previous: &Self) -> usize {
        let (files, previous) = (self.files.load(), previous.files.load());
        let before: HashMap<_, _> = previous.pairs.iter().map(|pair| (&pair.files.cert, pair)).collect();
        let is_renewed = |pair: &&Arc<Pair>| {
            before.get(&pair.files.cert).is_some_and(|before| before.loaded.chain != pair.loaded.chain)
        };
        files.pairs.iter().filter(is_renewed).inspect(|pair| pair.log_in_use()).count()
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
