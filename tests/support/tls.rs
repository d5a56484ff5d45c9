//! TLS clients that trust the program's authority, and their ClientHellos.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

use super::{Client, Program, client::Response, program::PROGRAM};

pub use rustls::version::{TLS12, TLS13};

pub type TlsStream = StreamOwned<ClientConnection, TcpStream>;

/// The properties of a TLS client.
#[derive(Clone)]
pub struct Tls {
    pub roots: Arc<RootCertStore>,
    pub versions: Vec<&'static SupportedProtocolVersion>,
    pub alpn: Vec<Vec<u8>>,
    pub provider: CryptoProvider,
}

impl Tls {
    /// A client that trusts the authority of `program`, as `pmesh ca` prints it.
    pub fn trusting(program: &Program) -> Self {
        let output = std::process::Command::new(PROGRAM).arg("--home").arg(program.home()).arg("ca").output().unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(&output.stdout).unwrap()).unwrap();
        Self { roots: Arc::new(roots), ..Self::stranger() }
    }

    /// A client that trusts no authority, which is enough for a ClientHello.
    pub fn stranger() -> Self {
        Self {
            roots: Arc::new(RootCertStore::empty()),
            versions: vec![&TLS13, &TLS12],
            alpn: Vec::new(),
            provider: aws_lc_rs::default_provider(),
        }
    }

    pub fn versions(self, versions: &[&'static SupportedProtocolVersion]) -> Self {
        Self { versions: versions.to_vec(), ..self }
    }

    pub fn alpn(self, protocols: &[&str]) -> Self {
        Self { alpn: protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect(), ..self }
    }

    pub fn config(&self) -> Arc<ClientConfig> {
        let builder = ClientConfig::builder_with_provider(Arc::new(self.provider.clone()));
        let builder = builder.with_protocol_versions(&self.versions).unwrap();
        let mut config = builder.with_root_certificates(Arc::clone(&self.roots)).with_no_client_auth();
        config.alpn_protocols.clone_from(&self.alpn);
        Arc::new(config)
    }

    pub fn session(&self, name: &str) -> ClientConnection {
        ClientConnection::new(self.config(), ServerName::try_from(name.to_owned()).unwrap()).unwrap()
    }

    /// Connects and completes the handshake.
    pub fn connect(&self, address: SocketAddr, name: &str) -> io::Result<Client<TlsStream>> {
        self.connect_with(address, name, |hello, tcp| tcp.write_all(hello))
    }

    /// Like [`connect`](Self::connect), but `send` writes the ClientHello.
    pub fn connect_with(
        &self,
        address: SocketAddr,
        name: &str,
        send: impl FnOnce(&[u8], &mut TcpStream) -> io::Result<()>,
    ) -> io::Result<Client<TlsStream>> {
        let mut session = self.session(name);
        let mut tcp = Client::connect(address).stream;
        send(&first_flight(&mut session), &mut tcp)?;
        let mut stream = StreamOwned::new(session, tcp);
        while stream.conn.is_handshaking() {
            stream.conn.complete_io(&mut stream.sock)?;
        }
        Ok(Client::new(stream))
    }

    /// Sends a GET over a new connection.
    #[track_caller]
    pub fn get(&self, address: SocketAddr, name: &str, host: &str) -> Response {
        self.connect(address, name).unwrap().get(host, "/")
    }

    /// The ClientHello for `name`.
    pub fn hello(&self, name: &str) -> Vec<u8> {
        first_flight(&mut self.session(name))
    }
}

fn first_flight(session: &mut ClientConnection) -> Vec<u8> {
    let mut bytes = Vec::new();
    while session.wants_write() {
        session.write_tls(&mut bytes).unwrap();
    }
    bytes
}

/// Splits a handshake message into records of `size` bytes.
pub fn cut(record: &[u8], size: usize) -> Vec<u8> {
    let (head, message) = record.split_at(5);
    let record = |piece: &[u8]| [&head[..3], &u16::try_from(piece.len()).unwrap().to_be_bytes(), piece].concat();
    message.chunks(size).flat_map(record).collect()
}

/// Replaces `old` with other text of the same length.
pub fn patched(bytes: &[u8], old: &str, new: &str) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let at = bytes.windows(old.len()).position(|window| window == old.as_bytes()).unwrap();
    [&bytes[..at], new.as_bytes(), &bytes[at + old.len()..]].concat()
}

/// Returns any raw bytes that follow what has been read.
pub fn raw_rest(client: &mut Client<TlsStream>) -> io::Result<Vec<u8>> {
    let mut rest = Vec::new();
    client.stream.sock.read_to_end(&mut rest)?;
    Ok(rest)
}
