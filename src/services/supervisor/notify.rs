//! The socket on which an instance says that it is ready, as for systemd.

use std::{
    fs, io,
    os::{
        linux::net::SocketAddrExt,
        unix::{fs::DirBuilderExt, net},
    },
    path::{Path, PathBuf},
};

use tokio::net::UnixDatagram;

/// Maximum size of a message.
const MAX_MESSAGE: usize = 4096;

/// A socket. Its file, if it has one, is removed when it is dropped.
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: UnixDatagram,
    place: Place,
}

#[derive(Debug)]
enum Place {
    File(PathBuf),
    Abstract(String),
}

/// What a program says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Notice {
    /// It can serve.
    Ready,
    /// It is about to exit.
    Stopping,
}

impl NotifySocket {
    /// Binds a socket in `folder`, which is created if needed. A file that is already there is replaced.
    ///
    /// # Errors
    ///
    /// If the path is too long, or the folder cannot be written.
    pub(super) fn bind(folder: &Path, name: &str) -> io::Result<Self> {
        create_folder(folder)?;
        let path = folder.join(format!("{name}.notify"));
        remove(&path)?;
        let socket = UnixDatagram::bind(&path)?;
        Ok(Self { socket, place: Place::File(path) })
    }

    /// Binds a socket without a file, for a program of another user. Its name cannot be guessed.
    ///
    /// # Errors
    ///
    /// If the system does not allow it.
    pub(super) fn bind_abstract(name: &str) -> io::Result<Self> {
        let name = format!("pmesh/{:032x}/{name}", rand::random::<u128>());
        let socket = net::UnixDatagram::bind_addr(&net::SocketAddr::from_abstract_name(&name)?)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)?, place: Place::Abstract(name) })
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn address(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Abstract(name) => format!("@{name}"),
        }
    }

    /// Waits for the next notices. Other messages are ignored.
    pub(super) async fn next(&self) -> io::Result<Vec<Notice>> {
        loop {
            self.socket.readable().await?;
            let mut message = [0; MAX_MESSAGE];
            match self.socket.try_recv(&mut message) {
                Ok(length) => {
                    let notices = notices(&message[..length]);
                    if !notices.is_empty() {
                        return Ok(notices);
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for NotifySocket {
    fn drop(&mut self) {
        if let Place::File(path) = &self.place {
            let _ = fs::remove_file(path);
        }
    }
}

/// Creates a folder that only this user can look into.
pub(super) fn create_folder(folder: &Path) -> io::Result<()> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Removes a file if it is there.
pub(super) fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

fn notices(message: &[u8]) -> Vec<Notice> {
    let notice = |line: &[u8]| match line {
        b"READY=1" => Some(Notice::Ready),
        b"STOPPING=1" => Some(Notice::Stopping),
        _ => None,
    };
    message.split(|byte| *byte == b'\n').filter_map(notice).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn programs_say_that_they_are_ready() {
        let folder = tempfile::tempdir().unwrap();
        let services = folder.path().join("services");
        for _ in 0..2 {
            let socket = NotifySocket::bind(&services, "web-1-a").unwrap();
            let sender = net::UnixDatagram::unbound().unwrap();
            for message in ["", "STATUS=starting", "READY=0", "STATUS=up\nREADY=1\nSTOPPING=1\n"] {
                sender.send_to(message.as_bytes(), socket.address()).unwrap();
            }
            assert_eq!(socket.next().await.unwrap(), [Notice::Ready, Notice::Stopping]);
        }
        assert_eq!(fs::read_dir(services).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn a_socket_can_have_no_file() {
        let socket = NotifySocket::bind_abstract("web-1-a").unwrap();
        let address = socket.address();
        let name = net::SocketAddr::from_abstract_name(address.strip_prefix('@').unwrap()).unwrap();
        let sender = net::UnixDatagram::unbound().unwrap();
        sender.connect_addr(&name).unwrap();
        sender.send(b"READY=1").unwrap();
        assert_eq!(socket.next().await.unwrap(), [Notice::Ready]);
    }
}
