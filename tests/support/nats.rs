//! A real NATS server with JetStream: the program named by the variable `NATS_SERVER`, or `nats-server` on the `PATH`.

use std::{
    env,
    ffi::OsString,
    io::{BufRead, BufReader},
    net::SocketAddr,
    path::PathBuf,
    process::{self, Child, Command, Stdio},
    sync::{
        atomic::{AtomicU8, Ordering},
        mpsc,
    },
    thread,
};

use tempfile::TempDir;

use crate::support::{PATIENCE, files::certificate};

/// A NATS server. Dropping this kills it.
pub struct Nats {
    program: OsString,
    arguments: Vec<String>,
    folder: TempDir,
    child: Option<Child>,
    pub address: SocketAddr,
}

impl Nats {
    /// Starts a server, or prints why there is none.
    pub fn start(arguments: &[&str]) -> Option<Self> {
        let mut nats = Self::new(arguments)?;
        nats.restart();
        Some(nats)
    }

    /// Prepares a server without starting it, at an address that nobody else uses.
    pub fn new(arguments: &[&str]) -> Option<Self> {
        static SERVERS: AtomicU8 = AtomicU8::new(0);

        let program = env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into());
        if Command::new(&program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
            eprintln!("skipped: no nats-server on the PATH, and NATS_SERVER names none");
            return None;
        }
        // All of 127.0.0.0/8 is this machine.
        let [.., high, low] = process::id().to_be_bytes();
        let address = SocketAddr::from(([127, 100 + SERVERS.fetch_add(1, Ordering::Relaxed) % 100, high, low], 4222));
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        Some(Self { program, arguments, folder: tempfile::tempdir().unwrap(), child: None, address })
    }

    /// Requires TLS from the next start on, with a certificate for its address. Returns the file of the certificate.
    pub fn require_tls(&mut self) -> PathBuf {
        certificate(self.folder.path(), &self.address.ip().to_string());
        let file = |name: &str| self.folder.path().join(name);
        let (cert, key) = (file("cert.pem"), file("key.pem"));
        let files =
            ["--tlscert".to_owned(), cert.display().to_string(), "--tlskey".to_owned(), key.display().to_string()];
        self.arguments.push("--tls".to_owned());
        self.arguments.extend(files);
        cert
    }

    pub fn url(&self) -> String {
        format!("nats://{}", self.address)
    }

    /// Starts the server at the same address, and waits until it is ready. Anything it kept in memory is lost.
    pub fn restart(&mut self) {
        self.kill();
        let mut child = Command::new(&self.program)
            .args(["--addr", &self.address.ip().to_string(), "--port", &self.address.port().to_string(), "--jetstream"])
            .arg("--store_dir")
            .arg(self.folder.path())
            .args(&self.arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let (ready, is_ready) = mpsc::channel();
        thread::spawn(move || {
            // Read to the end, or the server would block on a full pipe.
            for line in lines.map_while(Result::ok) {
                if line.contains("Server is ready") {
                    let _ = ready.send(());
                }
            }
        });
        self.child = Some(child);
        is_ready.recv_timeout(PATIENCE).expect("a server that is ready");
    }

    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.kill();
    }
}
