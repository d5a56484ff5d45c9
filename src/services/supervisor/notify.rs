//! The socket on which an instance says that it is ready, as for systemd.

use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use tokio::net::UnixDatagram;

/// Maximum size of a message.
const MAX_MESSAGE: usize = 4096;

/// A socket in the folder for services. Its file is removed when it is dropped.
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: UnixDatagram,
    path: PathBuf,
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
        Ok(Self { socket, path })
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn address(&self) -> String {
        self.path.display().to_string()
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
        let _ = fs::remove_file(&self.path);
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
