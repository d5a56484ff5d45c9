mod reload;

use std::{
    fs,
    io::{Read, Write},
    ops::DerefMut,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    sync::Mutex,
};

use pmesh_layers::identity::Authority;
use rustls::{
    ClientConfig, ClientConnection, ConnectionCommon, HandshakeKind, NamedGroup, ProtocolVersion, RootCertStore,
    ServerConnection, SupportedProtocolVersion,
    client::{ClientSessionStore, Resumption, Tls12ClientSessionValue, Tls13ClientSessionValue},
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use tempfile::TempDir;

use super::*;
use crate::pem::PemError;

/// A folder with files, and clients that trust the authority and all of the files.
struct Setup {
    folder: TempDir,
    issuer: Arc<Issuer>,
    roots: RootCertStore,
    files: Vec<CertificateFiles>,
}

impl Setup {
    fn new() -> Self {
        let authority = Arc::new(Authority::derive(&"1".repeat(64).parse().unwrap(), "example").unwrap());
        let mut roots = RootCertStore::empty();
        roots.add(authority.certificate_der().clone()).unwrap();
        let issuer = Issuer::new(authority).unwrap();
        Self { folder: tempfile::tempdir().unwrap(), issuer, roots, files: Vec::new() }
    }

    /// Adds a pair of files whose certificate is valid for `names`.
    fn add(&mut self, names: &[&str]) -> CertificateDer<'static> {
        let (certificate, texts) = self.next(names);
        let number = self.files.len();
        let cert = self.write(&format!("{number}.crt"), &texts[0]);
        let key = self.write(&format!("{number}.key"), &texts[1]);
        self.files.push(CertificateFiles {
            cert,
            key,
            origin: format!("pair {number}"),
            key_origin: format!("key {number}"),
        });
        certificate
    }

    /// A certificate that clients trust, with the texts of its file and its key's.
    fn next(&mut self, names: &[&str]) -> (CertificateDer<'static>, [String; 2]) {
        let names: Vec<_> = names.iter().map(ToString::to_string).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        self.roots.add(made.cert.der().clone()).unwrap();
        let texts = [made.cert.pem(), made.signing_key.serialize_pem()];
        (made.cert.into(), texts)
    }

    /// Renames over the existing file, because a file that is written twice within a tick of the clock can look unchanged.
    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        let staged = path.with_extension("staged");
        fs::write(&staged, text).unwrap();
        fs::rename(staged, &path).unwrap();
        path
    }

    fn certificates(&self, patterns: &[&str]) -> Result<Certificates, CertificateError> {
        Certificates::new(self.issuer.clone(), &self.files, parse(patterns), None)
    }

    /// The certificates after a reload.
    fn next_certificates(&self, patterns: &[&str], previous: &Certificates) -> Result<Certificates, CertificateError> {
        Certificates::new(self.issuer.clone(), &self.files, parse(patterns), Some(previous))
    }

    fn client(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth()
    }

    /// The certificate that is presented to a client that requests `name`. The client has verified it.
    fn presented(&self, certificates: &Certificates, name: &str) -> CertificateDer<'static> {
        let config = certificates.server_config(&host(name)).unwrap();
        let client = Arc::new(self.client(&TLS13));
        let (client, _) = handshake(&config, &client, name.trim_matches(['[', ']']));
        client.peer_certificates().unwrap()[0].clone()
    }
}

fn parse(patterns: &[&str]) -> Vec<HostPattern> {
    patterns.iter().map(|pattern| pattern.parse().unwrap()).collect()
}

fn host(name: &str) -> HostName {
    name.parse().unwrap()
}

#[test]
fn only_served_names_have_a_certificate() {
    let mut setup = Setup::new();
    setup.add(&["unserved.example"]);
    let certificates = setup.certificates(&["a.example", "*.b.example", "127.0.0.1", "[::1]"]).unwrap();
    for name in ["a.example", "x.b.example", "y.x.b.example", "127.0.0.1", "[::1]"] {
        // The client has verified that it is valid for the name.
        setup.presented(&certificates, name);
    }
    for name in ["unserved.example", "x.a.example", "b.example", "example", "xb.example", "127.0.0.2"] {
        assert!(certificates.server_config(&host(name)).is_none(), "{name}");
    }
}

