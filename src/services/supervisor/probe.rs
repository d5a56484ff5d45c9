//! Finds out when an instance can serve.

use std::{
    io,
    pin::pin,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::{
    Request, Response, StatusCode,
    header::{CONNECTION, HOST},
    uri::PathAndQuery,
};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::{
    body::Incoming,
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpStream, UnixStream},
    sync::watch,
    task::spawn_blocking,
    time::{Instant, sleep, timeout},
};
use tower::BoxError;

use super::{
    listener::{Listener, is_of_session, is_port_taken, listener},
    sock_diag::listening,
};
use crate::{
    settings::endpoint::{Instance, InstanceAddress, Protocol},
    telemetry::causes::with_causes,
};

/// How long one attempt may take.
const ATTEMPT: Duration = Duration::from_secs(5);

/// How much of the body of a response is read, and for how long.
const MAX_BODY: usize = 64 * 1024;
const LAST_OF_BODY: Duration = Duration::from_millis(250);

/// The shortest and the longest pause between attempts.
const PAUSES: (Duration, Duration) = (Duration::from_millis(20), Duration::from_secs(1));

/// Why an instance is not ready yet. Clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Doubt(Arc<Mutex<Option<String>>>);

impl Doubt {
    /// The last attempt failed for this reason.
    pub(super) fn set(&self, reason: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(reason);
    }

