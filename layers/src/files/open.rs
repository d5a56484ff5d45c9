//! Opens files below a folder, and nothing outside of it.

use std::{
    fs::{File, Metadata},
    io,
    os::fd::OwnedFd,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::{
    fs::{CWD, Mode, OFlags, openat},
    io::Errno,
};

/// Whether a system call may block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Fails with [`WouldBlock`](io::ErrorKind::WouldBlock) unless everything it needs is in memory.
    Cached,
    /// May wait for a disk or the network.
    Blocking,
}

/// Does not wait for the other end of a pipe, and does not make a terminal the controlling terminal.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::NOCTTY).union(OFlags::CLOEXEC);
#[cfg(target_os = "linux")]
const FOLDER: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
#[cfg(not(target_os = "linux"))]
const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// The open root. It is opened for each request, because new releases are often installed by changing a symbolic link.
#[derive(Debug)]
pub(super) struct Root {
    #[cfg(target_os = "linux")]
    folder: OwnedFd,
    path: Arc<Path>,
    access: Access,
}

impl Root {
    pub(super) fn open(path: &Arc<Path>, access: Access) -> io::Result<Self> {
        let path = Arc::clone(path);
        #[cfg(target_os = "linux")]
        return Ok(Self { folder: linux::open_root(&path, access)?, path, access });
        #[cfg(not(target_os = "linux"))]
        match access {
            Access::Cached => Err(io::ErrorKind::WouldBlock.into()),
            Access::Blocking => Ok(Self { path, access }),
        }
    }

    pub(super) fn access(&self) -> Access {
        self.access
    }

    /// Opens a file or folder. Treats symbolic links that lead out of the root as missing.
    pub(super) fn read(&self, relative: &Path) -> io::Result<(File, Metadata)> {
        let relative = if relative.as_os_str().is_empty() { Path::new(".") } else { relative };
        #[cfg(target_os = "linux")]
        let opened = linux::open(&self.folder, relative, self.access);
        #[cfg(not(target_os = "linux"))]
        let opened = Err(Errno::XDEV);
        let opened = match opened {
            Ok(opened) => opened,
            // A link with an absolute target, which can be inside, or a kernel without `openat2`.
            Err(Errno::XDEV | Errno::NOSYS | Errno::PERM | Errno::AGAIN | Errno::INVAL)
                if self.access == Access::Blocking =>
            {
                self.open_resolved(relative)?
            }
            Err(Errno::NOENT) => return Err(Errno::NOENT.into()),
            Err(_) if self.access == Access::Cached => return Err(io::ErrorKind::WouldBlock.into()),
            Err(error) => return Err(error.into()),
        };
        let file = File::from(opened);
        let metadata = file.metadata()?;
        Ok((file, metadata))
    }

    /// Resolves all symbolic links first, and then opens the result without following any.
    fn open_resolved(&self, relative: &Path) -> io::Result<OwnedFd> {
        let root = self.path.canonicalize()?;
        let target = root.join(relative).canonicalize()?;
        let inside: PathBuf = target.strip_prefix(&root).map_err(|_| Errno::XDEV)?.into();
        let mut folder = openat(CWD, &root, FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        let Some(name) = inside.file_name() else { return Ok(openat(folder, ".", READ, Mode::empty())?) };
        for parent in inside.parent().into_iter().flat_map(Path::components) {
            folder = openat(&folder, parent.as_os_str(), FOLDER | OFlags::NOFOLLOW, Mode::empty())?;
        }
        Ok(openat(&folder, name, READ | OFlags::NOFOLLOW, Mode::empty())?)
    }
}

/// Whether the error means that there is no such file to serve.
pub(super) fn is_missing(error: &io::Error) -> bool {
    let missing =
        [Errno::NOENT, Errno::NOTDIR, Errno::LOOP, Errno::NAMETOOLONG, Errno::XDEV, Errno::NXIO, Errno::NODEV];
    error.raw_os_error().is_some_and(|code| missing.contains(&Errno::from_raw_os_error(code)))
}

/// Whether the process or the system has run out of file descriptors or memory.
pub(super) fn is_out_of_resources(error: &io::Error) -> bool {
    let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOMEM];
    error.raw_os_error().is_some_and(|code| exhausted.contains(&Errno::from_raw_os_error(code)))
}

