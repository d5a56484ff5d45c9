//! What a backend behind two nodes is told of the client, and by whom.

use crate::{
    messages::nodes,
    support::{Backend, Client, tls::Tls},
    two,
};

#[test]
fn it_is_the_client_of_the_first_node() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let b_runs = b.start(&[]).route("x.test", &backend).flags(&["--access-log"]).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b", "--access-log"]).run();
    let mut client = Tls::of(&a).connect(a.https(), "x.test").unwrap();
    let address = client.stream.sock.local_addr().unwrap().ip().to_string();
    let lies = "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: http\r\nForwarded: for=192.0.2.1\r\n\
                X-Real-IP: 192.0.2.1\r\nX-Forwarded-Port: 1\r\nX-Forwarded-Prefix: /p\r\nX-Request-ID: 7\r\n\
                X-Pmesh-Node: evil\r\nX_Pmesh_Node: evil\r\nX-Pmesh-Through: b\r\nConnection: x-pmesh-node, x-forwarded-for\r\n";
    client.send(format!("GET / HTTP/1.1\r\nHost: x.test:8443\r\n{lies}\r\n"));
    assert_eq!(client.response().status, 200);

    let request = backend.request();
    let id = request.field("x-request-id").to_owned();
    for (name, expected) in [
        ("x-forwarded-for", &[&*address][..]),
        ("x-forwarded-proto", &["https"]),
        ("x-forwarded-host", &["x.test:8443"]),
        ("host", &["x.test:8443"]),
        ("x-forwarded-port", &["8443"]),
        ("x-forwarded-prefix", &[]),
        ("x-real-ip", &[&*address]),
        ("x-pmesh-node", &["a"]),
        ("x-pmesh-through", &[]),
    ] {
        assert_eq!(request.all(name), expected, "{name}");
    }
    assert_eq!(request.field("forwarded"), format!("for={address};host=\"x.test:8443\";proto=https"));
    assert!(!request.fields.iter().any(|(name, value)| name.contains('_') || value.contains("evil")));
    // One id in the logs of both.
    assert!(a.wait_for_line("INFO request").contains(&id));
    let line = b_runs.wait_for_line("INFO request");
    assert!(line.contains(&id) && line.contains("node=\"a\""), "{line}");
    assert!(a.wait_for_line("INFO request").contains("upstream=\"mesh://b\""));
}

#[test]
fn nobody_but_a_node_speaks_for_one() {
    let backend = Backend::answering("");
    let (_a, b) = nodes(&backend);
    let mut client = Client::connect(b.http());
    client.send("GET / HTTP/1.1\r\nHost: x.test\r\nX-Pmesh-Node: a\r\nx_pmesh_node: a\r\nX-Pmesh-Through: b\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let request = backend.request();
    assert!(!request.fields.iter().any(|(name, _)| name.contains("pmesh")), "{request:?}");
}
