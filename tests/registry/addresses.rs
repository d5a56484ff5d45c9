//! A node with one address in the settings and another in the registry.

use std::{
    net::{IpAddr, TcpListener},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use crate::{
    Nats,
    programs::start,
    support::{Backend, Client},
};

#[test]
fn the_address_that_worked_last_is_tried_first() {
    let Some(nats) = Nats::start(&[]) else { return };
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    let fixed = format!("b={}", elsewhere.local_addr().unwrap());
    // Closes connections, and counts those for requests, which come from a subnet of their own.
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    thread::spawn(move || {
        for stream in elsewhere.incoming().map(Result::unwrap) {
            if matches!(stream.peer_addr().unwrap().ip(), IpAddr::V4(ip) if ip.octets()[1] == 77) {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let backend = Backend::answering("hello");
    let b = start("b", &nats.url()).route("x.test", &backend).run();
    let a = start("a", &nats.url())
        .flags(&["--mesh-peer", &fixed, "--subnet-dialer", "127.77.0.0/16", "--pool-max-age", "1ms"])
        .flags(&["--route", "x.test=mesh://b"])
        .run();
    let mut client = Client::connect(a.http());
    b.wait_for_line("node a found in the registry");
    a.wait_for_line("node b found in the registry");
    for _ in 0..5 {
        assert_eq!(client.get("x.test", "/").text(), "hello");
        // The connection gets too old, and the next request needs a new one.
        thread::sleep(Duration::from_millis(10));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}
