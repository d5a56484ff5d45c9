//! Errors in files with keys for tokens.

use std::{io, path::PathBuf};

use pmesh_layers::jwt::InvalidKeys;

/// Why the keys in a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JwtKeysError {
    /// It is missing, or not readable.
    #[error("{origin}: cannot read {path}")]
    Unreadable {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// It does not contain usable keys.
    #[error("{origin}: cannot use {path} as keys for tokens")]
    Invalid {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The cause.
        source: InvalidKeys,
    },
    /// It contains something else.
    #[error("{origin}: cannot use {path}: {instead}")]
    Instead {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What to do instead.
        instead: &'static str,
    },
    /// The algorithms of a route do not fit.
    #[error("{origin}: `algorithms` allows none that the keys in {path} are for: {supported}")]
    NoAlgorithm {
        /// Where the file was configured.
        origin: String,
        /// The file.
        path: PathBuf,
        /// The algorithms of the keys.
        supported: String,
    },
}

impl JwtKeysError {
    /// Where the file was configured.
    pub fn origin(&self) -> &str {
        match self {
            Self::Unreadable { origin, .. }
            | Self::Invalid { origin, .. }
            | Self::Instead { origin, .. }
            | Self::NoAlgorithm { origin, .. } => origin,
        }
    }
}
