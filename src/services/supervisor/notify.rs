//! The socket on which an instance says that it is ready, as for systemd.

use std::{
    fs,
    io::{self, IoSliceMut},
    os::{
        fd::AsRawFd,
        linux::net::SocketAddrExt,
        unix::{fs::DirBuilderExt, net},
    },
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::socket::{ControlMessageOwned, MsgFlags, UnixAddr, UnixCredentials, recvmsg, setsockopt, sockopt::PassCred},
    unistd::Uid,
};
use tokio::{io::Interest, net::UnixDatagram, time::sleep};

/// Maximum size of a message.
const MAX_MESSAGE: usize = 4096;

/// How long to wait after each message, so that a program that sends them without end takes little time.
const PAUSE: Duration = Duration::from_millis(1);

/// A socket. Its file, if it has one, is removed when it is dropped.
#[derive(Debug)]
pub(super) struct NotifySocket {
    socket: UnixDatagram,
    place: Place,
}

#[derive(Debug)]
enum Place {
    /// In a folder that only this user can look into.
    File(PathBuf),
    /// All users find its name in `/proc/net/unix`, so who sends counts.
    Abstract { name: String, user: Uid },
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

    /// Binds a socket without a file, for a program of another user. Only this user, root, and the user of pmesh are
    /// heard.
    ///
    /// # Errors
    ///
    /// If the system does not allow it.
    pub(super) fn bind_abstract(name: &str, user: u32) -> io::Result<Self> {
        let name = format!("pmesh/{:032x}/{name}", rand::random::<u128>());
        let socket = net::UnixDatagram::bind_addr(&net::SocketAddr::from_abstract_name(&name)?)?;
        setsockopt(&socket, PassCred, &true)?;
        socket.set_nonblocking(true)?;
        Ok(Self { socket: UnixDatagram::from_std(socket)?, place: Place::Abstract { name, user: user.into() } })
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(super) fn address(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Abstract { name, .. } => format!("@{name}"),
        }
    }

    /// Calls `heard` with each notice, once each: a program may send them without end. Other messages are ignored. Ends
    /// only if the socket fails.
    pub(super) async fn listen(&self, mut heard: impl FnMut(Notice)) {
        let mut known = Vec::new();
        while self.socket.readable().await.is_ok() {
            match self.socket.try_io(Interest::READABLE, || self.receive()) {
                Ok(notices) => {
                    for notice in notices {
                        if !known.contains(&notice) {
                            known.push(notice);
                            heard(notice);
                        }
                    }
                    sleep(PAUSE).await;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_) => return,
            }
        }
    }

    /// Receives a message. What a user says who is not heard is left out.
    fn receive(&self) -> io::Result<Vec<Notice>> {
        let mut message = [0; MAX_MESSAGE];
        let mut slices = [IoSliceMut::new(&mut message)];
        let mut space = nix::cmsg_space!(UnixCredentials);
        let socket = self.socket.as_raw_fd();
        let received = recvmsg::<UnixAddr>(socket, &mut slices, Some(&mut space), MsgFlags::MSG_CMSG_CLOEXEC)?;
        let (length, is_heard) = (received.bytes, self.hears(received.cmsgs()?));
        Ok(if is_heard { notices(&message[..length]) } else { Vec::new() })
    }

    /// Whether a message with these control messages counts.
    fn hears(&self, controls: impl IntoIterator<Item = ControlMessageOwned>) -> bool {
        let Place::Abstract { user, .. } = self.place else { return true };
        controls.into_iter().any(|control| match control {
            ControlMessageOwned::ScmCredentials(sender) => {
                [user, Uid::effective(), Uid::from_raw(0)].contains(&Uid::from_raw(sender.uid()))
            }
            _ => false,
        })
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
    use std::thread;

    use rustix::thread::set_thread_res_uid;
    use tokio::sync::mpsc;

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
            assert_eq!(heard(&socket, 2).await, [Notice::Ready, Notice::Stopping]);
        }
        assert_eq!(fs::read_dir(services).unwrap().count(), 0);
    }

    #[tokio::test]
    async fn each_notice_is_heard_once() {
        let folder = tempfile::tempdir().unwrap();
        let socket = NotifySocket::bind(folder.path(), "web-1-a").unwrap();
        let address = socket.address();
        let sender = thread::spawn(move || {
            let sender = net::UnixDatagram::unbound().unwrap();
            for _ in 0..100 {
                sender.send_to(b"READY=1\nREADY=1", &address).unwrap();
            }
            sender.send_to(b"STOPPING=1", &address).unwrap();
        });
        assert_eq!(heard(&socket, 2).await, [Notice::Ready, Notice::Stopping]);
        sender.join().unwrap();
    }

    #[tokio::test]
    async fn a_socket_can_have_no_file() {
        let socket = NotifySocket::bind_abstract("web-1-a", 12_345).unwrap();
        send_to(&socket, b"READY=1");
        assert_eq!(heard(&socket, 1).await, [Notice::Ready]);
    }

    #[tokio::test]
    async fn other_users_are_not_heard() {
        if !Uid::effective().is_root() {
            println!("needs root to send as another user");
            return;
        }
        let socket = NotifySocket::bind_abstract("web-1-a", 12_345).unwrap();
        let send_as = |user: u32, message: &'static [u8]| {
            // The system call changes this thread alone.
            thread::scope(|scope| {
                scope.spawn(|| {
                    let user = rustix::process::Uid::from_raw(user);
                    set_thread_res_uid(user, user, user).unwrap();
                    send_to(&socket, message);
                });
            });
        };
        send_as(12_346, b"STOPPING=1");
        send_as(12_345, b"READY=1");
        assert_eq!(heard(&socket, 1).await, [Notice::Ready]);
    }

    /// The first notices.
    async fn heard(socket: &NotifySocket, count: usize) -> Vec<Notice> {
        let (sender, mut notices) = mpsc::unbounded_channel();
        let mut heard = Vec::new();
        let listen = socket.listen(|notice| sender.send(notice).unwrap());
        let wait = async {
            while heard.len() < count {
                heard.push(notices.recv().await.unwrap());
            }
        };
        tokio::select! {
            () = listen => panic!("the socket has failed"),
            () = wait => heard,
        }
    }

    fn send_to(socket: &NotifySocket, message: &[u8]) {
        let address = socket.address();
        let name = net::SocketAddr::from_abstract_name(address.strip_prefix('@').unwrap()).unwrap();
        let sender = net::UnixDatagram::unbound().unwrap();
        sender.connect_addr(&name).unwrap();
        sender.send(message).unwrap();
    }
}
