//! Upstreams with TLS. The backend is a second program with its own authority.

use std::{fs, process::Command};

use crate::support::{Backend, Client, Program, Start, files, program::PROGRAM, tls_backend::tls_backend};

/// A program that serves `inside.test` over TLS, and the backend behind it.
fn backend() -> (Program, Backend) {
    let backend = Backend::answering("inside");
    (Start::new().route("inside.test", &backend).flags(&["--http-h2c", "silent"]).run(), backend)
}

/// A route for `host` to the https port of `backend`, with its authority in ca.pem.
fn route(host: &str, scheme: &str, backend: &Program, rest: &str) -> String {
    let port = backend.https().port();
    format!("[[routes]]\nhost = \"{host}\"\nupstream = [\"{scheme}://127.0.0.1:{port}\"]\n{rest}\n")
}

fn write_ca(start: &Start, backend: &Program) {
    let output = Command::new(PROGRAM).arg("--home").arg(backend.home()).arg("ca").output().unwrap();
    fs::write(start.home().join("ca.pem"), output.stdout).unwrap();
}

const NAMED: &str = "tls.ca = \"ca.pem\"\ntls.server_name = \"inside.test\"\nhost_header = \"inside.test\"";

#[test]
fn requests_reach_a_verified_backend_over_http1_and_http2() {
    let (inside, backend) = backend();
    let start = Start::new();
    write_ca(&start, &inside);
    let config = route("one.test", "https", &inside, NAMED) + &route("two.test", "h2", &inside, NAMED);
    let program = start.config(&config).run();
    let mut client = Client::connect(program.http());
    for host in ["one.test", "two.test"] {
        for number in 0..3 {
            let body = "x".repeat(number);
            client.send(format!("POST /p HTTP/1.1\r\nHost: {host}\r\nContent-Length: {number}\r\n\r\n{body}"));
            assert_eq!(client.response().text(), "inside");
        }
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), 6);
    for request in requests {
        assert_eq!((request.field("host"), request.field("x-forwarded-proto")), ("inside.test", "https"));
    }
}

#[test]
fn a_backend_that_sends_no_settings_is_504() {
    let (inside, backend) = backend();
    let config = format!(
        "[[routes]]\nhost = \"a.test\"\nupstream = [\"h2c://{}\"]\nhost_header = \"inside.test\"\n",
        inside.http()
    );
    // The gate waits for a request, and the pool waits for SETTINGS: they wait for each other.
    let program = Start::new().config(&config).flags(&["--connect-timeout", "200ms"]).run();
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 504);
    program.wait_for_line("does not speak HTTP/2: its SETTINGS did not arrive in time");
    assert!(backend.requests().is_empty());
}

#[test]
fn a_backend_with_an_untrusted_certificate_gets_no_request() {
    let (inside, backend) = backend();
    let start = Start::new();
    write_ca(&start, &inside);
    // Another authority, so that the test does not depend on the system's.
    let stranger = files::certificate(start.home(), "stranger.test");
    assert!(!stranger.is_empty());
    let config = [
        route("name.test", "https", &inside, "tls.ca = \"ca.pem\"\ntls.server_name = \"other.test\""),
        route("ca.test", "https", &inside, "tls.ca = \"cert.pem\"\ntls.server_name = \"inside.test\""),
        route("h2.test", "h2", &inside, "tls.ca = \"cert.pem\"\ntls.server_name = \"inside.test\""),
        route("good.test", "https", &inside, NAMED),
    ];
    let program = start.config(&config.concat()).run();
    let mut client = Client::connect(program.http());
    for host in ["name.test", "ca.test", "h2.test"] {
        client.send(format!("POST / HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1\r\n\r\nx"));
        assert_eq!(client.response().status, 502, "{host}");
    }
    assert_eq!(client.get("good.test", "/").text(), "inside");
    assert_eq!(backend.requests().len(), 1);
    let peer = inside.https();
    program.wait_for_line(&format!(
        "the TLS handshake with {peer} for the name inside.test failed: invalid peer certificate: Unknown"
    ));
    program.wait_for_line(&format!("the TLS handshake with {peer} for the name other.test failed: "));
}

