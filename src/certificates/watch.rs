//! Watches certificate and key files, and uses changed ones.

use std::sync::Arc;

use super::{Certificates, files::Files};
use crate::{
    file_watch::{FileWatch, Refresh},
    settings::CertificateFiles,
};

/// Watches certificate and key files, and uses changed ones.
#[derive(Debug)]
pub struct CertificateWatch(Vec<FileWatch>);

impl CertificateWatch {
    /// Watches `pairs` from now on. Create it before the files are read, so that no change is missed.
    pub fn new(pairs: &[CertificateFiles]) -> Self {
        Self(pairs.iter().map(|pair| FileWatch::new([pair.cert.clone(), pair.key.clone()])).collect())
    }

    /// Reads the files that have changed since the last refresh, or all of them if `all` is set, and uses them for new
    /// handshakes. `certificates` must have been built from the same pairs.
    ///
    /// A pair that cannot be used does not affect the others; its previous certificate stays in use. The problem is
    /// logged once per change. The pair is read again at each refresh, because its files may be replaced one after the
    /// other. TLS sessions that began with a replaced certificate can still be resumed.
    pub fn refresh(&mut self, certificates: &Certificates, all: bool) -> Refreshed {
        let files = certificates.files.load();
        let mut served = None;
        let mut pairs = files.pairs.clone();
        let mut new = Vec::new();
        for (pair, watch) in pairs.iter_mut().zip(&mut self.0) {
            let load = || {
                let served = served.get_or_insert_with(|| certificates.served());
                pair.files.load(&certificates.issuer.tls, served, &files)
            };
            match watch.refresh(all, load) {
                Refresh::Read(read) if read.loaded.chain != pair.loaded.chain => {
                    *pair = Arc::new(read);
                    new.push(Arc::clone(pair));
                }
                Refresh::Failed(Some(error)) => {
                    tracing::warn!("cannot use a new certificate; the previous one stays in use: {error}");
                }
                Refresh::Unchanged | Refresh::Read(_) | Refresh::Failed(None) => {}
            }
        }
        if !new.is_empty() {
            certificates.files.store(Arc::new(Files::new(pairs)));
        }
        for pair in &new {
            pair.log_in_use();
            for doubt in &pair.doubts {
                tracing::warn!("{doubt}");
            }
        }
        Refreshed { new: new.len(), unusable: self.0.iter().filter(|watch| watch.has_failed()).count() }
    }
}

/// The result of a refresh.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refreshed {
    /// The number of new certificates.
    pub new: usize,
    /// The number of pairs that cannot be used.
    pub unusable: usize,
}
