use std::io;

use super::open::is_out_of_resources;

/// Why a [`Files`](super::Files) service has no file for a request.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FilesError {
    /// There is no such file, or it must not be served.
    #[error("no such file")]
    NotFound,
    /// The method is neither GET nor HEAD.
    #[error("files can only be requested with GET and HEAD")]
    MethodNotAllowed,
    /// The process has no permission to read the file.
    #[error("no permission to read the file")]
    Denied,
    /// The file cannot be read.
    #[error("cannot read the file")]
    Io(#[source] io::Error),
}

impl FilesError {
    /// Whether the machine has run out of file descriptors or memory.
    pub fn is_out_of_resources(&self) -> bool {
        matches!(self, Self::Io(error) if is_out_of_resources(error))
    }
}

impl From<io::Error> for FilesError {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied { Self::Denied } else { Self::Io(error) }
    }
}
