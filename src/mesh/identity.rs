use std::{
    fs, io,
    path::PathBuf,
    time::{Duration, SystemTime},
};

use pmesh_layers::{
    identity::{IdentityError, Secret},
    node::{NodeCertificates, NodeIdentity},
};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer,
    pem::{self, PemObject},
};
use tokio::time::sleep;
use zeroize::Zeroizing;

use crate::settings::{MeshFile, MeshFiles, Settings};

/// How often it is looked whether certificates are to be renewed.
const LOOK: Duration = Duration::from_secs(60 * 60);

/// What this node is to others: its name, the secrets, and the certificates that come from them, or those of the files.
///
/// # Errors
///
/// What is wrong with the files, or with this system.
pub fn identity<'a>(
    settings: &Settings,
    secrets: impl IntoIterator<Item = &'a Secret>,
) -> Result<NodeIdentity, NodeIdentityError> {
    let name = settings.node.clone();
    let identity = match &settings.mesh.files {
        Some(files) => {
            let certificates = files.read()?;
            NodeIdentity::with_certificates(name, secrets, certificates).map_err(|error| files.unusable(error))?
        }
        None => NodeIdentity::new(name, secrets)?,
    };
    Ok(identity.clock_window(settings.mesh.clock_window))
}

/// Renews the certificates of `identity` in time, or takes what the files hold by then, for as long as it is polled.
pub async fn keep_valid(identity: NodeIdentity, files: Option<MeshFiles>) {
    loop {
        sleep(LOOK).await;
        match renew(&identity, files.as_ref(), SystemTime::now()) {
            Ok(true) => tracing::info!("the certificates that this node shows others are renewed"),
            Ok(false) => {}
            Err(error) => {
                let error: &(dyn std::error::Error + 'static) = &error;
                tracing::error!(error, "cannot renew the certificates that this node shows others");
            }
        }
    }
}

fn renew(identity: &NodeIdentity, files: Option<&MeshFiles>, now: SystemTime) -> Result<bool, NodeIdentityError> {
    match files {
        Some(files) => {
            identity.replace_certificates(files.read()?).map_err(|error| files.unusable(error))?;
            Ok(false)
        }
        None => Ok(identity.renew(now)?),
    }
}

impl MeshFiles {
    fn read(&self) -> Result<NodeCertificates, NodeIdentityError> {
        let key = Zeroizing::new(self.key.bytes()?);
        let key = PrivateKeyDer::from_pem_slice(&key).map_err(|source| self.key.damaged(source))?;
        Ok(NodeCertificates { roots: self.ca.certificates()?, chain: self.cert.certificates()?, key })
    }

    fn unusable(&self, source: IdentityError) -> NodeIdentityError {
        NodeIdentityError::Unusable {
            origin: self.cert.origin.clone(),
            path: self.cert.path.clone(),
            source: source.into(),
        }
    }
}

impl MeshFile {
    fn certificates(&self) -> Result<Vec<CertificateDer<'static>>, NodeIdentityError> {
        let certificates = CertificateDer::pem_slice_iter(&self.bytes()?)
            .collect::<Result<Vec<_>, _>>()
            .map_err(|source| self.damaged(source))?;
        if certificates.is_empty() { Err(self.damaged(pem::Error::NoItemsFound)) } else { Ok(certificates) }
    }

    fn bytes(&self) -> Result<Vec<u8>, NodeIdentityError> {
        let Self { path, origin } = self;
        fs::read(path).map_err(|source| NodeIdentityError::Unreadable {
            origin: origin.clone(),
            path: path.clone(),
            source,
        })
    }

    fn damaged(&self, source: pem::Error) -> NodeIdentityError {
        NodeIdentityError::Damaged { origin: self.origin.clone(), path: self.path.clone(), source }
    }
}

/// Why this node has nothing to show others.
#[derive(Debug, thiserror::Error)]
pub enum NodeIdentityError {
    /// A file is missing, is not readable, or is a folder.
    #[error("{origin}: cannot read {path}")]
    Unreadable {
        /// Where the files were named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A file is damaged, or holds something else.
    #[error("{origin}: {path} is not valid PEM, or not what is expected of it")]
    Damaged {
        /// Where the files were named.
        origin: String,
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: pem::Error,
    },
    /// Other nodes would refuse the certificate.
    #[error("{origin}: the certificate in {path} cannot be used")]
    Unusable {
        /// Where the files were named.
        origin: String,
        /// The file of the certificate.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<IdentityError>,
    },
    /// Nothing can be made of the secret.
    #[error(transparent)]
    Underivable(Box<IdentityError>),
}

impl From<IdentityError> for NodeIdentityError {
    fn from(error: IdentityError) -> Self {
        Self::Underivable(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_derived_is_renewed_when_it_is_due() {
        let identity = NodeIdentity::new("a".parse().unwrap(), [&Secret::generate().unwrap()]).unwrap();
        let later = |hours: u64| SystemTime::now() + Duration::from_secs(hours * 60 * 60);
        assert!(!renew(&identity, None, later(15)).unwrap());
        assert!(renew(&identity, None, later(17)).unwrap());
        assert!(!renew(&identity, None, later(18)).unwrap());
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| MeshFile { path: folder.path().join(name), origin: format!("mesh_{name}") };
        let files = MeshFiles { ca: file("ca"), cert: file("cert"), key: file("key") };
        assert!(
            matches!(files.read().unwrap_err(), NodeIdentityError::Unreadable { path, .. } if path == files.key.path)
        );
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(&files.key.path, key.serialize_pem()).unwrap();
        fs::write(&files.ca.path, "").unwrap();
        let error = files.read().unwrap_err();
        assert!(matches!(&error, NodeIdentityError::Damaged { path, .. } if *path == files.ca.path));
        let own = rcgen::CertificateParams::new(["b".to_owned()]).unwrap().self_signed(&key).unwrap();
        for file in [&files.ca.path, &files.cert.path] {
            fs::write(file, own.pem()).unwrap();
        }
        let identity = NodeIdentity::new("a".parse().unwrap(), [&Secret::generate().unwrap()]).unwrap();
        let error = renew(&identity, Some(&files), SystemTime::now()).unwrap_err();
        assert!(matches!(error, NodeIdentityError::Unusable { .. }), "{error}");
    }
}
