//! The proxy and its backends, and the faults that they have.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use nix::sys::signal::Signal;
use socket2::{Domain, Socket, Type};
use tempfile::TempDir;

use super::{
    rows::{Fault, Row},
    support::{
        backend::{Backend, Behaviour},
        harness::Program,
        proxy::{HOST, start},
        statistics::milliseconds,
    },
};

pub struct Scene {
    pub address: SocketAddr,
    program: Program,
    /// Proxies that got SIGTERM.
    former: Vec<Program>,
    /// How long the port was closed.
    gaps: Vec<Duration>,
    backends: Vec<Backend>,
    flags: &'static [&'static str],
    crowd: Vec<TcpStream>,
    _folder: TempDir,
}

impl Scene {
    pub fn new(row: &Row) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backends: Vec<Backend> = (0..row.backends).map(|number| Backend::start(folder.path(), number)).collect();
        let program = proxy(&backends, row.flags, 0);
        Self {
            address: program.http(),
            program,
            former: Vec::new(),
            gaps: Vec::new(),
            backends,
            flags: row.flags,
            crowd: Vec::new(),
            _folder: folder,
        }
    }

    pub fn begin(&mut self, fault: Fault) {
        let faulty = &mut self.backends[0];
        match fault {
            Fault::None => {}
            Fault::Kill => faulty.kill(),
            Fault::Hang => faulty.signal(Signal::SIGSTOP),
            Fault::Behave(behaviour) => faulty.behave(behaviour),
            Fault::Replace => self.replace(),
            Fault::Descriptors => {
                self.limit_descriptors("256:");
                self.crowd = (0..300).filter_map(|_| idle_client(self.address)).collect();
            }
        }
    }

    pub fn end(&mut self, fault: Fault) {
        let faulty = &mut self.backends[0];
        match fault {
            Fault::None | Fault::Replace => {}
            Fault::Kill => faulty.restart(),
            Fault::Hang => faulty.signal(Signal::SIGCONT),
            Fault::Behave(_) => faulty.behave(Behaviour::Answer),
            Fault::Descriptors => {
                self.limit_descriptors("20000:");
                self.crowd.clear();
            }
        }
    }

    /// Returns the backends' records, and a note for the table.
    pub fn finish(mut self) -> (Vec<String>, String) {
        let count = self.former.len();
        let clean_exits = self.former.iter_mut().filter_map(|program| program.wait().success().then_some(())).count();
        let gap = self.gaps.iter().max().copied().map(milliseconds);
        let note = gap.map_or_else(String::new, |gap| {
            format!("{clean_exits} of {count} exited cleanly, the port was closed for up to {gap} ms")
        });
        (self.backends.iter().flat_map(Backend::requests).collect(), note)
    }

    fn replace(&mut self) {
        self.program.signal(Signal::SIGTERM);
        let start = Instant::now();
        while !is_free(self.address) {
            sleep(Duration::from_millis(1));
        }
        let next = proxy(&self.backends, self.flags, self.address.port());
        self.gaps.push(start.elapsed());
        self.former.push(std::mem::replace(&mut self.program, next));
    }

    /// Sets the soft limit. The proxy raises it only at startup.
    fn limit_descriptors(&self, limit: &str) {
        let mut command = Command::new("prlimit");
        command.args(["--pid", &self.program.id().to_string(), &format!("--nofile={limit}")]);
        assert!(command.status().unwrap().success(), "prlimit failed");
    }
}

fn proxy(backends: &[Backend], flags: &[&str], port: u16) -> Program {
    let addresses: Vec<String> = backends.iter().map(|backend| backend.address.clone()).collect();
    start(&addresses).flags(flags).http(port).run()
}

/// Whether another proxy could bind the address now.
fn is_free(address: SocketAddr) -> bool {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.set_reuse_address(true).unwrap();
    socket.bind(&address.into()).is_ok()
}

fn idle_client(address: SocketAddr) -> Option<TcpStream> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.write_all(format!("GET /idle HTTP/1.1\r\nHost: {HOST}\r\n\r\n").as_bytes()).ok()?;
    Some(stream)
}
