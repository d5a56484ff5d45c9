//! The configuration files to watch for changes.

use std::path::PathBuf;

use super::include::Include;

/// The files that settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    files: Vec<PathBuf>,
    include: Include,
    more: Vec<PathBuf>,
}

impl Watched {
    /// Watches `files`, and the files that `include` matches.
    pub(super) fn new(files: Vec<PathBuf>, include: Include) -> Self {
        Self { files, include, more: Vec::new() }
    }

    /// Watches further files.
    pub(crate) fn add(&mut self, files: &[PathBuf]) {
        self.more.extend_from_slice(files);
    }

    /// The files to watch now. Patterns may match other files than when the settings were read.
    pub fn find(&self) -> Vec<PathBuf> {
        let mut files = self.files.clone();
        files.extend(self.include.files());
        files.extend_from_slice(&self.more);
        files
    }
}
