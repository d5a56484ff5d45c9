//! `mesh://*`: any node that serves the request, found in the registry or named in the settings. Without a NATS server, each
//! test that needs one says that it is skipped.

use std::net::TcpStream;

use crate::{
    Node,
    nats::Nats,
    support::{Backend, Client, Program, Start, backend::Refusing},
    two, until,
};

fn start(node: &Node, nats: &Nats) -> Start {
    node.start(&[]).flags(&["--mesh-registry", &nats.url()])
}

#[test]
fn no_request_is_lost_when_a_node_is_killed() {
    let Some(nats) = Nats::start(&[]) else { return };
    let (backends, (a, b), c) = ([(); 2].map(|()| Backend::answering("hello")), two(), Node::new("c"));
    let a = start(&a, &nats).flags(&["--route", "x.test=mesh://*"]).run();
    let mut client = Client::connect(a.http());
    assert_eq!(client.get("x.test", "/").status, 502);
    a.wait_for_line("no known node serves the host and the path");

    let b = start(&b, &nats).route("x.test", &backends[0]).run();
    let _c = start(&c, &nats).route("x.test", &backends[1]).run();
    for name in ["b", "c"] {
        a.wait_for_line(&format!("node {name} found in the registry"));
    }
    loses_nothing(&mut client, b, &backends);
}

/// Kills `b`, the node of the first backend, once both backends have got requests.
fn loses_nothing(client: &mut Client<TcpStream>, b: Program, backends: &[Backend; 2]) {
    let count = |index: usize| backends[index].requests().len();
    until("both have got requests", || {
        assert_eq!(client.get("x.test", "/").text(), "hello");
        count(0) > 0 && count(1) > 0
    });
    drop(b);
    let before = [count(0), count(1)];
    for _ in 0..40 {
        assert_eq!(client.get("x.test", "/").text(), "hello");
    }
    assert_eq!([count(0), count(1)], [before[0], before[1] + 40]);
}

#[test]
fn nodes_named_in_the_settings_report_what_they_serve() {
    let (backends, (a, b), c) = ([(); 2].map(|()| Backend::answering("hello")), two(), Node::new("c"));
    let a = a.start(&[&b, &c]).flags(&["--route", "x.test=mesh://*"]).run();
    let b = b.start(&[]).route("x.test", &backends[0]).run();
    let _c = c.start(&[]).route("x.test", &backends[1]).run();
    let mut client = Client::connect(a.http());
    until("a node has reported what it serves", || client.get("x.test", "/").status == 200);
    loses_nothing(&mut client, b, &backends);
}

#[test]
fn own_endpoints_come_before_other_nodes() {
    let Some(nats) = Nats::start(&[]) else { return };
    let (own, other, (a, b)) = (Refusing::new(), Backend::answering("b"), two());
    let _b = start(&b, &nats).route("x.test", &other).run();
    let a = start(&a, &nats).flags(&["--route", &format!("x.test=mesh://*,{}", own.address())]).run();
    a.wait_for_line("node b found in the registry");
    let mut client = Client::connect(a.http());
    // A request that could not be sent goes to the next endpoint, whatever its method.
    client.send("POST / HTTP/1.1\r\nHost: x.test\r\nContent-Length: 5\r\n\r\nhello");
    assert_eq!(client.response().text(), "b");
    assert_eq!(other.request().body, b"hello");
    let own = Backend::on(own.listen(), |connection| {
        while connection.request().is_some() {
            connection.send(crate::support::backend::ok("a"));
        }
    });
    until("the backend of a is used again", || client.get("x.test", "/").text() == "a");
    for _ in 0..10 {
        assert_eq!(client.get("x.test", "/").text(), "a");
    }
    assert!(own.requests().len() > 10);
}

#[test]
fn a_path_that_no_node_serves_is_a_502() {
    let Some(nats) = Nats::start(&[]) else { return };
    let (backend, (a, b)) = (Backend::answering("b"), two());
    let _b = start(&b, &nats).flags(&["--route", &format!("x.test/app={}", backend.address)]).run();
    let a = start(&a, &nats).flags(&["--route", "x.test=mesh://*"]).run();
    a.wait_for_line("node b found in the registry");
    let mut client = Client::connect(a.http());
    for (path, expected) in [("/app/x", 200), ("/", 502)] {
        assert_eq!(client.get("x.test", path).status, expected, "{path}");
    }
}
