use std::sync::Arc;

use humantime::format_rfc3339_seconds;

use super::{
    Certificates,
    files::{Files, Pair},
};
use crate::{
    file_watch::{FileWatch, Look},
    settings::CertificateFiles,
};

/// Watches the files of certificates and keys, and puts changed ones to use.
#[derive(Debug)]
pub struct CertificateWatch(Vec<Watched>);

#[derive(Debug)]
struct Watched {
    files: CertificateFiles,
    watch: FileWatch,
}

impl CertificateWatch {
    /// Watches `pairs` from now on. Call it before they are read, so that no change is missed.
    pub fn new(pairs: &[CertificateFiles]) -> Self {
        let watched = |files: &CertificateFiles| Watched {
            watch: FileWatch::new([files.cert.clone(), files.key.clone()]),
            files: files.clone(),
        };
        Self(pairs.iter().map(watched).collect())
    }

    /// Reads the files that have changed since the last look, or all of them if `all` is set, and uses them for new
    /// handshakes. `certificates` must have been made from the same pairs.
    ///
    /// If a pair cannot be used, the previous one stays in use; other pairs are not affected. It is logged once per
    /// change and read again at each look, because the two files may be replaced one after the other. TLS sessions
    /// that began with a replaced certificate can still be resumed.
    pub fn look(&mut self, certificates: &Certificates, all: bool) -> Looked {
        let mut patterns = None;
        let mut read = Vec::new();
        for (index, watched) in self.0.iter_mut().enumerate() {
            let Watched { files, watch } = watched;
            let load = || {
                let patterns = patterns.get_or_insert_with(|| certificates.patterns());
                files.load(&certificates.issuer.tls, patterns)
            };
            match watch.look(all, load) {
                Look::Read(pair) => read.push((index, pair)),
                Look::Failed(Some(error)) => {
                    tracing::warn!("cannot use a new certificate; the previous one stays in use: {error}");
                }
                Look::Unchanged | Look::Failed(None) => {}
            }
        }
        let unusable = self.0.iter().filter(|watched| watched.watch.has_failed()).count();
        Looked { new: self.take(certificates, read), unusable }
    }

    /// Returns how many are new.
    fn take(&self, certificates: &Certificates, read: Vec<(usize, Pair)>) -> usize {
        let mut pairs = certificates.files.load().pairs.clone();
        let mut new = Vec::new();
        for (index, pair) in read {
            if pair.chain != pairs[index].chain {
                pairs[index] = Arc::new(pair);
                new.push(index);
            }
        }
        if !new.is_empty() {
            certificates.files.store(Arc::new(Files::new(pairs.clone())));
        }
        for &index in &new {
            let (pair, CertificateFiles { cert, key, origin, .. }) = (&pairs[index], &self.0[index].files);
            let until = pair.not_after.map(|time| format!(", valid until {}", format_rfc3339_seconds(time)));
            tracing::info!(
                "{origin}: a new certificate is in use from now on, that in {} with the key in {}{}",
                cert.display(),
                key.display(),
                until.unwrap_or_default()
            );
            for doubt in &pair.doubts {
                tracing::warn!("{doubt}");
            }
        }
        new.len()
    }
}

/// What a look has found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looked {
    /// How many certificates are new.
    pub new: usize,
    /// How many pairs of files cannot be used.
    pub unusable: usize,
}
