//! A backend in the test's process that records the raw bytes of each connection.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};

use socket2::{Domain, SockRef, Socket, Type};

use super::{PATIENCE, read, read::Request, shown};

/// Listens until the test's process ends. Each connection has its own thread.
pub struct Backend {
    pub address: SocketAddr,
    records: Arc<Records>,
}

#[derive(Default)]
struct Records {
    all: Mutex<Vec<Record>>,
    changed: Condvar,
}

/// The record of one connection.
#[derive(Clone)]
pub struct Record {
    pub peer: SocketAddr,
    pub bytes: Vec<u8>,
    pub ended: bool,
}

impl Backend {
    /// Starts a backend that calls `serve` for each connection.
    pub fn start(serve: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self::on(listener, serve)
    }

    pub fn on(listener: TcpListener, serve: impl Fn(&mut Connection) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let records = Arc::<Records>::default();
        let serve = Arc::new(serve);
        let of_listener = Arc::clone(&records);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let Ok(mut connection) = Connection::new(stream, Arc::clone(&of_listener)) else { continue };
                let serve = Arc::clone(&serve);
                thread::spawn(move || serve(&mut connection));
            }
        });
        Self { address, records }
    }

    /// Starts a backend that answers each request with 200 and this body.
    pub fn answering(body: &'static str) -> Self {
        Self::start(move |connection| {
            while connection.request().is_some() {
                connection.send(ok(body));
            }
        })
    }

    pub fn connections(&self) -> Vec<Record> {
        self.records.lock().clone()
    }

    /// All requests so far, connection by connection. Panics if the bytes are ambiguous.
    #[track_caller]
    pub fn requests(&self) -> Vec<Request> {
        let judge = |record: Record| match read::judge(&record.bytes) {
            Ok(requests) => requests,
            Err(fault) => panic!("{fault}: {}", shown(&record.bytes)),
        };
        self.connections().into_iter().flat_map(judge).collect()
    }

    /// The only request so far.
    #[track_caller]
    pub fn request(&self) -> Request {
        let mut requests = self.requests();
        assert_eq!(requests.len(), 1, "{requests:?}");
        requests.remove(0)
    }

    /// Waits until all connections have ended.
    pub fn wait_for_end(&self) -> Vec<Record> {
        self.wait_until("all connections have ended", |all| all.iter().all(|record| record.ended))
    }

    /// Waits until the bytes of a connection end in `bytes`.
    pub fn wait_for_bytes(&self, bytes: &[u8]) {
        self.wait_until("the bytes have arrived", |all| all.iter().any(|record| record.bytes.ends_with(bytes)));
    }

    #[track_caller]
    fn wait_until(&self, what: &str, condition: impl Fn(&[Record]) -> bool) -> Vec<Record> {
        let all = self.records.lock();
        let all = self.records.changed.wait_timeout_while(all, PATIENCE, |all| !condition(all));
        let (all, _) = all.unwrap_or_else(PoisonError::into_inner);
        assert!(condition(&all), "waited in vain: {what}");
        all.clone()
    }
}

impl Records {
    fn lock(&self) -> MutexGuard<'_, Vec<Record>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One connection from the program.
pub struct Connection {
    stream: TcpStream,
    records: Arc<Records>,
    index: usize,
    unread: Vec<u8>,
    reset: bool,
}

impl Connection {
    fn new(stream: TcpStream, records: Arc<Records>) -> io::Result<Self> {
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        let record = Record { peer: stream.peer_addr()?, bytes: Vec::new(), ended: false };
        let index = {
            let mut all = records.lock();
            all.push(record);
            all.len() - 1
        };
        Ok(Self { stream, records, index, unread: Vec::new(), reset: false })
    }

    /// The next request with its body, or `None` at the end of the connection or after ambiguous bytes.
    pub fn request(&mut self) -> Option<Request> {
        self.next(read::request)
    }

    /// The head of the next request. To read the body, use [`take`](Self::take).
    pub fn head(&mut self) -> Option<Request> {
        self.next(|bytes| Ok(read::head(bytes)?.map(|(head, _, used)| (head, used))))
    }

    fn next(&mut self, read: impl Fn(&[u8]) -> Result<Option<(Request, usize)>, read::Fault>) -> Option<Request> {
        loop {
            if let Some((request, used)) = read(&self.unread).ok()? {
                self.unread.drain(..used);
                return Some(request);
            }
            self.fill().then_some(())?;
        }
    }

    /// Exactly `count` bytes, or `None` if the connection ends before.
    pub fn take(&mut self, count: usize) -> Option<Vec<u8>> {
        while self.unread.len() < count {
            self.fill().then_some(())?;
        }
        Some(self.unread.drain(..count).collect())
    }

    /// Reads until the connection ends.
    pub fn drain(&mut self) {
        while self.fill() {
            self.unread.clear();
        }
    }

    /// Sends `bytes`. Errors are ignored, because the other side may be gone. The test checks there what has arrived.
    pub fn send(&mut self, bytes: impl AsRef<[u8]>) {
        let _ = self.try_send(bytes);
    }

    pub fn try_send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref())
    }

    /// Resets the connection when it is dropped.
    pub fn reset(&mut self) {
        SockRef::from(&self.stream).set_linger(Some(Duration::ZERO)).unwrap();
        self.reset = true;
    }

    /// Shuts down the sending side. Reading is still possible.
    pub fn finish_sending(&self) {
        let _ = self.stream.shutdown(Shutdown::Write);
    }

    fn fill(&mut self) -> bool {
        let mut buffer = [0; 16 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.unread.extend_from_slice(&buffer[..count]);
                self.records.lock()[self.index].bytes.extend_from_slice(&buffer[..count]);
                self.records.changed.notify_all();
                true
            }
        }
    }
}

/// For protocols that a library speaks after an upgrade.
impl Read for Connection {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.unread.is_empty() && !self.fill() {
            return Ok(0);
        }
        let count = buffer.len().min(self.unread.len());
        buffer[..count].copy_from_slice(&self.unread[..count]);
        self.unread.drain(..count);
        Ok(count)
    }
}

impl Write for Connection {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // First, so that the other side sees the end before `ended` is set. For a reset, closing is enough.
        if !self.reset {
            let _ = self.stream.shutdown(Shutdown::Both);
        }
        self.records.lock()[self.index].ended = true;
        self.records.changed.notify_all();
    }
}

/// A response with a body.
pub fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A port on which nothing listens and which nobody else gets while this exists.
pub struct Refusing(Socket);

impl Refusing {
    pub fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        Self(socket)
    }

    /// Listens on the port from now on.
    pub fn listen(self) -> TcpListener {
        self.0.listen(128).unwrap();
        self.0.into()
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap().as_socket().unwrap()
    }
}

/// An address where packets get lost, as if its machine were gone: connections are neither accepted nor refused.
pub struct BlackHole {
    listener: Socket,
    /// These fill the backlog.
    _waiting: Vec<Socket>,
}

impl BlackHole {
    pub fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let mut waiting = Vec::new();
        // Connections beyond the backlog stay half open.
        for _ in 0..4 {
            let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
            socket.set_nonblocking(true).unwrap();
            let _ = socket.connect(&address);
            waiting.push(socket);
        }
        Self { listener, _waiting: waiting }
    }

    /// Accepts connections from now on.
    pub fn listen(self) -> TcpListener {
        self.listener.listen(128).unwrap();
        self.listener.into()
    }

    pub fn address(&self) -> SocketAddr {
        self.listener.local_addr().unwrap().as_socket().unwrap()
    }
}
