//! The socket of the admin API: a Unix socket or a loopback port.

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

/// How many connections can wait to be accepted.
const BACKLOG: i32 = 64;
/// The longest path of a socket, in bytes (unix(7)).
const MAX_PATH_LEN: usize = 107;

/// The socket of the admin API. Dropping it removes the file of a Unix socket.
#[derive(Debug)]
pub struct Socket(pub(super) Bound);

#[derive(Debug)]
pub(super) enum Bound {
    Unix(UnixListener, SocketFile),
    Tcp(TcpListener),
}

/// The file of a Unix socket.
#[derive(Debug)]
pub(super) struct SocketFile(PathBuf);

impl Drop for SocketFile {
    fn drop(&mut self) {
        // The file may be gone already.
        let _ = fs::remove_file(&self.0);
    }
}

impl Socket {
    /// Listens on the address in `admin`; returns `None` if it is off. Only the owner can access a Unix socket, from the
    /// first moment. A socket file that a crashed process left behind is replaced.
    ///
    /// # Errors
    ///
    /// [`SocketError`]
    pub fn bind(admin: &Admin) -> Result<Option<Self>, SocketError> {
        Ok(match admin {
            Admin::Off => None,
            Admin::Unix(path) => Some(Self(Bound::Unix(unix(path)?, SocketFile(path.clone())))),
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
    if length > MAX_PATH_LEN {
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
            // Without permission, there is no way to tell whether a program listens there.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(failed(error)),
            // The socket is in use even if its backlog is full.
            _ => return Err(SocketError::InUse { path: path.to_owned() }),
        },
    }
    listen(path, &address).map_err(failed)
}

fn listen(path: &Path, address: &SockAddr) -> io::Result<UnixListener> {
    let private = || Permissions::from_mode(0o600);
    let file = File::from(OwnedFd::from(socket()?));
    // On Linux, the file gets the mode of the socket, so there is no moment at which others could connect.
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
    /// The path is too long for a socket.
    #[error(
        "the path of the admin socket is too long: {path} has {length} bytes, the limit is {MAX_PATH_LEN}\n  choose a shorter \
         one with admin = \"unix:PATH\", or a home with a shorter path"
    )]
    TooLong {
        /// The path.
        path: PathBuf,
        /// Its length.
        length: usize,
    },
    /// Another file is in the way.
    #[error(
        "cannot create the admin socket {path}: a file that is not a socket is in the way\n  remove it, or choose another \
         path with admin = \"unix:PATH\""
    )]
    NoSocket {
        /// The path.
        path: PathBuf,
    },
    /// Another program listens there.
    #[error(
        "cannot create the admin socket {path}: another program listens on it\n  choose another path with \
         admin = \"unix:PATH\""
    )]
    InUse {
        /// The path.
        path: PathBuf,
    },
    /// The system refuses to create the socket.
    #[error("cannot listen on the admin socket {path}")]
    Unix {
        /// The path.
        path: PathBuf,
        /// The system's error.
        source: io::Error,
    },
    /// The system refuses to bind the port.
    #[error("cannot listen on {address} (admin)\n  choose another port with --admin or PMESH_ADMIN")]
    Tcp {
        /// The address.
        address: SocketAddr,
        /// The system's error.
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
    fn the_socket_is_private_and_removed_on_drop() {
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
    fn a_socket_left_by_a_crash_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("admin.sock");
        drop(UnixListener::bind(&path).unwrap());
        assert!(path.exists());
        let _socket = bind(&path).unwrap();
        UnixStream::connect(&path).unwrap();
    }

    #[test]
    fn a_file_that_is_not_a_socket_is_kept() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notes");
        fs::write(&path, "important").unwrap();
        assert!(matches!(bind(&path), Err(SocketError::NoSocket { .. })));
        assert_eq!(fs::read(&path).unwrap(), b"important");
    }

    #[test]
    fn an_overlong_path_is_an_error_that_says_what_to_do() {
        let longest = Path::new("/nonexistent").join("a".repeat(MAX_PATH_LEN - "/nonexistent/".len()));
        assert!(matches!(bind(&longest), Err(SocketError::Unix { .. })));
        let error = bind(&longest.with_extension("b")).unwrap_err().to_string();
        assert!(error.contains("109 bytes") && error.contains("admin = \"unix:PATH\""), "{error}");
    }
}