#[test]
fn files_win_over_the_authority_and_the_closest_file_wins() {
    let mut setup = Setup::new();
    let wildcard = setup.add(&["*.example.com", "127.0.0.1"]);
    let listed = setup.add(&["A.example.com", "b.example.com"]);
    setup.add(&["*.example.com", "b.example.com", "127.0.0.1"]);
    let deeper = setup.add(&["*.deep.example.com"]);
    let certificates = setup.certificates(&["a.example.com", "*.example.com", "127.0.0.1", "example.com"]).unwrap();
    for (name, expected) in [
        ("a.example.com", &listed),
        ("b.example.com", &listed),
        ("c.example.com", &wildcard),
        ("127.0.0.1", &wildcard),
        ("x.deep.example.com", &deeper),
    ] {
        assert_eq!(&setup.presented(&certificates, name), expected, "{name}");
    }
    // No file is valid for two labels below a wildcard, or for its parent.
    for name in ["x.c.example.com", "example.com"] {
        assert!(![&wildcard, &listed, &deeper].contains(&&setup.presented(&certificates, name)), "{name}");
    }
}

#[test]
fn names_of_one_file_share_a_configuration() {
    let mut setup = Setup::new();
    setup.add(&["*.example.com"]);
    let certificates = setup.certificates(&["*.example.com"]).unwrap();
    let config = |name| certificates.server_config(&host(name)).unwrap();
    assert!(Arc::ptr_eq(&config("a.example.com"), &config("b.example.com")));
}

#[test]
fn the_longest_wildcard_serves_a_name() {
    let setup = Setup::new();
    let certificates = setup.certificates(&["*.example", "*.b.example"]).unwrap();
    let below = |name: &str| {
        parents(host(name).as_str()).find(|parent| certificates.below.contains_key(*parent)).map(str::to_owned)
    };
    assert_eq!(below("x.b.example").as_deref(), Some("b.example"));
    assert_eq!(below("y.x.b.example").as_deref(), Some("b.example"));
    assert_eq!(below("b.example").as_deref(), Some("example"));
}

#[test]
fn all_versions_and_protocols_are_spoken() {
    let setup = Setup::new();
    let certificates = setup.certificates(&["a.example"]).unwrap();
    let config = certificates.server_config(&host("a.example")).unwrap();
    assert_eq!(config.max_early_data_size, 0);
    for (version, expected) in [(&TLS12, ProtocolVersion::TLSv1_2), (&TLS13, ProtocolVersion::TLSv1_3)] {
        for protocol in [&b"h2"[..], b"http/1.1", b"http/1.0"] {
            let mut client = setup.client(version);
            client.alpn_protocols = vec![protocol.to_vec()];
            let (_, server) = handshake(&config, &Arc::new(client), "a.example");
            assert_eq!(server.protocol_version(), Some(expected));
            assert_eq!(server.alpn_protocol(), Some(protocol));
        }
    }
}

#[test]
fn a_ticket_is_only_valid_for_its_own_name() {
    let mut setup = Setup::new();
    setup.add(&["*.example.com"]);
    // One certificate for both names, one for each, and one of each kind.
    for [first, second] in [["a.example.com", "b.example.com"], ["a.test", "b.test"], ["a.test", "a.example.com"]] {
        let certificates = setup.certificates(&["*.example.com", "a.test", "b.test"]).unwrap();
        let config = |name| certificates.server_config(&host(name)).unwrap();
        for version in [&TLS12, &TLS13] {
            let mut client = setup.client(version);
            client.resumption = Resumption::store(Arc::new(AnyNameStore::default()));
            let client = Arc::new(client);
            let kind = |name| handshake(&config(name), &client, name).1.handshake_kind();
            assert_eq!(kind(first), Some(HandshakeKind::Full));
            assert_eq!(kind(first), Some(HandshakeKind::Resumed));
            assert_eq!(kind(second), Some(HandshakeKind::Full), "{first} {second} {version:?}");
        }
    }
}

