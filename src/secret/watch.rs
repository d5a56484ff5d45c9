use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::{SecretError, Secrets, old_file};
use crate::settings::SecretSource;

/// Sees that somebody has changed the files of the secret.
#[derive(Debug)]
pub struct SecretWatch {
    source: SecretSource,
    files: [PathBuf; 2],
    seen: [Option<Stamp>; 2],
}

/// Device, inode, length, and the times of the last changes of content and of owner or mode.
type Stamp = [i128; 5];

impl SecretWatch {
    /// Watches the files of `source`; `None` where the secret itself was given. What changes from now on is a change.
    pub fn new(source: &SecretSource) -> Option<Self> {
        match source {
            SecretSource::Given { .. } => None,
            SecretSource::File { path, .. } | SecretSource::Home(path) => {
                let files = [path.clone(), old_file(path)];
                let seen = [stamp(&files[0]), stamp(&files[1])];
                Some(Self { source: source.clone(), files, seen })
            }
        }
    }

    /// The secrets, if their files have changed since the last time: each change is told once, an unusable one, too.
    pub fn changed(&mut self) -> Option<Result<Secrets, SecretError>> {
        // Before they are read: what changes meanwhile shows the next time.
        let now = [stamp(&self.files[0]), stamp(&self.files[1])];
        if now == self.seen {
            return None;
        }
        self.seen = now;
        Some(Secrets::load(&self.source))
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let file = fs::metadata(path).ok()?;
    let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let (modified, changed) = (time(file.mtime(), file.mtime_nsec()), time(file.ctime(), file.ctime_nsec()));
    Some([file.dev().into(), file.ino().into(), file.size().into(), modified, changed])
}

#[cfg(test)]
mod tests {
    use std::{fs::Permissions, os::unix::fs::PermissionsExt};

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
