//! Sees that files were changed or replaced.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

/// Some files, of which it is known whether they are still those that were seen last.
#[derive(Debug)]
pub struct FileWatch {
    files: Vec<PathBuf>,
    seen: Vec<Option<Stamp>>,
}

/// Device, inode, length, and the times of the last changes of content and of owner or mode.
type Stamp = [i128; 5];

impl FileWatch {
    /// Watches `files`, which need not be there; symlinks are followed. What changes from now on is a change.
    pub fn new(files: impl Into<Vec<PathBuf>>) -> Self {
        let files = files.into();
        let seen = stamps(&files);
        Self { files, seen }
    }

    /// Whether any has changed since the last time: each change is told once. What changes while the files are read
    /// after this shows the next time.
    pub fn changed(&mut self) -> bool {
        let now = stamps(&self.files);
        let changed = now != self.seen;
        self.seen = now;
        changed
    }
}

fn stamps(files: &[PathBuf]) -> Vec<Option<Stamp>> {
    let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let stamp = |file: fs::Metadata| {
        let (modified, changed) = (time(file.mtime(), file.mtime_nsec()), time(file.ctime(), file.ctime_nsec()));
        [file.dev().into(), file.ino().into(), file.size().into(), modified, changed]
    };
    files.iter().map(|path| fs::metadata(path).ok().map(stamp)).collect()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn each_change_is_told_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut watch = FileWatch::new([path("a"), path("link")]);
        let mut is_told_once = |what: &str| {
            assert!(watch.changed(), "{what}");
            assert!(!watch.changed(), "{what}");
        };
        fs::write(path("a"), "1").unwrap();
        is_told_once("made");
        fs::write(path("a"), "12").unwrap();
        is_told_once("of another length");

        // Another file with the same time and length.
        let modified = fs::metadata(path("a")).unwrap().modified().unwrap();
        fs::write(path("b"), "21").unwrap();
        fs::File::options().write(true).open(path("b")).unwrap().set_modified(modified).unwrap();
        fs::rename(path("b"), path("a")).unwrap();
        is_told_once("replaced");

        symlink("a", path("link")).unwrap();
        is_told_once("a symlink");
        fs::write(path("c"), "12").unwrap();
        symlink("c", path("staged")).unwrap();
        fs::rename(path("staged"), path("link")).unwrap();
        is_told_once("a symlink that is switched");
        fs::remove_file(path("a")).unwrap();
        is_told_once("removed");
    }
}
