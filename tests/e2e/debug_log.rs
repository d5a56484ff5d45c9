//! Log lines at `debug` about clients that got no byte, or a response that the access log does not contain.

use std::net::SocketAddr;

use crate::support::{Backend, Client, End, Program, Start, client::get, tls::Tls};

fn start(backend: &Backend) -> Start {
    Start::new().route("a.test", backend).flags(&["--log", "info,pmesh=debug"])
}

/// The lines about the client at this address.
fn lines(program: &Program, peer: SocketAddr) -> Vec<String> {
    let peer = format!("peer={peer} ");
    program.wait_for_line(&peer);
    let of_peer = program.log().into_iter().filter_map(|line| Some(line.split_once(&peer)?.1.to_owned()));
    of_peer.collect()
}

#[test]
fn rejections_are_logged() {
    let backend = Backend::answering("ok");
    let program = start(&backend).run();
    let long = format!("GET /{} HTTP/1.1\r\nHost: a.test\r\n\r\n", "x".repeat(70_000));
    for (sent, expected) in [
        (get("b.test", "/"), r#"listener="http" reason="host_not_served" host=b.test"#),
        (get("b,test", "/"), r#"listener="http" reason="invalid_host""#),
        ("GET / HTTP/1.1\r\n\r\n".to_owned(), r#"listener="http" reason="no_host""#),
        ("GET / / /\r\n\r\n".to_owned(), r#"listener="http" reason="no_request" error=invalid HTTP version parsed"#),
        (long, r#"listener="http" reason="no_request" error=message head is too large"#),
    ] {
        let mut client = Client::connect(program.http());
        let peer = client.stream.local_addr().unwrap();
        client.send(sent);
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{expected}");
        // Some are logged once the connection is closed.
        drop(client);
        assert_eq!(lines(&program, peer), [expected]);
    }
    for (address, listener) in [(program.https(), "https"), (program.internal(), "internal")] {
        let mut client = Client::connect(address);
        let peer = client.stream.local_addr().unwrap();
        client.send("GET / HTTP/1.1\r\n\r\n");
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{listener}");
        let expected = format!("listener=\"{listener}\" reason=\"no_client_hello\" error=the first bytes are no");
        let found = lines(&program, peer);
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{found:?}");
    }
    assert!(Tls::trusting(&program).connect(program.https(), "b.test").is_err());
    program.wait_for_line(r#"listener="https" reason="sni_not_served" host=b.test error="#);
}

#[test]
fn stalled_clients_are_logged() {
    let backend = Backend::answering("ok");
    let program = start(&backend).flags(&["--silence-deadline", "200ms"]).run();
    for (address, listener) in [(program.http(), "http"), (program.https(), "https"), (program.internal(), "internal")]
    {
        let mut client = Client::connect(address);
        let peer = client.stream.local_addr().unwrap();
        assert_eq!(client.end(), (Vec::new(), End::Fin), "{listener}");
        drop(client);
        let expected = format!("listener=\"{listener}\" reason=\"deadline\"");
        let found = lines(&program, peer);
        assert!(found.len() == 1 && found[0].starts_with(&expected), "{found:?}");
    }
}

#[test]
fn responses_from_the_http_server_itself_are_logged() {
    let backend = Backend::answering("ok");
    let program = start(&backend).run();
    let mut client = Client::connect(program.http());
    let peer = client.stream.local_addr().unwrap();
    assert_eq!(client.get("a.test", "/").status, 200);
    client.send("GET / / /\r\n\r\n");
    assert_eq!(client.response().status, 400);
    drop(client);
    assert_eq!(lines(&program, peer), [r#"listener="http" error=invalid HTTP version parsed"#]);

    let mut client = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    client.send(format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(70_000)));
    assert_eq!(client.response().status, 431);
    drop(client);
    program.wait_for_line(r#"listener="https" error=message head is too large"#);
}
