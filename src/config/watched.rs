//! The files to watch for changes.

use std::path::PathBuf;

use super::include::Include;

/// The files that settings are read from, to be watched for changes.
#[derive(Debug, Clone, Default)]
pub struct Watched {
    files: Vec<PathBuf>,
    include: Include,
}

impl Watched {
    /// `files`, and what the main one of them includes.
    pub(super) fn new(files: Vec<PathBuf>, include: Include) -> Self {
        Self { files, include }
    }

    /// The current files: a pattern may match others than when they were read.
    pub fn find(&self) -> Vec<PathBuf> {
        let mut files = self.files.clone();
        files.extend(self.include.files());
        files
    }
}
