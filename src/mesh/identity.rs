//! The identity of this node: its name, its secrets, its certificates.

use std::{
    path::PathBuf,
    time::{Duration, Instant, SystemTime},
};

use crate::{
    file_watch::{FileWatch, Refresh},
    pem::PemError,
    secret::CONTEXT,
    settings::{MeshFiles, Settings},
    telemetry::causes::with_causes,
};
use pmesh_layers::{
    identity::{IdentityError, Secret},
    node::{NodeCertificates, NodeIdentity},
};

/// How often the certificates in unchanged files are verified again.
const VERIFY: Duration = Duration::from_secs(60 * 60);

/// Builds the identity of this node: its name, the secrets, and certificates that are derived from them or read from
/// files.
///
/// # Errors
///
/// If the files cannot be used, or if no certificates can be derived on this system.
pub fn identity<'a>(
    settings: &Settings,
    secrets: impl IntoIterator<Item = &'a Secret>,
) -> Result<NodeIdentity, NodeIdentityError> {
    let name = settings.node.clone();
    let identity = match &settings.mesh.files {
        Some(files) => {
            let certificates = files.read()?;
            NodeIdentity::with_certificates(CONTEXT, name, secrets, certificates)
                .map_err(|error| files.unusable(error))?
        }
        None => NodeIdentity::new(CONTEXT, name, secrets)?,
    };
    Ok(identity.clock_window(settings.mesh.clock_window))
}

/// Keeps the certificates that this node presents to other nodes up to date.
#[derive(Debug)]
pub struct IdentityWatch {
    files: Option<(MeshFiles, FileWatch)>,
    /// When the files were last read to verify their certificates.
    verified: Instant,
    /// Whether the last renewal failed, which was logged.
    failing: bool,
}

impl IdentityWatch {
    /// Watches certificates that are derived from the secret or, with `files`, read from files. Notices changes after this
    /// call.
    pub fn new(files: Option<MeshFiles>) -> Self {
        let watched = |files: MeshFiles| {
            let watch = FileWatch::new([&files.ca, &files.cert, &files.key].map(|file| file.path.clone()));
            (files, watch)
        };
        Self { files: files.map(watched), verified: Instant::now(), failing: false }
    }

    /// Renews the derived certificates of `identity` before they expire. With files, reads them again if they have
    /// changed since the last successful read, or if `all` is set. Returns whether the certificates were renewed. Call
    /// it often: it is cheap if there is nothing to do.
    pub fn refresh(&mut self, identity: &NodeIdentity, all: bool) -> bool {
        let Some((files, watch)) = &mut self.files else {
            return self.renew(identity, SystemTime::now());
        };
        // Certificates expire even if their files do not change.
        let is_due = self.verified.elapsed() >= VERIFY;
        if is_due {
            self.verified = Instant::now();
        }
        let take = || {
            let certificates = files.read()?;
            identity.replace_certificates(certificates).map_err(|error| files.unusable(error))
        };
        match watch.refresh(all || is_due, take) {
            Refresh::Read(()) if watch.found_change() => {
                tracing::info!("{RENEWED}");
                return true;
            }
            Refresh::Unchanged | Refresh::Read(()) | Refresh::Failed(None) => {}
            Refresh::Failed(Some(error)) => tracing::error!("{NOT_RENEWED}: {error}"),
        }
        false
    }

    fn renew(&mut self, identity: &NodeIdentity, now: SystemTime) -> bool {
        let renewed = identity.renew(now);
        match &renewed {
            Ok(true) => tracing::info!("{RENEWED}"),
            Err(error) if !self.failing => tracing::error!("{NOT_RENEWED}: {}", with_causes(error)),
            Ok(false) | Err(_) => {}
        }
        self.failing = renewed.is_err();
        renewed.unwrap_or_default()
    }
}

const RENEWED: &str = "the certificates that this node presents to other nodes were renewed";
const NOT_RENEWED: &str =
    "cannot renew the certificates that this node presents to other nodes; the previous ones stay in use";

impl MeshFiles {
    fn read(&self) -> Result<NodeCertificates, PemError> {
        Ok(NodeCertificates::new(self.ca.certificates()?, self.cert.certificates()?, self.key.private_key()?))
    }

    fn unusable(&self, source: IdentityError) -> NodeIdentityError {
        NodeIdentityError::Unusable {
            origin: self.cert.origin.to_string(),
            path: self.cert.path.clone(),
            source: source.into(),
        }
    }
}

