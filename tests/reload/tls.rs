//! Certificates and TLS sessions across reloads.

use std::{fs, net::SocketAddr, sync::Arc};

use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, StreamOwned, pki_types::ServerName};

use crate::{
    reload, route, start,
    support::{Backend, Client, files, tls::Tls, tls_backend::tls_backend},
    try_reload,
};

/// Returns whether a client with this configuration resumes a session. To know that, it first waits for a response.
fn handshake(config: &Arc<ClientConfig>, address: SocketAddr, host: &'static str) -> HandshakeKind {
    let session = ClientConnection::new(Arc::clone(config), ServerName::try_from(host).unwrap()).unwrap();
    let mut client = Client::new(StreamOwned::new(session, Client::connect(address).stream));
    assert_eq!(client.get(host, "/").status, 200);
    client.stream.conn.handshake_kind().unwrap()
}

#[test]
fn sessions_are_resumed_after_a_reload() {
    let backend = Backend::answering("ok");
    let same = route("a.test", backend.address);
    let program = start(&same);
    let config = Tls::trusting(&program).config();
    assert_eq!(handshake(&config, program.https(), "a.test"), HandshakeKind::Full);
    for text in [same.clone(), format!("{same}{}", route("b.test", backend.address)), same] {
        reload(&program, &text);
        assert_eq!(handshake(&config, program.https(), "a.test"), HandshakeKind::Resumed);
    }
}

#[test]
fn a_replaced_certificate_is_used_after_the_reload() {
    let backend = Backend::answering("ok");
    let program = start("");
    let trusting = || {
        let certificate = files::certificate(program.home(), "a.test");
        let mut roots = RootCertStore::empty();
        roots.add(certificate).unwrap();
        Tls { roots: Arc::new(roots), ..Tls::stranger() }
    };
    let text =
        format!("[[certificates]]\ncert = \"cert.pem\"\nkey = \"key.pem\"\n{}", route("a.test", backend.address));
    let first = trusting();
    reload(&program, &text);
    let mut open = first.connect(program.https(), "a.test").unwrap();
    assert_eq!(open.get("a.test", "/").status, 200);

    let second = trusting();
    try_reload(&program).unwrap();
    assert_eq!(second.get(program.https(), "a.test", "a.test").status, 200);
    assert!(first.connect(program.https(), "a.test").is_err());
    assert_eq!(open.get("a.test", "/").status, 200);

    // Without the files, the local authority issues the certificate again.
    fs::remove_file(program.home().join("cert.pem")).unwrap();
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("cert.pem"), "{error}");
    assert_eq!(second.get(program.https(), "a.test", "a.test").status, 200);
    reload(&program, &route("a.test", backend.address));
    assert_eq!(Tls::trusting(&program).get(program.https(), "a.test", "a.test").status, 200);
}

#[test]
fn a_replaced_client_certificate_is_used_after_the_reload() {
    let program = start("");
    let home = program.home();
    let [one, two] = ["one", "two"].map(|name| files::client_certificate(home, name));
    let (backend, ca) = tls_backend(&[one, two]);
    fs::write(home.join("ca.pem"), ca).unwrap();
    let put = |name: &str, comment: &str| {
        for kind in ["pem", "key"] {
            let text = fs::read_to_string(home.join(format!("{name}.{kind}"))).unwrap();
            fs::write(home.join(format!("client.{kind}")), format!("{comment}\n{text}")).unwrap();
        }
    };
    let tls = |cert: &str| {
        format!("tls = {{ ca = \"ca.pem\", server_name = \"inside.test\", cert = \"{cert}\", key = \"client.key\" }}\n")
    };
    put("one", "");
    reload(&program, &(route("a.test", format!("https://{}", backend.address)) + &tls("client.pem")));
    // A client connection stays on one worker, which has its own connections to backends.
    let mut client = Client::connect(program.http());
    let mut get = || client.get("a.test", "/").text().to_owned();
    assert_eq!(get(), "inside.test 0");

    // Moving the same certificate to another file does not require a new connection.
    put("one", "# For the backends.");
    try_reload(&program).unwrap();
    reload(&program, &(route("a.test", format!("https://{}", backend.address)) + &tls("one.pem")));
    assert_eq!((get().as_str(), backend.connections().len()), ("inside.test 0", 1));

    reload(&program, &(route("a.test", format!("https://{}", backend.address)) + &tls("client.pem")));
    put("two", "");
    try_reload(&program).unwrap();
    assert_eq!((get().as_str(), backend.connections().len()), ("inside.test 1", 2));

    fs::copy(home.join("one.key"), home.join("client.key")).unwrap();
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains("tls.key: the key in ") && error.contains("tls.cert)"), "{error}");
    assert_eq!(get(), "inside.test 1");
}
