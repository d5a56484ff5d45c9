//! Where the admin API listens: a Unix socket or a loopback port.

use std::{
    fs::{self, File, Permissions},
    io,
    net::{SocketAddr, TcpListener},
    os::{
        fd::OwnedFd,
        unix::{
            fs::{FileTypeExt, PermissionsExt},
            net::UnixListener,
        },
    },
    path::{Path, PathBuf},
};

use socket2::{Domain, SockAddr, Type};

use crate::settings::Admin;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 64;
/// The longest path that the kernel takes (unix(7)).
const LONGEST: usize = 107;

/// Where the admin API listens. A Unix socket is removed when this is dropped.
#[derive(Debug)]
pub struct Socket(pub(super) Bound);

#[derive(Debug)]
pub(super) enum Bound {
    Unix(UnixListener, Left),
    Tcp(TcpListener),
}

/// The file of a Unix socket.
#[derive(Debug)]
pub(super) struct Left(PathBuf);

impl Drop for Left {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Listens where `admin` says; `None` if it is off. A Unix socket is accessible only to its owner from the first moment,
    /// and replaces one that a crashed process left behind.
    ///
    /// # Errors
    ///
    /// [`SocketError`]
    pub fn bind(admin: &Admin) -> Result<Option<Self>, SocketError> {
        Ok(match admin {
            Admin::Off => None,
            Admin::Unix(path) => Some(Self(Bound::Unix(unix(path)?, Left(path.clone())))),
            Admin::Tcp(address) => Some(Self(Bound::Tcp(tcp(*address)?))),
        })
    }
}

fn tcp(address: SocketAddr) -> Result<TcpListener, SocketError> {
    let bind = || {
        let listener = TcpListener::bind(address)?;
        listener.set_nonblocking(true)?;
        Ok(listener)
    };
    bind().map_err(|source| SocketError::Tcp { address, source })
}

fn unix(path: &Path) -> Result<UnixListener, SocketError> {
    let length = path.as_os_str().len();
    if length > LONGEST {
        return Err(SocketError::TooLong { path: path.to_owned(), length });
    }
    let failed = |source| SocketError::Unix { path: path.to_owned(), source };
    let address = SockAddr::unix(path).map_err(failed)?;
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
        Ok(found) if !found.file_type().is_socket() => return Err(SocketError::NoSocket { path: path.to_owned() }),
        Ok(_) => match socket().and_then(|socket| socket.connect(&address)) {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                fs::remove_file(path).map_err(failed)?;
            }
            // Nobody may look: whether somebody listens cannot be told.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(failed(error)),
            // Also where its backlog is full.
            _ => return Err(SocketError::InUse { path: path.to_owned() }),
        },
    }
    listen(path, &address).map_err(failed)
}

fn listen(path: &Path, address: &SockAddr) -> io::Result<UnixListener> {
    let private = || Permissions::from_mode(0o600);
    let file = File::from(OwnedFd::from(socket()?));
    // On Linux the file gets the mode of the socket, without a moment in which others could connect.
    let is_private = file.set_permissions(private()).is_ok();
    let socket = socket2::Socket::from(OwnedFd::from(file));
    socket.bind(address)?;
    if !is_private {
        fs::set_permissions(path, private())?;
    }
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

fn socket() -> io::Result<socket2::Socket> {
    let socket = socket2::Socket::new(Domain::UNIX, Type::STREAM, None)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

/// Why the admin API cannot listen.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// The path is longer than that of a socket can be.
    #[error(
        "the path of the admin socket, {path}, has {length} bytes; that of a socket has at most {LONGEST}\n  choose a \
         shorter one with admin = \"unix:PATH\", or a home with a shorter path"
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// There is something else.
    #[error(
        "the admin socket cannot be {path}: there is a file that is not a socket\n  remove it, or choose another path with \
         admin = \"unix:PATH\""
    )]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Somebody listens there.
    #[error(
        "the admin socket cannot be {path}: another program listens there\n  choose another path with \
         admin = \"unix:PATH\""
    )]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses.
    #[error("cannot listen on the admin socket {path}")]
    Unix {
        /// The path.
        path: PathBuf,
        /// What it says.
        source: io::Error,
    },
    /// The system refuses.
    #[error("cannot listen on {address} (admin)\n  choose another port with --admin or PMESH_ADMIN")]
    Tcp {
        /// Where.
        address: SocketAddr,
        /// What it says.
        source: io::Error,
    },
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixStream;

    use super::*;

    fn bind(path: &Path) -> Result<Option<Socket>, SocketError> {
        Socket::bind(&Admin::Unix(path.to_owned()))
    }

    #[test]
    fn the_socket_is_for_its_owner_and_goes_with_the_process() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.sock");
        let socket = bind(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
        UnixStream::connect(&path).unwrap();
        assert!(matches!(bind(&path), Err(SocketError::InUse { .. })));
        drop(socket);
        assert!(!path.exists());
        assert!(Socket::bind(&Admin::Off).unwrap().is_none());
    }

    #[test]
    fn what_a_crash_leaves_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _socket = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_no_socket_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notes");
        fs::write(&path, "important").unwrap();
        assert!(matches!(bind(&path), Err(SocketError::NoSocket { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"important");
    }

    #[test]
    fn a_path_too_long_is_told_with_the_ways_out() {
        let longest = Path::new("/nonexistent").join("a".repeat(LONGEST - "/nonexistent/".len()));
        assert!(matches!(bind(&longest), Err(SocketError::Unix { .. })));
        let error = bind(&longest.with_extension("b")).unwrap_err().to_string();
        assert!(error.contains("109 bytes") && error.contains("admin = \"unix:PATH\""), "{error}");
    }
}
