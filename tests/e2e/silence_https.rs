//! `https`: a client whose ClientHello names no served host gets no byte, not even an alert.

use std::{io::Write, thread};

use rustls::{crypto::aws_lc_rs::kx_group, pki_types::ServerName};

use crate::support::{
    Backend, End, Program, Start, assert_none,
    client::exchange,
    shown,
    tls::{TLS12, TLS13, Tls, cut, patched},
};

const SERVED: &str = "served.test";
const NEVER: &str = "1h";

fn start(deadline: &str) -> (Program, Backend) {
    let backend = Backend::answering("hello");
    let start = Start::new().route(SERVED, &backend).route("*.below.test", &backend);
    (start.flags(&["--silence-deadline", deadline]).run(), backend)
}

fn assert_serves(program: &Program) {
    assert_eq!(Tls::trusting(program).get(program.https(), SERVED, SERVED).text(), "hello");
}

fn not_silent(name: &str, (got, end): &(Vec<u8>, End)) -> Option<String> {
    (!got.is_empty() || *end != End::Fin).then(|| format!("{name}: {end:?} after {}", shown(got)))
}

/// First bytes that name no served host, for `https` and for `internal`.
pub fn names_nothing() -> Vec<(&'static str, Vec<u8>)> {
    let tls = Tls::stranger();
    let hello = |name: &str| tls.hello(name);
    let address = ServerName::IpAddress("127.0.0.1".parse::<std::net::IpAddr>().unwrap().into());
    let mut without_name = rustls::ClientConnection::new(tls.config(), address).unwrap();
    let mut no_sni = Vec::new();
    without_name.write_tls(&mut no_sni).unwrap();
    vec![
        ("no SNI", no_sni),
        ("an unknown SNI", hello("nope.test")),
        ("an unknown SNI, TLS 1.2", tls.clone().versions(&[&TLS12]).hello("nope.test")),
        ("an unknown SNI, TLS 1.3", tls.clone().versions(&[&TLS13]).hello("nope.test")),
        ("an unknown SNI, h2", tls.clone().alpn(&["h2"]).hello("nope.test")),
        ("an unknown SNI, a foreign protocol", tls.clone().alpn(&["ftp"]).hello("nope.test")),
        ("an address as SNI", patched(&hello("127x0x0x1"), "127x0x0x1", "127.0.0.1")),
        ("localhost", hello("localhost")),
        ("a served host as a suffix", hello("nope.served.test")),
        ("a served host as a prefix", hello("served.test.nope")),
        ("the parent of a wildcard", hello("below.test")),
        ("a wildcard itself", patched(&hello("x.below.test"), "x.below.test", "*.below.test")),
        ("an SNI with a space", patched(&hello(SERVED), SERVED, "served tes.")),
        ("an SNI with NUL", patched(&hello(SERVED), SERVED, "served\0test")),
        ("an unknown SNI in many records", cut(&hello("nope.test"), 1)),
        ("an unknown SNI and more bytes after it", [hello("nope.test"), vec![0x17; 20_000]].concat()),
        ("plain HTTP", b"GET / HTTP/1.0\r\n\r\n".to_vec()),
        ("plain HTTP, a served host", b"GET / HTTP/1.1\r\nHost: served.test\r\n\r\n".to_vec()),
        ("the HTTP/2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec()),
        ("garbage in a handshake record", [b"\x16\x03\x01\0\x30", &[0xa5; 48][..]].concat()),
        ("an alert first", b"\x15\x03\x01\0\x02\x02\x28".to_vec()),
        ("application data first", b"\x17\x03\x03\0\x05hello".to_vec()),
        ("a record that is too long", [b"\x16\x03\x01\xff\xff", &[1; 30_000][..]].concat()),
        ("an empty record", b"\x16\x03\x01\0\0\x16\x03\x01\0\0".to_vec()),
        ("SSL 2.0", b"\x80\x2e\x01\x03\x01\0\x15\0\0\0\x10".to_vec()),
        ("a ServerHello", b"\x16\x03\x03\0\x04\x02\0\0\0".to_vec()),
        ("SSH", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ("zeros", vec![0; 100]),
    ]
}

/// Truncated messages.
pub fn unfinished() -> Vec<(&'static str, Vec<u8>)> {
    let hello = Tls::stranger().hello(SERVED);
    vec![
        ("nothing sent", Vec::new()),
        ("a byte", hello[..1].to_vec()),
        ("the head of a record", hello[..5].to_vec()),
        ("half a ClientHello", hello[..hello.len() / 2].to_vec()),
        ("all but the last byte of a ClientHello", hello[..hello.len() - 1].to_vec()),
    ]
}

#[test]
fn clients_that_name_no_served_host_get_nothing() {
    let (program, backend) = start(NEVER);
    let failures: Vec<_> = names_nothing()
        .iter()
        .filter_map(|(name, bytes)| not_silent(name, &exchange(program.https(), bytes)))
        .collect();
    assert_none(&failures);
    assert!(backend.connections().is_empty());
    assert_serves(&program);
}

#[test]
fn a_client_that_stalls_gets_nothing_at_the_deadline() {
    let (program, _backend) = start("1s");
    let address = program.https();
    let ends: Vec<_> = unfinished()
        .into_iter()
        .map(|(name, bytes)| (name, thread::spawn(move || exchange(address, &bytes))))
        .collect();
    let failures: Vec<_> = ends.into_iter().filter_map(|(name, end)| not_silent(name, &end.join().unwrap())).collect();
    assert_none(&failures);
    assert_serves(&program);
}

#[test]
fn a_client_that_leaves_early_gets_nothing() {
    let (program, _backend) = start(NEVER);
    for (name, bytes) in unfinished() {
        let mut client = crate::support::Client::connect(program.https());
        client.send(&bytes);
        client.finish_sending();
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{name}");
    }
    assert_serves(&program);
}

#[test]
fn both_versions_of_tls_are_served() {
    let (program, _backend) = start(NEVER);
    for version in [&TLS12, &TLS13] {
        let mut client = Tls::trusting(&program).versions(&[version]).connect(program.https(), SERVED).unwrap();
        assert_eq!(client.stream.conn.protocol_version(), Some(version.version));
        assert_eq!(client.get(SERVED, "/").text(), "hello");
    }
}

#[test]
fn a_client_hello_may_be_split_anywhere() {
    let (program, _backend) = start(NEVER);
    let byte_by_byte =
        |bytes: &[u8], tcp: &mut std::net::TcpStream| bytes.chunks(1).try_for_each(|byte| tcp.write_all(byte));
    for version in [&TLS12, &TLS13] {
        let tls = Tls::trusting(&program).versions(&[version]);
        let in_records = tls.connect_with(program.https(), SERVED, |hello, tcp| tcp.write_all(&cut(hello, 1)));
        assert_eq!(in_records.unwrap().get(SERVED, "/").status, 200, "one byte per record");
        let in_segments = tls.connect_with(program.https(), SERVED, byte_by_byte);
        assert_eq!(in_segments.unwrap().get(SERVED, "/").status, 200, "one byte per segment");
        let in_both = tls.connect_with(program.https(), SERVED, |hello, tcp| byte_by_byte(&cut(hello, 1), tcp));
        assert_eq!(in_both.unwrap().get(SERVED, "/").status, 200, "both");
    }
}

#[test]
fn large_client_hellos_are_served() {
    let (program, _backend) = start(NEVER);
    let mut quantum = Tls::trusting(&program);
    quantum.provider.kx_groups = vec![kx_group::X25519MLKEM768];
    assert!(quantum.hello(SERVED).len() > 1216, "the key share alone is larger");
    assert_eq!(quantum.get(program.https(), SERVED, SERVED).status, 200);

    let mut many = Tls::trusting(&program);
    many.alpn = (0..100).map(|number| format!("protocol-{number:090}").into_bytes()).collect();
    many.alpn.push(b"http/1.1".to_vec());
    assert!(many.hello(SERVED).len() > 10_000);
    assert_eq!(many.get(program.https(), SERVED, SERVED).status, 200);
}

#[test]
fn names_are_compared_in_canonical_form() {
    let (program, _backend) = start(NEVER);
    let tls = Tls::trusting(&program);
    // Some clients send upper case, but this library does not, so the ClientHello is patched. The server still responds with a
    // ServerHello. A full handshake would fail, because the transcripts differ.
    let upper = patched(&tls.hello(SERVED), SERVED, "SERVED.Test");
    let mut client = crate::support::Client::connect(program.https());
    client.send(upper);
    assert_eq!(client.take(1), [0x16], "a ServerHello");

    for (sni, host) in [(SERVED, "SERVED.test."), (SERVED, "served.test:443"), ("a.below.test", "A.below.test")] {
        assert_eq!(tls.get(program.https(), sni, host).status, 200, "{sni} {host}");
    }
}