#[test]
fn without_a_ca_file_the_system_authorities_are_trusted() {
    let (inside, backend) = backend();
    let config = route("a.test", "https", &inside, "tls.server_name = \"inside.test\"\nhost_header = \"inside.test\"");
    let start = Start::new().config(&config);
    write_ca(&start, &inside);
    let roots = start.home().join("ca.pem").display().to_string();
    let program = start.variable("SSL_CERT_FILE", &roots).run();
    assert_eq!(Client::connect(program.http()).get("a.test", "/").text(), "inside");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_backend_without_tls_is_502() {
    let plain = Backend::answering("plain");
    let start = Start::new();
    files::certificate(start.home(), "a.test");
    let route = |host: &str, scheme: &str| {
        let address = plain.address;
        format!("[[routes]]\nhost = \"{host}\"\nupstream = [\"{scheme}://{address}\"]\ntls.ca = \"cert.pem\"\n")
    };
    let program =
        start.config(&(route("a.test", "https") + &route("b.test", "h2"))).flags(&["--connect-timeout", "1s"]).run();
    for host in ["a.test", "b.test"] {
        let status = Client::connect(program.http()).get(host, "/").status;
        assert!(matches!(status, 502 | 504), "{status}");
    }
}

#[test]
fn an_unusable_ca_file_is_reported_before_a_port_is_bound() {
    for (content, expected) in [
        (None, "cannot read"),
        (Some(""), "holds no certificate; one starts with `-----BEGIN CERTIFICATE-----`"),
        (Some("-----BEGIN CERTIFICATE-----\nx\n"), "is not valid PEM"),
        (Some("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), "cannot be used"),
    ] {
        let start = Start::new()
            .config("[[routes]]\nhost = \"a.test\"\nupstream = [\"https://b.test\"]\ntls.ca = \"ca.pem\"\n");
        if let Some(content) = content {
            fs::write(start.home().join("ca.pem"), content).unwrap();
        }
        let output = start.output();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains("config.toml:4: routes[0].tls.ca: ") && stderr.contains(expected), "{stderr}");
    }
}

/// A route to `backend`, with these `tls` keys.
fn route_with(host: &str, backend: &Backend, tls: &str) -> String {
    format!("[[routes]]\nhost = \"{host}\"\nupstream = \"https://{}\"\n[routes.tls]\n{tls}\n", backend.address)
}

#[test]
fn each_route_presents_its_own_certificate() {
    let start = Start::new();
    let clients = ["a", "b"].map(|name| files::client_certificate(start.home(), name));
    let (backend, ca) = tls_backend(&clients);
    fs::write(start.home().join("ca.pem"), ca).unwrap();
    let tls = |rest: &str| format!("ca = \"ca.pem\"\nserver_name = \"inside.test\"\n{rest}");
    let config = [
        route_with("a.test", &backend, &tls("cert = \"a.pem\"\nkey = \"a.key\"")),
        route_with("b.test", &backend, &tls("cert = \"b.pem\"\nkey = \"b.key\"")),
        route_with("none.test", &backend, &tls("")),
    ];
    let program = start.config(&config.concat()).run();
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        for (host, expected) in [("a.test", "inside.test 0"), ("b.test", "inside.test 1")] {
            assert_eq!(client.get(host, "/").text(), expected);
        }
    }
    assert_eq!(backend.connections().len(), 2);
    assert_eq!(client.get("none.test", "/").status, 502);
    let line = program.wait_for_line("endpoint failed");
    assert!(line.contains("requires a client certificate: set tls.cert and tls.key"), "{line}");
}

#[test]
fn a_rejected_client_certificate_gets_advice() {
    let start = Start::new();
    let known = files::client_certificate(start.home(), "known");
    files::client_certificate(start.home(), "stranger");
    let (backend, ca) = tls_backend(&[known]);
    fs::write(start.home().join("ca.pem"), ca).unwrap();
    let tls = "ca = \"ca.pem\"\nserver_name = \"inside.test\"\ncert = \"stranger.pem\"\nkey = \"stranger.key\"";
    let program = start.config(&route_with("a.test", &backend, tls)).run();
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 502);
    let line = program.wait_for_line("endpoint failed");
    assert!(line.contains("does not accept the certificate in tls.cert"), "{line}");
}

#[test]
fn skip_verify_skips_verification_with_a_warning() {
    let (backend, _) = tls_backend(&[]);
    let start = Start::new().config(
        &[
            route_with("a.test", &backend, "skip_verify = true"),
            route_with("b.test", &backend, "skip_verify = true\nserver_name = \"Other.test\""),
        ]
        .concat(),
    );
    let checked = Command::new(PROGRAM).arg("--home").arg(start.home()).arg("check").output().unwrap();
    let line = String::from_utf8(checked.stderr).unwrap();
    assert!(
        line.contains("config.toml:5: routes[0].tls.skip_verify: certificates of the upstreams of a.test/"),
        "{line}"
    );
    let program = start.run();
    program.wait_for_line("routes[1].tls.skip_verify: certificates of the upstreams of b.test/ are not verified");
    let get = |host: &str| Client::connect(program.http()).get(host, "/").text().to_owned();
    // An IP address has no SNI.
    assert_eq!([get("a.test"), get("b.test")], ["- -", "other.test -"]);
}
