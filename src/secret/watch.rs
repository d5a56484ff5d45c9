use super::{SecretError, Secrets, old_file};
use crate::{file_watch::FileWatch, settings::SecretSource};

/// Sees that somebody has changed the files of the secret.
#[derive(Debug)]
pub struct SecretWatch {
    source: SecretSource,
    files: FileWatch,
}

impl SecretWatch {
    /// Watches the files of `source`; `None` where the secret itself was given. What changes from now on is a change.
    pub fn new(source: &SecretSource) -> Option<Self> {
        match source {
            SecretSource::Given { .. } => None,
            SecretSource::File { path, .. } | SecretSource::Home(path) => {
                Some(Self { source: source.clone(), files: FileWatch::new([path.clone(), old_file(path)]) })
            }
        }
    }

    /// The secrets, if their files have changed since the last time: each change is told once, an unusable one, too.
    pub fn changed(&mut self) -> Option<Result<Secrets, SecretError>> {
        self.files.changed().then(|| Secrets::load(&self.source))
    }
}

#[cfg(test)]
mod tests {
    use std::{
        fs::{self, Permissions},
        os::unix::fs::PermissionsExt,
        path::Path,
    };

    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let write = |path: &Path, text: String| {
            let staged = home.path().join("staged");
            fs::write(&staged, text).unwrap();
            fs::set_permissions(&staged, Permissions::from_mode(0o600)).unwrap();
            fs::rename(staged, path).unwrap();
        };
        write(&path, "1".repeat(64));
        let mut watch = SecretWatch::new(&SecretSource::Home(path.clone())).unwrap();
        assert!(watch.changed().is_none());
        write(&old_file(&path), "2".repeat(64));
        assert_eq!(watch.changed().unwrap().unwrap().iter().count(), 2);
        assert!(watch.changed().is_none());
        write(&path, String::new());
        assert!(watch.changed().unwrap().is_err());
        assert!(watch.changed().is_none());
        fs::remove_file(&path).unwrap();
        assert!(matches!(watch.changed(), Some(Err(SecretError::Missing { .. }))));
        write(&path, "3".repeat(64));
        fs::remove_file(old_file(&path)).unwrap();
        assert_eq!(watch.changed().unwrap().unwrap().iter().count(), 1);
    }
}
