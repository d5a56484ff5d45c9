//! Watches files, and rereads them after they have been changed or replaced.

use std::{fs, os::unix::fs::MetadataExt, path::PathBuf};

use tower::BoxError;

use crate::telemetry::causes::with_causes;

/// Watches files for changes since they were last read successfully.
#[derive(Debug, Default)]
pub struct FileWatch {
    files: Vec<PathBuf>,
    read: Stamps,
    failure: Option<Failure>,
    found_change: bool,
}

/// A failed read since the last successful one.
#[derive(Debug)]
struct Failure {
    found: Stamps,
    complaint: String,
}

/// The stamp of each file; `None` if it does not exist.
type Stamps = Vec<(PathBuf, Option<Stamp>)>;

/// Device, inode, length, and the times of the last changes of content and of owner or mode.
type Stamp = [i128; 5];

/// The outcome of [`FileWatch::refresh`].
#[derive(Debug, PartialEq, Eq)]
pub enum Refresh<T> {
    /// Nothing has changed, so nothing was read.
    Unchanged,
    /// The files were read.
    Read(T),
    /// The files could not be read or used. Holds the reason, unless an earlier refresh has already returned it.
    Failed(Option<String>),
}

impl FileWatch {
    /// Watches `files` from now on. They need not exist; symlinks are followed. To miss no change, call this before
    /// they are first read.
    pub fn new(files: impl Into<Vec<PathBuf>>) -> Self {
        let files = files.into();
        let read = stamps(&files);
        Self { files, read, failure: None, found_change: false }
    }

    /// Watches these files instead. Files added to or removed from the list count as changed.
    pub fn set_files(&mut self, files: Vec<PathBuf>) {
        self.files = files;
    }

    /// The watched files.
    pub fn files(&self) -> &[PathBuf] {
        &self.files
    }

    /// Calls `read` if the files have changed since they were last read successfully, or if `all` is set. If it fails,
    /// the next refresh tries again, even if the files have not changed by then.
    pub fn refresh<T, E: Into<BoxError>>(&mut self, all: bool, read: impl FnOnce() -> Result<T, E>) -> Refresh<T> {
        // Taken before the read, so that the next refresh notices a change during it.
        let found = stamps(&self.files);
        self.found_change = found != self.read || self.failure.is_some();
        if !self.found_change && !all {
            return Refresh::Unchanged;
        }
        match read() {
            Ok(value) => {
                (self.read, self.failure) = (found, None);
                Refresh::Read(value)
            }
            Err(error) => {
                let failure = Failure { found, complaint: with_causes(&*error.into()) };
                let is_news = all || self.failure.as_ref().is_none_or(|before| *before != failure);
                let complaint = is_news.then(|| failure.complaint.clone());
                self.failure = Some(failure);
                Refresh::Failed(complaint)
            }
        }
    }

    /// Whether the last refresh would have read the files even without `all`.
    pub fn found_change(&self) -> bool {
        self.found_change
    }

    /// Whether the last read failed.
    pub fn has_failed(&self) -> bool {
        self.failure.is_some()
    }
}

impl PartialEq for Failure {
    fn eq(&self, other: &Self) -> bool {
        (&self.found, &self.complaint) == (&other.found, &other.complaint)
    }
}

fn stamps(files: &[PathBuf]) -> Stamps {
    let time = |seconds: i64, nanos: i64| i128::from(seconds) * 1_000_000_000 + i128::from(nanos);
    let stamp = |file: fs::Metadata| {
        let (modified, changed) = (time(file.mtime(), file.mtime_nsec()), time(file.ctime(), file.ctime_nsec()));
        [file.dev().into(), file.ino().into(), file.size().into(), modified, changed]
    };
    files.iter().map(|path| (path.clone(), fs::metadata(path).ok().map(stamp))).collect()
}

#[cfg(test)]
mod tests {
    use std::{io, os::unix::fs::symlink};

    use super::*;

