//! The configuration files to watch for changes.

use std::path::PathBuf;

use super::include::Include;

/// The files that settings are read from.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    files: Vec<PathBuf>,
    include: Include,
}

impl Watched {
    /// Watches `files`, and the files that `include` matches.
    pub(super) fn new(files: Vec<PathBuf>, include: Include) -> Self {
        Self { files, include }
    }

    /// The files to watch now. Patterns may match other files than when the settings were read.
    pub fn find(&self) -> Vec<PathBuf> {
        let mut files = self.files.clone();
        files.extend(self.include.files());
        files
    }
}
