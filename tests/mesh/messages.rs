//! Requests and responses that cross from one node to another.

use std::io::Write;

use crate::{
    Node,
    support::{Backend, Client, Program, backend::ok, tls::Tls},
    two,
};

/// Starts `a`, which sends requests to `b`, which has the backend.
pub fn nodes(backend: &Backend) -> (Program, Program) {
    nodes_with(backend, &[])
}

/// The same, with these flags for both.
pub fn nodes_with(backend: &Backend, flags: &[&str]) -> (Program, Program) {
    let (a, b) = two();
    let b_runs = b.start(&[]).route("x.test", backend).flags(flags).run();
    (a.start(&[&b]).flags(&["--route", "x.test=mesh://b"]).flags(flags).run(), b_runs)
}

#[test]
fn requests_arrive_with_and_without_a_body() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(&format!("{} {} {}", request.method, request.target, request.body.len())));
        }
    });
    let (a, _b) = nodes(&backend);
    let mut client = Client::connect(a.http());
    assert_eq!(client.get("x.test", "/path?query").text(), "GET /path?query 0");
    client.send("POST /form HTTP/1.1\r\nHost: x.test\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.response().text(), "POST /form 5");
    client.send("PUT /chunks HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
    assert_eq!(client.response().text(), "PUT /chunks 3");
    assert_eq!(Tls::trusting(&a).get(a.https(), "x.test", "x.test").text(), "GET / 0");
    for request in backend.requests() {
        assert_eq!(request.field("host"), "x.test");
    }
}

#[test]
fn bodies_of_any_length_are_streamed() {
    const LENGTH: usize = 48 * 1024 * 1024;

    let backend = Backend::start(|connection| {
        connection.head().unwrap();
        let mut left = LENGTH;
        while left > 0 {
            let piece = left.min(64 * 1024);
            connection.take(piece).unwrap();
            left -= piece;
        }
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {LENGTH}\r\n\r\n"));
        for _ in 0..LENGTH / 1024 {
            connection.send([b'y'; 1024]);
        }
    });
    let (a, b) = nodes(&backend);
    let before = [&a, &b].map(Program::peak_memory);
    let mut client = Client::connect(a.http());
    client.send(format!("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: {LENGTH}\r\n\r\n"));
    for _ in 0..LENGTH / (64 * 1024) {
        client.stream.write_all(&[b'x'; 64 * 1024]).unwrap();
    }
    assert_eq!(client.head().status, 200);
    for _ in 0..LENGTH / (64 * 1024) {
        assert!(client.take(64 * 1024).iter().all(|byte| *byte == b'y'));
    }
    for (program, before) in [&a, &b].into_iter().zip(before) {
        let grown = program.peak_memory() - before;
        assert!(grown < 24 * 1024, "{grown} KiB");
    }
}

#[test]
fn the_status_says_what_the_other_node_does_not_serve() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let _b = b.start(&[]).flags(&["--route", &format!("x.test/app={}", backend.address)]).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b", "--route", "y.test=mesh://b"]).run();
    let mut client = Client::connect(a.http());
    for (host, path, expected) in [("y.test", "/", 421), ("x.test", "/", 404), ("x.test", "/app", 200)] {
        assert_eq!(client.get(host, path).status, expected, "{host}{path}");
    }
}

#[test]
fn the_other_node_gets_the_request_as_it_came() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let _b = b.start(&[]).flags(&["--route", &format!("x.test/app={}", backend.address)]).run();
    let route = "[[routes]]\nhost = \"x.test\"\nprefix = \"/app\"\nstrip_prefix = true\nhost_header = \"other.test\"\n";
    let a = a.start(&[&b]).config(&format!("{route}upstream = [\"mesh://b\"]\n")).run();
    assert_eq!(Client::connect(a.http()).get("x.test:8080", "/app/path").status, 200);
    let request = backend.request();
    assert_eq!((&*request.target, request.field("host")), ("/app/path", "x.test:8080"));
    assert!(request.all("x-forwarded-prefix").is_empty());
}

