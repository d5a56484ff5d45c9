//! Nodes that are down, or that fail to prove who they are.

use std::{
    sync::{Arc, Barrier},
    thread,
    time::{Duration, SystemTime},
};

use pmesh_layers::node::NodeIdentity;
use rustls::{ClientConnection, pki_types::ServerName};

use crate::{
    Node, OTHER_SECRET, SECRET,
    support::{Backend, Client, client::exchange},
    two, until,
};

#[test]
fn a_node_that_is_down_is_a_502_until_it_is_up() {
    let backend = Backend::answering("hello");
    let (a, b) = two();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b"]).run();
    let mut client = Client::connect(a.http());
    assert_eq!(client.get("x.test", "/").status, 502);
    let line = a.wait_for_line("endpoint=\"mesh://b\"");
    assert!(line.contains(&format!("node b ({}) is unreachable", b.address)), "{line}");
    for _ in 0..2 {
        let runs = b.start(&[]).route("x.test", &backend).run();
        assert_eq!(client.get("x.test", "/").text(), "hello");
        // Killed.
        drop(runs);
        assert_eq!(client.get("x.test", "/").status, 502);
    }
}

#[test]
fn no_request_is_lost_when_one_of_two_nodes_is_killed() {
    let (backends, (a, b), c) = ([(); 2].map(|()| Backend::answering("hello")), two(), Node::new("c"));
    let b_runs = b.start(&[]).route("x.test", &backends[0]).run();
    let _c = c.start(&[]).route("x.test", &backends[1]).run();
    let a = a.start(&[&b, &c]).flags(&["--route", "x.test=mesh://b,mesh://c"]).run();
    let mut client = Client::connect(a.http());
    for _ in 0..20 {
        assert_eq!(client.get("x.test", "/").text(), "hello");
    }
    assert_eq!(backends.each_ref().map(|backend| backend.requests().len()), [10, 10]);
    drop(b_runs);
    for _ in 0..20 {
        assert_eq!(client.get("x.test", "/").text(), "hello");
    }
    let _b = b.start(&[]).route("x.test", &backends[0]).run();
    // It is used again after one request has found that it is back.
    until("it gets requests", || {
        assert_eq!(client.get("x.test", "/").text(), "hello");
        backends[0].requests().len() > 10
    });
}

#[test]
fn no_request_is_lost_under_load() {
    let (backends, (a, b), c) = ([(); 2].map(|()| Backend::answering("hello")), two(), Node::new("c"));
    let b_runs = b.start(&[]).route("x.test", &backends[0]).run();
    let _c = c.start(&[]).route("x.test", &backends[1]).run();
    let a = a.start(&[&b, &c]).workers(2).flags(&["--route", "x.test=mesh://b,mesh://c"]).run();
    let (address, half_done) = (a.http(), Arc::new(Barrier::new(9)));
    let ask = |_| {
        let half_done = Arc::clone(&half_done);
        thread::spawn(move || {
            let mut client = Client::connect(address);
            for number in 0..400 {
                if number == 100 {
                    half_done.wait();
                }
                assert_eq!(client.get("x.test", "/").text(), "hello");
            }
        })
    };
    let clients: Vec<_> = (0..8).map(ask).collect();
    half_done.wait();
    drop(b_runs);
    for client in clients {
        client.join().unwrap();
    }
}

#[test]
fn a_node_with_another_secret_is_refused() {
    let backend = Backend::answering("");
    let (a, b) = two();
    let b_runs = b.start_with(OTHER_SECRET, &[]).route("x.test", &backend).flags(&["--log", "debug"]).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b"]).run();
    assert_eq!(Client::connect(a.http()).get("x.test", "/").status, 502);
    let line = a.wait_for_line("closed the connection without a byte");
    assert!(line.contains("WARN") && line.contains("it holds another secret"), "{line}");
    b_runs.wait_for_line("the proof was made with another secret");
    assert!(backend.connections().is_empty());
}

#[test]
fn a_wrong_clock_is_reported_once() {
    let b = Node::new("b");
    let runs = b.start(&[]).run();
    let identity = NodeIdentity::new("pmesh", "a".parse().unwrap(), [&SECRET.parse().unwrap()]).unwrap();
    for _ in 0..3 {
        let proof = identity.proof(&"b".parse().unwrap(), SystemTime::now() + Duration::from_secs(100)).unwrap();
        let name = ServerName::try_from("b").unwrap();
        let mut client =
            ClientConnection::new_with_alpn(identity.client_config(), name, vec![proof, b"h2".to_vec()]).unwrap();
        let mut hello = Vec::new();
        client.write_tls(&mut hello).unwrap();
        assert_eq!(exchange(b.address, &hello).0, b"");
    }
    let line = runs.wait_for_line("the clock of the node at 127.0.0.1");
    assert!(line.contains("WARN") && line.contains(" s ahead of ours") && line.contains("mesh_clock_window (60 s)"));
    assert_eq!(runs.log().iter().filter(|line| line.contains("the clock of the node")).count(), 1);
}