    #[test]
    fn each_change_is_read_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut watch = FileWatch::new([path("a"), path("link")]);
        let mut is_read_once = |what: &str| {
            let mut refresh = || watch.refresh(false, || Ok::<_, io::Error>(()));
            assert_eq!([refresh(), refresh()], [Refresh::Read(()), Refresh::Unchanged], "{what}");
        };
        fs::write(path("a"), "1").unwrap();
        is_read_once("created");
        fs::write(path("a"), "12").unwrap();
        is_read_once("of a different length");

        // Another file with the same time and length.
        let modified = fs::metadata(path("a")).unwrap().modified().unwrap();
        fs::write(path("b"), "21").unwrap();
        fs::File::options().write(true).open(path("b")).unwrap().set_modified(modified).unwrap();
        fs::rename(path("b"), path("a")).unwrap();
        is_read_once("replaced");

        symlink("a", path("link")).unwrap();
        is_read_once("a symlink that is created");
        fs::write(path("c"), "12").unwrap();
        symlink("c", path("staged")).unwrap();
        fs::rename(path("staged"), path("link")).unwrap();
        is_read_once("a symlink that is switched");
        fs::remove_file(path("a")).unwrap();
        is_read_once("removed");
    }

    #[test]
    fn a_read_that_fails_is_tried_again_until_it_succeeds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut watch = FileWatch::new([path.clone()]);
        let fail = |text: &str| Err::<(), _>(io::Error::other(text));
        let failed = |text: &str| Refresh::Failed(Some(text.to_owned()));
        fs::write(&path, "1").unwrap();
        // Each reason is returned once, and again if `all` is set.
        assert_eq!(watch.refresh(false, || fail("no descriptor")), failed("no descriptor"));
        assert_eq!(watch.refresh(false, || fail("no descriptor")), Refresh::Failed(None));
        assert_eq!(watch.refresh(true, || fail("no descriptor")), failed("no descriptor"));
        assert_eq!(watch.refresh(false, || fail("no sense")), failed("no sense"));
        fs::write(&path, "12").unwrap();
        assert_eq!(watch.refresh(false, || fail("no sense")), failed("no sense"));
        assert!(watch.has_failed());
        assert_eq!(watch.refresh(false, || Ok::<_, io::Error>(1)), Refresh::Read(1));
        assert_eq!(watch.refresh(false, || Ok::<_, io::Error>(2)), Refresh::Unchanged);
        assert_eq!(watch.refresh(true, || Ok::<_, io::Error>(3)), Refresh::Read(3));
    }

    #[test]
    fn found_change_ignores_all() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut watch = FileWatch::new([path.clone()]);
        let mut found_change = |all| {
            watch.refresh(all, || Ok::<_, io::Error>(()));
            watch.found_change()
        };
        fs::write(&path, "1").unwrap();
        assert_eq!([true, true, false].map(&mut found_change), [true, false, false]);
    }

    #[test]
    fn a_new_list_of_files_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("a"), "1").unwrap();
        fs::write(path("b"), "1").unwrap();
        let mut watch = FileWatch::new([path("a")]);
        let mut refreshes = |files: &[&str]| {
            watch.set_files(files.iter().map(|name| path(name)).collect());
            [(); 2].map(|()| watch.refresh(false, || Ok::<_, io::Error>(())))
        };
        assert_eq!(refreshes(&["a"]), [Refresh::Unchanged, Refresh::Unchanged]);
        assert_eq!(refreshes(&["a", "b"]), [Refresh::Read(()), Refresh::Unchanged]);
        assert_eq!(refreshes(&["b"]), [Refresh::Read(()), Refresh::Unchanged]);
    }

    #[test]
    fn a_change_during_the_read_is_read_at_the_next_look() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let mut watch = FileWatch::new([path.clone()]);
        fs::write(&path, "1").unwrap();
        assert_eq!(watch.refresh(false, || fs::write(&path, "12")), Refresh::Read(()));
        assert_eq!(watch.refresh(false, || fs::read_to_string(&path)), Refresh::Read("12".to_owned()));
    }
}
