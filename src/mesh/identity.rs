use std::{
    error::Error,
    fmt,
    path::{Path, PathBuf},
};

use pmesh_layers::{
    identity::NodeName,
    node::{NodeCertificates, NodeIdentity},
};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject};
use tower::BoxError;

use crate::{
    secret::Secrets,
    settings::{Mesh, MeshFiles},
};

/// Who the node `name` is to other nodes: with the certificates of the settings, else with those that are derived from
/// the secrets.
///
/// # Errors
///
/// A file cannot be used, or its certificate is not one that other nodes would take; it says which.
pub fn identity(name: NodeName, mesh: &Mesh, secrets: &Secrets) -> Result<NodeIdentity, BoxError> {
    let identity = match &mesh.files {
        None => NodeIdentity::new(name, secrets.iter())?,
        Some(files) => NodeIdentity::with_certificates(name, secrets.iter(), certificates(files)?)
            .map_err(|error| FileError::new(files, &files.cert, error))?,
    };
    Ok(identity.clock_window(mesh.clock_window))
}

fn certificates(files: &MeshFiles) -> Result<NodeCertificates, FileError> {
    let chain = |path: &Path| {
        let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, pem::Error>>);
        match found {
            Ok(found) if found.is_empty() => Err(FileError::new(files, path, "it holds no certificate")),
            found => found.map_err(|error| FileError::new(files, path, error)),
        }
    };
    Ok(NodeCertificates {
        roots: chain(&files.ca)?,
        chain: chain(&files.cert)?,
        key: PrivateKeyDer::from_pem_file(&files.key).map_err(|error| FileError::new(files, &files.key, error))?,
    })
}

/// A file that is of no use.
#[derive(Debug)]
struct FileError {
    origin: String,
    path: PathBuf,
    source: BoxError,
}

impl FileError {
    fn new(files: &MeshFiles, path: &Path, source: impl Into<BoxError>) -> Self {
        Self { origin: files.origin.clone(), path: path.to_owned(), source: source.into() }
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} cannot be used for nodes", self.origin, self.path.display())
    }
}

impl Error for FileError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&*self.source)
    }
}