#[cfg(target_os = "linux")]
mod linux {
    use rustix::fs::{ResolveFlags, fstatfs, openat2};

    use super::*;

    /// File systems on which a cached path can be opened without waiting: `ext4`, `xfs`, `btrfs`, `f2fs`, `tmpfs`.
    const LOCAL: [u64; 5] = [0xef53, 0x5846_5342, 0x9123_683e, 0xf2f5_2010, 0x0102_1994];

    pub(super) fn open_root(path: &Path, access: Access) -> io::Result<OwnedFd> {
        if access == Access::Blocking {
            return Ok(openat(CWD, path, FOLDER, Mode::empty())?);
        }
        let blocked = |_| io::Error::from(io::ErrorKind::WouldBlock);
        let folder = openat2(CWD, path, FOLDER, Mode::empty(), ResolveFlags::CACHED).map_err(blocked)?;
        let kind = fstatfs(&folder).map_err(blocked)?.f_type;
        // The width and sign of the type depend on the architecture.
        let is_local = u64::try_from(kind).is_ok_and(|kind| LOCAL.contains(&kind));
        if is_local { Ok(folder) } else { Err(io::ErrorKind::WouldBlock.into()) }
    }

    pub(super) fn open(folder: &OwnedFd, relative: &Path, access: Access) -> Result<OwnedFd, Errno> {
        let beneath = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let resolve = match access {
            // A file system mounted below can be of another kind.
            Access::Cached => beneath | ResolveFlags::CACHED | ResolveFlags::NO_XDEV,
            Access::Blocking => beneath,
        };
        openat2(folder, relative, READ, Mode::empty(), resolve)
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;

    fn content(root: &Root, path: &str) -> Option<String> {
        let (file, metadata) = match root.read(path.as_ref()) {
            Ok(found) => found,
            Err(error) => {
                assert!(is_missing(&error), "{path}: {error}");
                return None;
            }
        };
        metadata.is_file().then(|| io::read_to_string(file).unwrap())
    }

    #[test]
    fn links_can_lead_anywhere_inside_but_not_out() {
        let outer = tempfile::tempdir().unwrap();
        let root = outer.path().join("current");
        let real = outer.path().join("releases/5");
        fs::create_dir_all(real.join("a/.data")).unwrap();
        fs::write(outer.path().join("secret"), "secret").unwrap();
        fs::write(outer.path().join("releases/secret"), "secret").unwrap();
        fs::write(real.join("a/.data/file"), "inside").unwrap();
        symlink("releases/5", &root).unwrap();
        for (name, target) in [
            ("relative", "a/.data/file"),
            ("a/up", "../a/.data/file"),
            ("folder", "a/.data"),
            ("out", "../../secret"),
            ("out_and_back", "../../releases/5/a/.data/file"),
            ("folder_out", ".."),
            ("loop", "loop"),
            ("nowhere", "missing"),
            ("etc", "/etc"),
        ] {
            symlink(target, real.join(name)).unwrap();
        }
        symlink(root.join("a/.data/file"), real.join("absolute")).unwrap();
        symlink(outer.path().join("secret"), real.join("absolute_out")).unwrap();
        nix_fifo(&real.join("fifo"));
        let open = Root::open(&root.into(), Access::Blocking).unwrap();
        for (path, expected) in [
            ("a/.data/file", Some("inside")),
            ("relative", Some("inside")),
            ("a/up", Some("inside")),
            ("folder/file", Some("inside")),
            ("absolute", Some("inside")),
            ("out_and_back", Some("inside")),
            ("out", None),
            ("absolute_out", None),
            ("folder_out/secret", None),
            ("folder_out/5/a/.data/file", Some("inside")),
            ("etc/passwd", None),
            ("loop", None),
            ("nowhere", None),
            ("missing", None),
            ("fifo", None),
            ("a", None),
            ("", None),
            ("a/.data/file/x", None),
        ] {
            assert_eq!(content(&open, path).as_deref(), expected, "{path}");
            // On a kernel without `openat2`.
            let resolved = open.open_resolved(path.as_ref()).map(File::from);
            let resolved = resolved.ok().filter(|file| file.metadata().unwrap().is_file());
            assert_eq!(resolved.map(|file| io::read_to_string(file).unwrap()).as_deref(), expected, "{path}");
        }
    }

    fn nix_fifo(path: &Path) {
        rustix::fs::mknodat(CWD, path, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
    }
}
