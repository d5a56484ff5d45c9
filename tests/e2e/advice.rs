//! Which upstream certificates are accepted, and the advice that is logged when an upstream cannot be used as configured.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, ChildStdout, Command, Stdio},
};

use crate::support::{Backend, Client, Program, Start};

/// Writes a certificate for these names with `openssl req -x509`, which marks every certificate as a CA. `None` if there is
/// no openssl.
fn self_signed(start: &Start, names: &str) -> Option<()> {
    let mut openssl = Command::new("openssl");
    openssl.current_dir(start.home()).args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]);
    openssl.args(["-keyout", "own.key", "-out", "own.pem", "-subj", "/CN=inside.test"]);
    if !names.is_empty() {
        openssl.args(["-addext", &format!("subjectAltName={names}")]);
    }
    match openssl.output() {
        Ok(output) => assert!(output.status.success(), "{output:?}"),
        Err(_) => {
            println!("skipped: there is no openssl");
            return None;
        }
    }
    Some(())
}

/// Serves `inside.test` over TLS with a self-signed certificate for these names.
fn backend(names: &str) -> Option<(Program, Backend)> {
    let start = Start::new();
    self_signed(&start, names)?;
    let file = |name: &str| start.home().join(name).display().to_string();
    let pair = ["--cert".to_owned(), file("own.pem"), "--key".to_owned(), file("own.key")];
    let backend = Backend::answering("inside");
    let program = start.flags(&pair.each_ref().map(String::as_str)).route("inside.test", &backend).run();
    Some((program, backend))
}

fn route(host: &str, scheme: &str, address: SocketAddr, rest: &str) -> String {
    let host_header = "host_header = \"inside.test\"";
    format!("[[routes]]\nhost = \"{host}\"\nupstream = [\"{scheme}{address}\"]\n{host_header}\n{rest}\n")
}

fn tls_keys(program: &Program, name: &str) -> String {
    format!("tls.ca = \"{}\"\ntls.server_name = \"{name}\"", program.home().join("own.pem").display())
}

#[test]
fn a_self_signed_certificate_in_the_ca_file_is_accepted() {
    let Some((inside, _backend)) = backend("DNS:inside.test") else { return };
    let start = Start::new();
    // Another certificate for the same name.
    self_signed(&start, "DNS:inside.test");
    let other = "tls.ca = \"own.pem\"\ntls.server_name = \"inside.test\"";
    let config = [
        route("good.test", "https://", inside.https(), &tls_keys(&inside, "inside.test")),
        route("h2.test", "h2://", inside.https(), &tls_keys(&inside, "inside.test")),
        route("name.test", "https://", inside.https(), &tls_keys(&inside, "other.test")),
        route("other.test", "https://", inside.https(), other),
    ];
    let program = start.config(&config.concat()).run();
    let get = |host: &str| Client::connect(program.http()).get(host, "/");
    assert_eq!((get("good.test").text(), get("h2.test").text()), ("inside", "inside"));
    assert_eq!((get("name.test").status, get("other.test").status), (502, 502));
    let line = program.wait_for_line("is a CA certificate");
    assert!(
        line.contains("is a CA certificate (CA:TRUE), not a server certificate advice=\"to accept it, set tls.ca"),
        "{line}"
    );
    let line = program.wait_for_line("may not know the requested name");
    assert!(
        line.contains("WARN endpoint failed") && line.contains("the requested name: set tls.server_name"),
        "{line}"
    );
}

/// A server that presents its certificate for any name.
struct Openssl {
    server: Child,
    address: SocketAddr,
    /// Kept open, so that the server can write to it.
    _stdout: BufReader<ChildStdout>,
}

impl Openssl {
    fn serve(start: &Start) -> Self {
        let mut openssl = Command::new("openssl");
        openssl.args(["s_server", "-accept", "127.0.0.1:0", "-cert", "own.pem", "-key", "own.key", "-www"]);
        openssl.current_dir(start.home()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut server = openssl.spawn().unwrap();
        let mut stdout = BufReader::new(server.stdout.take().unwrap());
        let address = stdout.by_ref().lines().map_while(Result::ok);
        let address = address.filter_map(|line| line.strip_prefix("ACCEPT ")?.parse().ok()).next().unwrap();
        Self { server, address, _stdout: stdout }
    }
}

impl Drop for Openssl {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

#[test]
fn a_certificate_for_other_names_gets_advice() {
    for (names, expected) in [
        ("DNS:a.test,DNS:b.test", "set tls.server_name to a name that the certificate is valid for"),
        ("", "the certificate must have the name in its subjectAltName, as with openssl req -addext"),
    ] {
        let start = Start::new();
        if self_signed(&start, names).is_none() {
            return;
        }
        let server = Openssl::serve(&start);
        let rest = "tls.ca = \"own.pem\"\ntls.server_name = \"inside.test\"";
        let program = start.config(&route("a.test", "https://", server.address, rest)).run();
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 502);
        let line = program.wait_for_line("endpoint failed");
        assert!(line.contains(expected), "{line}");
    }
}

#[test]
fn a_port_with_another_protocol_gets_advice() {
    let plain = Backend::start(|connection| {
        connection.take(1);
        connection.send("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    let alert = Backend::start(|connection| {
        connection.take(1);
        connection.send(b"\x15\x03\x01\x00\x02\x02\x46\x15\x03\x01\x00\x02\x02\x46");
    });
    let closing = Backend::start(|connection| {
        connection.take(1);
    });
    for (scheme, backend, problem, advice) in [
        ("https://", &plain, "does not speak TLS", "for a port without TLS, write http:// or h2c://"),
        ("h2c://", &plain, "does not speak HTTP/2", "the upstream speaks HTTP/1.1: write http://"),
        ("", &alert, "did not send an HTTP/1.1 response", "if that port speaks TLS, write https://"),
        ("", &closing, "broke off before it responded", "if that port speaks TLS, write https://"),
        ("h2c://", &alert, "does not speak HTTP/2", "the upstream speaks TLS: write h2://"),
    ] {
        let address = backend.address;
        let start = Start::new();
        let ca = crate::support::files::certificate(start.home(), "a.test");
        assert!(!ca.is_empty());
        let ca = if scheme == "https://" { "tls.ca = \"cert.pem\"" } else { "" };
        let program = start.config(&route("a.test", scheme, address, ca)).run();
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 502, "{scheme}: {problem}");
        let line = program.wait_for_line("endpoint failed");
        assert!(line.contains(problem) && line.contains(&format!("advice=\"{advice}\"")), "{line}");
    }
}