    /// Why the last attempt failed.
    pub(super) fn reason(&self) -> Option<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Returns once the instance accepts connections or, with a path, once it answers a GET with a 2xx or 3xx status. `pid`
/// receives its process id once it runs, and `uid` is its user. Returns true if it listens on all addresses.
pub(super) async fn until_ready(
    instance: &Instance,
    path: Option<&PathAndQuery>,
    uid: u32,
    pid: &mut watch::Receiver<Option<u32>>,
    doubt: &Doubt,
) -> bool {
    let began = Instant::now();
    loop {
        // Short pauses at first for programs that start fast, longer ones to save work for slow ones.
        sleep((began.elapsed() / 5).clamp(PAUSES.0, PAUSES.1)).await;
        match timeout(ATTEMPT, attempt(instance, path)).await {
            Ok(Ok(())) => match who_listens(&instance.address, uid, pid).await {
                Listener::There => return false,
                Listener::Everywhere => return true,
                Listener::Another => {
                    doubt.set(format!("another program listens on all addresses, including {}", instance.address));
                }
                Listener::Stranger(other) => {
                    doubt.set(format!("a program of another user (uid {other}) listens on {}", instance.address));
                }
            },
            Ok(Err(reason)) => doubt.set(reason),
            Err(_) => doubt.set(format!("it did not answer at {} in {} s", instance.address, ATTEMPT.as_secs())),
        }
    }
}

/// Which program accepted the connection.
async fn who_listens(address: &InstanceAddress, uid: u32, pid: &mut watch::Receiver<Option<u32>>) -> Listener {
    let InstanceAddress::Socket(address) = *address else { return Listener::There };
    let stranger = listening(address).filter(|socket| socket.uid != uid);
    if stranger.is_none() && !is_port_taken(address.port()) {
        return Listener::There;
    }
    let pid = pid.wait_for(Option::is_some).await.ok().and_then(|pid| *pid);
    let Some(pid) = pid else { return Listener::There };
    if let Some(socket) = stranger {
        // The program may have changed its user before it made the socket.
        let is_own = spawn_blocking(move || is_of_session(socket.inode, pid)).await;
        if !is_own.unwrap_or_default() {
            return Listener::Stranger(socket.uid);
        }
    }
    // With many connections, this reads megabytes.
    spawn_blocking(move || listener(address, pid)).await.unwrap_or(Listener::There)
}

async fn attempt(instance: &Instance, path: Option<&PathAndQuery>) -> Result<(), String> {
    let address = &instance.address;
    let stream = connect(address).await.map_err(|error| {
        let variables = match address {
            InstanceAddress::Socket(_) => "LISTEN, or HOST and PORT",
            InstanceAddress::Unix(_) => "SOCKET",
        };
        format!("it does not accept connections at {address}, which is in {variables}: {error}")
    })?;
    let Some(path) = path else { return Ok(()) };
    match status(stream, instance.protocol, path).await {
        Ok(status) if status.is_success() || status.is_redirection() => Ok(()),
        Ok(status) => Err(format!("GET {path} at {address} gets {status}")),
        Err(error) => Err(format!("GET {path} at {address} fails: {}", with_causes(&*error))),
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

async fn connect(address: &InstanceAddress) -> io::Result<Box<dyn Stream>> {
    Ok(match address {
        InstanceAddress::Socket(address) => Box::new(TcpStream::connect(address).await?),
        InstanceAddress::Unix(path) => Box::new(UnixStream::connect(path).await?),
    })
}

async fn status(stream: Box<dyn Stream>, protocol: Protocol, path: &PathAndQuery) -> Result<StatusCode, BoxError> {
    let stream = TokioIo::new(stream);
    if protocol == Protocol::H2c {
        let (mut sender, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
        let request = Request::get(format!("http://localhost{path}")).body(Empty::<Bytes>::new())?;
        let mut status = pin!(whole(sender.send_request(request)));
        tokio::select! {
            status = &mut status => status,
            // It may have ended with the response.
            _ = connection => status.await,
        }
    } else {
        let (mut sender, connection) = http1::handshake(stream).await?;
        let request = Request::get(path.as_str()).header(HOST, "localhost").header(CONNECTION, "close");
        let mut status = pin!(whole(sender.send_request(request.body(Empty::<Bytes>::new())?)));
        tokio::select! {
            status = &mut status => status,
            _ = connection => status.await,
        }
    }
}

/// The status of a response, once its body has been read: a program may complain of a connection that is closed before.
async fn whole(response: impl Future<Output = hyper::Result<Response<Incoming>>>) -> Result<StatusCode, BoxError> {
    let response = response.await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), MAX_BODY).collect();
    let _ = timeout(LAST_OF_BODY, body).await;
    Ok(status)
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    fn instance(address: InstanceAddress) -> Instance {
        Instance { service: "web".parse().unwrap(), number: 1, protocol: Protocol::Http, address }
    }

    #[tokio::test]
    async fn a_path_is_ready_with_a_good_status() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let instance = instance(InstanceAddress::Socket(listener.local_addr().unwrap()));
        let path = PathAndQuery::from_static("/up?x");
        for (status, expected) in [
            ("204 No Content", None),
            ("302 Found", None),
            ("404 Not Found", Some(" gets 404 Not Found")),
            ("nonsense", Some(" fails: ")),
        ] {
            let server = async {
                let (mut stream, _) = listener.accept().await.unwrap();
                let mut request = [0; 1024];
                let length = stream.read(&mut request).await.unwrap();
                let response = format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\n");
                stream.write_all(response.as_bytes()).await.unwrap();
                sleep(PAUSES.0).await;
                let is_ended =
                    stream.write_all(b"ok").await.is_ok() && stream.read(&mut [0]).await.is_ok_and(|n| n == 0);
                (String::from_utf8_lossy(&request[..length]).to_lowercase(), is_ended)
            };
            let (outcome, (request, is_ended)) = tokio::join!(attempt(&instance, Some(&path)), server);
            // A response that can be read is read whole, so that the program sees no reset.
            assert!(is_ended || status == "nonsense", "{status}");
            assert_eq!(outcome.is_ok(), expected.is_none(), "{outcome:?}");
            assert!(outcome.err().unwrap_or_default().contains(expected.unwrap_or_default()), "{status}");
            assert!(request.starts_with("get /up?x http/1.1\r\n") && request.contains("\r\nhost: localhost\r\n"));
        }
    }

    #[tokio::test]
    async fn an_instance_is_ready_once_it_listens() {
        let place = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let folder = tempfile::tempdir().unwrap();
        for address in [InstanceAddress::Socket(place), InstanceAddress::Unix(folder.path().join("socket"))] {
            let (instance, doubt) = (instance(address), Doubt::default());
            let (_sender, mut pid) = watch::channel(Some(std::process::id()));
            let opens = async {
                while doubt.reason().is_none() {
                    sleep(PAUSES.0).await;
                }
                // They stay open until the process ends.
                match &instance.address {
                    InstanceAddress::Socket(address) => {
                        std::mem::forget(std::net::TcpListener::bind(address).unwrap());
                    }
                    InstanceAddress::Unix(path) => {
                        std::mem::forget(std::os::unix::net::UnixListener::bind(path).unwrap());
                    }
                }
            };
            tokio::join!(until_ready(&instance, None, own_uid(), &mut pid, &doubt), opens);
            assert!(doubt.reason().unwrap().starts_with("it does not accept connections at "));
        }
    }

    #[tokio::test]
    async fn a_program_of_another_user_does_not_make_an_instance_ready() {
        let stranger = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let instance = instance(InstanceAddress::Socket(stranger.local_addr().unwrap()));
        let doubt = Doubt::default();
        // A session that does not exist.
        let (_sender, mut pid) = watch::channel(Some(u32::MAX));
        let other = own_uid() + 1;
        tokio::select! {
            _ = until_ready(&instance, None, other, &mut pid, &doubt) => panic!("it is ready"),
            () = async {
                while doubt.reason().is_none() {
                    sleep(PAUSES.0).await;
                }
            } => {}
        }
        let expected = format!("a program of another user (uid {}) listens on {}", own_uid(), instance.address);
        assert_eq!(doubt.reason(), Some(expected));
        // A program that has changed its user is in its session.
        let session = nix::unistd::getsid(None).unwrap().as_raw();
        let (_sender, mut pid) = watch::channel(u32::try_from(session).ok());
        assert!(!until_ready(&instance, None, other, &mut pid, &doubt).await);
    }

    fn own_uid() -> u32 {
        nix::unistd::Uid::effective().as_raw()
    }
}
