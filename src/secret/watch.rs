//! Watches the files of the secret.

use tower::BoxError;

use super::{Secrets, old_file};
use crate::{
    file_watch::{FileWatch, Refresh},
    settings::SecretSource,
};

/// Watches the files of the secret.
#[derive(Debug)]
pub struct SecretWatch {
    source: SecretSource,
    files: FileWatch,
}

impl SecretWatch {
    /// Watches the files of `source` from now on; `None` if the secret was given as text.
    pub fn new(source: &SecretSource) -> Option<Self> {
        match source {
            SecretSource::Given { .. } => None,
            SecretSource::File { path, .. } | SecretSource::Home(path) => {
                Some(Self { source: source.clone(), files: FileWatch::new([path.clone(), old_file(path)]) })
            }
        }
    }

    /// Passes the secrets to `take` if their files have changed since it last succeeded, or if `all` is set. If they
    /// cannot be read or `take` fails, the next refresh tries again.
    pub fn refresh<T>(&mut self, all: bool, take: impl FnOnce(Secrets) -> Result<T, BoxError>) -> Refresh<T> {
        self.files.refresh(all, || take(Secrets::load(&self.source)?))
    }

    /// Whether the secrets could not be read or taken at the last refresh.
    pub fn has_failed(&self) -> bool {
        self.files.has_failed()
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
    fn each_change_is_read_once() {
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
        let mut refresh = || watch.refresh(false, |secrets| Ok(secrets.iter().count()));
        assert_eq!(refresh(), Refresh::Unchanged);
        write(&old_file(&path), "2".repeat(64));
        assert_eq!([refresh(), refresh()], [Refresh::Read(2), Refresh::Unchanged]);
        write(&path, String::new());
        assert!(matches!(refresh(), Refresh::Failed(Some(_))));
        assert_eq!(refresh(), Refresh::Failed(None));
        fs::remove_file(&path).unwrap();
        assert!(matches!(refresh(), Refresh::Failed(Some(complaint)) if complaint.contains("does not exist")));
        write(&path, "3".repeat(64));
        fs::remove_file(old_file(&path)).unwrap();
        assert_eq!([refresh(), refresh()], [Refresh::Read(1), Refresh::Unchanged]);
    }

    #[test]
    fn a_failed_take_is_retried() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("secret");
        let mut watch = SecretWatch::new(&SecretSource::Home(path.clone())).unwrap();
        fs::write(&path, "1".repeat(64)).unwrap();
        fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
        assert_eq!(watch.refresh(false, |_| Err::<(), _>("no random numbers".into())), {
            Refresh::Failed(Some("no random numbers".to_owned()))
        });
        assert_eq!(watch.refresh(false, |_| Ok(())), Refresh::Read(()));
    }
}
