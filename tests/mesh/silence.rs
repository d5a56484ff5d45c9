//! The internal port does not send a byte to clients that are not nodes.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    time::SystemTime,
};

use pmesh_layers::node::NodeIdentity;
use rustls::{ClientConnection, StreamOwned, pki_types::ServerName};

use crate::{
    Node, SECRET,
    support::{Backend, Client, Program, client::get},
};

fn node() -> (Node, Program, Backend) {
    let (b, backend) = (Node::new("b"), Backend::answering("hello"));
    let runs = b.start(&[]).route("x.test", &backend).run();
    (b, runs, backend)
}

#[test]
fn openssl_gets_no_byte() {
    if Command::new("openssl").arg("version").stdout(Stdio::null()).status().is_err() {
        return eprintln!("skipped: there is no openssl");
    }
    let (b, _runs, _backend) = node();
    for options in [
        &["-noservername"][..],
        &["-servername", "b"],
        &["-servername", "x.test"],
        &["-servername", "pmesh.internal", "-alpn", "h2"],
        &["-servername", "b", "-alpn", "h2,http/1.1"],
        &["-noservername", "-alpn", "h2", "-tls1_3"],
        &["-noservername", "-tls1_2"],
    ] {
        let output = Command::new("openssl")
            .args(["s_client", "-connect", &b.address.to_string()])
            .args(options)
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("SSL handshake has read 0 bytes"), "{options:?}: {said}");
    }
}

/// Connects as a node, which offers its proof and then these protocols, sends `bytes`, and returns the response; `None`
/// if the handshake fails.
fn answer(b: &Node, protocols: &[&str], bytes: &[u8]) -> Option<Vec<u8>> {
    let identity = NodeIdentity::new("pmesh", "a".parse().unwrap(), [&SECRET.parse().unwrap()]).unwrap();
    let proof = identity.proof(&"b".parse().unwrap(), SystemTime::now()).unwrap();
    let protocols = [proof].into_iter().chain(protocols.iter().map(|name| name.as_bytes().to_vec())).collect();
    let name = ServerName::try_from("b").unwrap();
    let mut session = ClientConnection::new_with_alpn(identity.client_config(), name, protocols).unwrap();
    let mut tcp = Client::connect(b.address).stream;
    while session.is_handshaking() {
        session.complete_io(&mut tcp).ok()?;
    }
    let mut stream = StreamOwned::new(session, tcp);
    let mut got = Vec::new();
    stream.write_all(bytes).unwrap();
    let _ = stream.read_to_end(&mut got);
    Some(got)
}

#[test]
fn a_node_without_http2_is_not_served() {
    let (b, _runs, backend) = node();
    let request = get("x.test", "/");
    assert_eq!(answer(&b, &["http/1.1"], request.as_bytes()), None);
    assert_eq!(answer(&b, &[], request.as_bytes()), None);
    // The client negotiates HTTP/2, but then sends HTTP/1.1.
    let got = answer(&b, &["h2"], request.as_bytes()).unwrap();
    assert!(!String::from_utf8_lossy(&got).contains("HTTP/1.1"));
    assert!(backend.connections().is_empty());
}