/// Why this node has no certificate to present to others.
#[derive(Debug, thiserror::Error)]
pub enum NodeIdentityError {
    /// A file cannot be read, or does not contain what it should.
    #[error(transparent)]
    File(#[from] PemError),
    /// Other nodes would refuse the certificate.
    #[error("{origin}: the certificate in {path} cannot be used")]
    Unusable {
        /// Where the files were configured.
        origin: String,
        /// The file of the certificate.
        path: PathBuf,
        /// The cause.
        source: Box<IdentityError>,
    },
    /// Nothing can be derived from the secret.
    #[error(transparent)]
    Underivable(Box<IdentityError>),
}

impl NodeIdentityError {
    /// Where the file was configured, if this is about a file.
    pub fn origin(&self) -> Option<&str> {
        match self {
            Self::File(error) => Some(error.origin()),
            Self::Unusable { origin, .. } => Some(origin),
            Self::Underivable(_) => None,
        }
    }
}

impl From<IdentityError> for NodeIdentityError {
    fn from(error: IdentityError) -> Self {
        Self::Underivable(Box::new(error))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::settings::{Origin, PemFile};

    #[test]
    fn changed_files_are_used_unless_they_are_bad() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| PemFile { path: folder.path().join(name), origin: Origin::default() };
        let files = MeshFiles { ca: file("ca"), cert: file("cert"), key: file("key") };
        let write = || {
            let key = rcgen::KeyPair::generate().unwrap();
            let mut authority = rcgen::CertificateParams::new([]).unwrap();
            authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            let issuer = rcgen::Issuer::from_params(&authority, &key);
            let leaf_key = rcgen::KeyPair::generate().unwrap();
            let leaf = rcgen::CertificateParams::new(["a".to_owned()]).unwrap().signed_by(&leaf_key, &issuer).unwrap();
            fs::write(&files.ca.path, authority.self_signed(&key).unwrap().pem()).unwrap();
            fs::write(&files.cert.path, leaf.pem()).unwrap();
            fs::write(&files.key.path, leaf_key.serialize_pem()).unwrap();
        };
        write();
        let mut watch = IdentityWatch::new(Some(files.clone()));
        let (name, secret) = ("a".parse().unwrap(), Secret::generate().unwrap());
        let identity = NodeIdentity::with_certificates(CONTEXT, name, [&secret], files.read().unwrap()).unwrap();
        let mut refresh = |all| {
            let before = identity.server_config();
            let is_renewed = watch.refresh(&identity, all);
            let is_replaced = !std::sync::Arc::ptr_eq(&before, &identity.server_config());
            (is_replaced, is_renewed)
        };
        assert_eq!(refresh(false), (false, false));
        write();
        assert_eq!([refresh(false), refresh(false)], [(true, true), (false, false)]);
        fs::write(&files.key.path, "").unwrap();
        assert_eq!(refresh(false), (false, false));
        write();
        assert_eq!(refresh(false), (true, true));
        // This happens once an hour, to verify the certificates again.
        assert!(!refresh(true).1);
        write();
        assert_eq!(refresh(true), (true, true));
    }

    #[test]
    fn files_that_cannot_be_used_are_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = |name: &str| PemFile { path: folder.path().join(name), origin: Origin::default() };
        let files = MeshFiles { ca: file("ca"), cert: file("cert"), key: file("key") };
        assert!(matches!(files.read(), Err(PemError::Unreadable { path, .. }) if path == files.ca.path));
        let key = rcgen::KeyPair::generate().unwrap();
        fs::write(&files.key.path, key.serialize_pem()).unwrap();
        fs::write(&files.ca.path, "").unwrap();
        assert!(matches!(files.read(), Err(PemError::NoCertificate { path, .. }) if path == files.ca.path));
        let own = rcgen::CertificateParams::new(["b".to_owned()]).unwrap().self_signed(&key).unwrap();
        for file in [&files.ca.path, &files.cert.path] {
            fs::write(file, own.pem()).unwrap();
        }
        let identity = NodeIdentity::new(CONTEXT, "a".parse().unwrap(), [&Secret::generate().unwrap()]).unwrap();
        let error = identity.replace_certificates(files.read().unwrap()).map_err(|error| files.unusable(error));
        assert!(matches!(error, Err(NodeIdentityError::Unusable { .. })), "{error:?}");
    }
}
