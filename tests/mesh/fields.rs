//! The headers that a backend behind two nodes gets about the client and the nodes.

use crate::{
    messages::nodes,
    support::{
        Backend, Client,
        headers::{FORGED, connection, lines, received},
        tls::Tls,
    },
    two,
};

#[test]
fn headers_describe_the_client_of_the_first_node() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let b_runs = b.start(&[]).route("x.test", &backend).flags(&["--access-log"]).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b", "--access-log"]).run();
    let mut client = Tls::trusting(&a).connect(a.https(), "x.test").unwrap();
    let address = client.stream.sock.local_addr().unwrap().ip().to_string();
    client.send(format!("GET / HTTP/1.1\r\nHost: x.test:8443\r\n{}{}\r\n", lines(FORGED), connection()));
    assert_eq!(client.response().status, 200);

    let request = backend.request();
    let id = request.field("x-request-id").to_owned();
    assert_eq!(
        received(&request),
        [
            "cdn-loop: PROCESS",
            "cdn-loop: PROCESS",
            &format!("forwarded: for={address};host=\"x.test:8443\";proto=https"),
            "host: x.test:8443",
            &format!("x-forwarded-for: {address}"),
            "x-forwarded-host: x.test:8443",
            "x-forwarded-port: 8443",
            "x-forwarded-proto: https",
            "x-pmesh-node: a",
            &format!("x-real-ip: {address}"),
            "x-request-id: ID",
        ]
    );
    // Both logs have the same id.
    assert!(a.wait_for_line("INFO request").contains(&id));
    let line = b_runs.wait_for_line("INFO request");
    assert!(line.contains(&id) && line.contains("node=\"a\""), "{line}");
    assert!(a.wait_for_line("INFO request").contains("upstream=\"mesh://b\""));
}

#[test]
fn the_first_node_decides_which_proxies_to_trust() {
    let backend = Backend::answering("");
    let (a, b) = two();
    // The settings of node a apply. Node b trusts no proxies.
    let _b = b.start(&[]).route("x.test", &backend).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b", "--trusted-proxies", "127.0.0.0/8"]).run();
    let mut client = Client::connect(a.http());
    let address = client.stream.local_addr().unwrap().ip();
    let fields = [
        ("X-Forwarded-For", "203.0.113.7"),
        ("X-Forwarded-Proto", "https"),
        ("X-Forwarded-Host", "shop.test"),
        ("X-Forwarded-Port", "444"),
        ("X-Forwarded-Prefix", "/shop"),
        ("X-Request-ID", "abc"),
    ];
    client.send(format!("GET / HTTP/1.1\r\nHost: x.test\r\n{}\r\n", lines(&fields)));
    assert_eq!(client.response().status, 200);
    assert_eq!(
        received(&backend.request()),
        [
            "cdn-loop: PROCESS",
            "cdn-loop: PROCESS",
            &format!("forwarded: for=203.0.113.7;host=shop.test;proto=https, for={address}"),
            "host: x.test",
            &format!("x-forwarded-for: 203.0.113.7, {address}"),
            "x-forwarded-host: shop.test",
            "x-forwarded-port: 444",
            "x-forwarded-prefix: /shop",
            "x-forwarded-proto: https",
            "x-pmesh-node: a",
            "x-real-ip: 203.0.113.7",
            "x-request-id: abc",
        ]
    );
}

#[test]
fn headers_between_nodes_are_removed_from_requests_of_clients() {
    let backend = Backend::answering("");
    let (_a, b) = nodes(&backend);
    let mut client = Client::connect(b.http());
    client.send("GET / HTTP/1.1\r\nHost: x.test\r\nX-Pmesh-Node: a\r\nx_pmesh_node: a\r\nX-Pmesh-Through: b\r\n\r\n");
    assert_eq!(client.response().status, 200);
    let request = backend.request();
    assert!(!request.fields.iter().any(|(name, _)| name.contains("pmesh")), "{request:?}");
}