#[test]
fn each_node_adds_its_prefix_to_those_removed_before() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let route = "[[routes]]\nhost = \"x.test\"\nprefix = \"/app\"\nstrip_prefix = true\n";
    let b_runs = b.start(&[]).config(&format!("{route}upstream = [\"{}\"]\n", backend.address)).run();
    for (trusted, expected) in [("", "/app"), ("127.0.0.0/8", "/shop/app")] {
        let upstream = "upstream = [\"mesh://b\"]\n";
        let a_runs = a.start(&[&b]).config(&format!("{route}{upstream}")).flags(&["--trusted-proxies", trusted]).run();
        let mut client = Client::connect(a_runs.http());
        client.send("GET /app/path HTTP/1.1\r\nHost: x.test\r\nX-Forwarded-Prefix: /shop\r\n\r\n");
        assert_eq!(client.response().status, 200);
        let requests = backend.requests();
        let last = requests.last().unwrap();
        assert_eq!((&*last.target, last.field("x-forwarded-prefix")), ("/path", expected));
    }
    drop(b_runs);
}

#[test]
fn a_request_is_rewritten_for_the_endpoint_that_gets_it() {
    let backend = Backend::answering("");
    let (a, b) = two();
    // b is not running.
    let upstream = format!("upstream = [\"mesh://b\", \"{}\"]\n", backend.address);
    let route = "[[routes]]\nhost = \"x.test\"\nprefix = \"/app\"\nstrip_prefix = true\nhost_header = \"other.test\"\n";
    let a = a.start(&[&b]).config(&format!("{route}{upstream}")).run();
    let mut client = Client::connect(a.http());
    for _ in 0..4 {
        assert_eq!(client.get("x.test", "/app/path").status, 200);
    }
    for request in backend.requests() {
        assert_eq!((&*request.target, request.field("host")), ("/path", "other.test"));
        assert_eq!(request.field("x-forwarded-prefix"), "/app");
        assert!(request.all("x-pmesh-through").is_empty());
    }
}

#[test]
fn a_path_is_changed_only_for_the_endpoint_that_gets_it() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let _b = b.start(&[]).flags(&["--route", &format!("x.test={}", backend.address)]).run();
    let keys = "[[routes]]\nhost = \"x.test\"\nrewrite = \"/new{path}\"\nadd_prefix = \"/v1\"\nrequest_headers = { x-team = \"a\" }\n";
    let upstream = format!("upstream = [\"mesh://b\", \"{}\"]\n", backend.address);
    let a = a.start(&[&b]).workers(1).config(&format!("{keys}{upstream}")).run();
    let mut client = Client::connect(a.http());
    for _ in 0..4 {
        assert_eq!(client.get("x.test", "/path").status, 200);
    }
    let mut targets: Vec<_> = backend.requests().into_iter().map(|request| request.target).collect();
    targets.sort();
    assert_eq!(targets, ["/path", "/path", "/v1/new/path", "/v1/new/path"]);
    // It does not reach the node either, which would get it unchanged.
    assert_eq!(client.get("x.test", "/%2e%2e/path").status, 400);
    assert_eq!(backend.requests().len(), 4);
}

#[test]
fn the_host_of_the_api_is_reserved() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let _b = b.start(&[]).flags(&["--route", &format!("*.internal={}", backend.address)]).run();
    let a = a.start(&[&b]).flags(&["--route", "*.internal=mesh://b"]).run();
    let mut client = Client::connect(a.http());
    for (host, expected) in [("x.internal", 200), ("pmesh.internal", 421), ("PMESH.internal.:80", 421)] {
        assert_eq!(client.get(host, "/").status, expected, "{host}");
    }
    assert_eq!(backend.requests().len(), 1);
    let output = Node::new("c").start(&[]).flags(&["--route", "pmesh.internal=127.0.0.1:1"]).output();
    assert!(!output.status.success());
    assert!(String::from_utf8_lossy(&output.stderr).contains("pmesh.internal is reserved for requests between nodes"));
}