#[test]
fn unusable_files_are_named() {
    let mut setup = Setup::new();
    setup.add(&["a.example"]);
    setup.add(&["a.example"]);
    let good = setup.files[0].clone();
    let damaged = setup.write("damaged", "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n");
    let garbage = setup.write("garbage", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let bad_key = setup.write("bad-key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n");
    let empty = setup.write("empty", "");
    let missing = setup.folder.path().join("missing");
    let folder = setup.folder.path().to_owned();
    let mut error = |certificate: &Path, key: &Path| {
        setup.files = vec![CertificateFiles {
            cert: certificate.into(),
            key: key.into(),
            origin: "--cert".to_owned(),
            key_origin: "--key".to_owned(),
        }];
        let error = setup.certificates(&["a.example"]).unwrap_err();
        let (place, culprit) = if certificate == good.cert { ("--key", key) } else { ("--cert", certificate) };
        let shown = error.to_string();
        assert!(shown.contains(place) && shown.contains(&culprit.display().to_string()), "{shown}");
        error
    };
    for path in [&missing, &folder] {
        assert!(matches!(error(path, &good.key), CertificateError::File(PemError::Unreadable { .. })));
        assert!(matches!(error(&good.cert, path), CertificateError::File(PemError::Unreadable { .. })));
    }
    assert!(matches!(error(&empty, &good.key), CertificateError::File(PemError::NoCertificate { .. })));
    assert!(matches!(error(&good.key, &good.key), CertificateError::File(PemError::NoCertificate { .. })));
    assert!(matches!(error(&damaged, &good.key), CertificateError::File(PemError::Damaged { .. })));
    assert!(matches!(error(&garbage, &good.key), CertificateError::BadCertificate { .. }));
    assert!(matches!(error(&good.cert, &empty), CertificateError::File(PemError::NoKey { .. })));
    assert!(matches!(error(&good.cert, &good.cert), CertificateError::File(PemError::NoKey { .. })));
    assert!(matches!(error(&good.cert, &bad_key), CertificateError::BadKey { .. }));
    assert!(matches!(error(&good.cert, &folder.join("1.key")), CertificateError::Mismatch { .. }));
}

#[test]
fn a_name_that_only_looks_like_an_address_is_refused() {
    let error = Setup::new().certificates(&["1.2.3"]).unwrap_err();
    assert!(matches!(error, CertificateError::NotAnAddress { .. }), "{error}");
}

#[test]
fn a_pair_that_is_replaced_file_by_file_is_used_when_it_matches() {
    let mut setup = Setup::new();
    let before = setup.add(&["a.example"]);
    let mut watch = CertificateWatch::new(&setup.files);
    let certificates = setup.certificates(&["a.example"]).unwrap();
    let mut refresh = |all| {
        let Refreshed { new, unusable } = watch.refresh(&certificates, all);
        (new, unusable)
    };
    assert_eq!(refresh(false), (0, 0));

    let (after, texts) = setup.next(&["a.example"]);
    setup.write("0.crt", &texts[0]);
    for all in [false, false, true] {
        assert_eq!(refresh(all), (0, 1));
        assert_eq!(setup.presented(&certificates, "a.example"), before);
    }
    setup.write("0.key", &texts[1]);
    assert_eq!(refresh(false), (1, 0));
    assert_eq!(setup.presented(&certificates, "a.example"), after);

    // Written again with the same contents.
    let config = certificates.server_config(&host("a.example")).unwrap();
    setup.write("0.crt", &texts[0]);
    for all in [false, true] {
        assert_eq!(refresh(all), (0, 0));
        assert!(Arc::ptr_eq(&config, &certificates.server_config(&host("a.example")).unwrap()));
    }
}

#[test]
fn an_unusable_pair_affects_neither_its_predecessor_nor_other_pairs() {
    let mut setup = Setup::new();
    let first = setup.add(&["a.example"]);
    setup.add(&["b.example"]);
    let mut watch = CertificateWatch::new(&setup.files);
    let certificates = setup.certificates(&["a.example", "b.example"]).unwrap();
    for damage in [None, Some(""), Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")] {
        match damage {
            None => fs::remove_file(&setup.files[0].cert).unwrap(),
            Some(text) => drop(setup.write("0.crt", text)),
        }
        let (second, texts) = setup.next(&["b.example"]);
        setup.write("1.crt", &texts[0]);
        setup.write("1.key", &texts[1]);
        assert_eq!(watch.refresh(&certificates, false), Refreshed { new: 1, unusable: 1 }, "{damage:?}");
        assert_eq!(setup.presented(&certificates, "a.example"), first, "{damage:?}");
        assert_eq!(setup.presented(&certificates, "b.example"), second, "{damage:?}");
    }
}

#[test]
fn a_switched_symlink_is_noticed() {
    let mut setup = Setup::new();
    // As in Kubernetes secrets: the files are symlinks into a folder, and that folder is a symlink that updates replace.
    for folder in ["..1", "..2"] {
        fs::create_dir(setup.folder.path().join(folder)).unwrap();
    }
    let (before, texts) = setup.next(&["a.example"]);
    let (after, next) = setup.next(&["a.example"]);
    let folder = setup.folder.path().to_owned();
    for (folder, texts) in [("..1", texts), ("..2", next)] {
        setup.write(&format!("{folder}/tls.crt"), &texts[0]);
        setup.write(&format!("{folder}/tls.key"), &texts[1]);
    }
    for (link, target) in [("..data", "..1"), ("tls.crt", "..data/tls.crt"), ("tls.key", "..data/tls.key")] {
        symlink(target, folder.join(link)).unwrap();
    }
    let origin = "mounted".to_owned();
    setup.files = vec![CertificateFiles {
        cert: folder.join("tls.crt"),
        key: folder.join("tls.key"),
        key_origin: origin.clone(),
        origin,
    }];
    let mut watch = CertificateWatch::new(&setup.files);
    let certificates = setup.certificates(&["a.example"]).unwrap();
    assert_eq!(setup.presented(&certificates, "a.example"), before);
    symlink("..2", folder.join("..staged")).unwrap();
    fs::rename(folder.join("..staged"), folder.join("..data")).unwrap();
    assert_eq!(watch.refresh(&certificates, false), Refreshed { new: 1, unusable: 0 });
    assert_eq!(setup.presented(&certificates, "a.example"), after);
}

#[test]
fn a_new_certificate_serves_its_names_and_sessions_still_resume() {
    let mut setup = Setup::new();
    setup.add(&["a.example", "b.example"]);
    let mut watch = CertificateWatch::new(&setup.files);
    let certificates = setup.certificates(&["a.example", "b.example", "*.c.example"]).unwrap();
    let clients = [&TLS12, &TLS13].map(|version| Arc::new(setup.client(version)));
    let kinds = || {
        let config = certificates.server_config(&host("a.example")).unwrap();
        clients.each_ref().map(|client| handshake(&config, client, "a.example").1.handshake_kind())
    };
    assert_eq!(kinds(), [Some(HandshakeKind::Full); 2]);

    let (after, texts) = setup.next(&["a.example", "*.c.example"]);
    setup.write("0.crt", &texts[0]);
    setup.write("0.key", &texts[1]);
    assert_eq!(watch.refresh(&certificates, false), Refreshed { new: 1, unusable: 0 });
    assert_eq!(kinds(), [Some(HandshakeKind::Resumed); 2]);
    assert_eq!(setup.presented(&certificates, "a.example"), after);
    assert_eq!(setup.presented(&certificates, "x.c.example"), after);
    // From the authority.
    assert_ne!(setup.presented(&certificates, "b.example"), after);
}

/// A handshake and a byte each way, through memory.
fn handshake(
    server: &Arc<ServerConfig>,
    client: &Arc<ClientConfig>,
    name: &str,
) -> (ClientConnection, ServerConnection) {
    let mut server = ServerConnection::new(server.clone()).unwrap();
    let mut client = ClientConnection::new(client.clone(), ServerName::try_from(name.to_owned()).unwrap()).unwrap();
    client.writer().write_all(b"?").unwrap();
    server.writer().write_all(b"!").unwrap();
    while client.wants_write() || server.wants_write() {
        carry(&mut client, &mut server);
        carry(&mut server, &mut client);
    }
    let mut byte = [0];
    server.reader().read_exact(&mut byte).unwrap();
    client.reader().read_exact(&mut byte).unwrap();
    (client, server)
}

fn carry<A, B>(
    from: &mut impl DerefMut<Target = ConnectionCommon<A>>,
    to: &mut impl DerefMut<Target = ConnectionCommon<B>>,
) {
    let mut pipe = Vec::new();
    while from.wants_write() {
        from.write_tls(&mut pipe).unwrap();
    }
    let mut rest = &pipe[..];
    while !rest.is_empty() {
        to.read_tls(&mut rest).unwrap();
        to.process_new_packets().unwrap();
    }
}

/// A session store that offers each ticket for every name.
#[derive(Debug, Default)]
struct AnyNameStore {
    tls12: Mutex<Option<Tls12ClientSessionValue>>,
    tls13: Mutex<Vec<Tls13ClientSessionValue>>,
}

impl ClientSessionStore for AnyNameStore {
    fn set_kx_hint(&self, _: ServerName<'static>, _: NamedGroup) {}

    fn kx_hint(&self, _: &ServerName<'_>) -> Option<NamedGroup> {
        None
    }

    fn set_tls12_session(&self, _: ServerName<'static>, value: Tls12ClientSessionValue) {
        *self.tls12.lock().unwrap() = Some(value);
    }

    fn tls12_session(&self, _: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.tls12.lock().unwrap().clone()
    }

    fn remove_tls12_session(&self, _: &ServerName<'static>) {
        *self.tls12.lock().unwrap() = None;
    }

    fn insert_tls13_ticket(&self, _: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tls13.lock().unwrap().push(value);
    }

    fn take_tls13_ticket(&self, _: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.tls13.lock().unwrap().pop()
    }
}
