//! Source addresses of backend connections.

use std::{
    collections::BTreeSet,
    env, fs, io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    process::Command,
    sync::{Arc, Barrier},
};

use ipnet::Ipv4Net;
use socket2::{Domain, Socket, Type};

use crate::support::{Backend, Client, Start, backend::ok, client::get};

/// A backend that closes its connection after each request.
fn closing() -> Backend {
    Backend::start(|connection| {
        if connection.request().is_some() {
            connection.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
        }
    })
}

fn peers(flags: &[&str], requests: usize) -> Vec<IpAddr> {
    let backend = closing();
    let program = Start::new().workers(1).route("a.test", &backend).flags(flags).run();
    let mut client = Client::connect(program.http());
    for _ in 0..requests {
        assert_eq!(client.get("a.test", "/").status, 200);
    }
    backend.connections().iter().map(|record| record.peer.ip()).collect()
}

fn assert_inside(subnet: &str, peers: &[IpAddr]) {
    let subnet: Ipv4Net = subnet.parse().unwrap();
    for peer in peers {
        assert!(matches!(peer, IpAddr::V4(peer) if subnet.contains(peer)), "{peer}");
    }
}

#[test]
fn each_connection_uses_the_next_address() {
    let peers = peers(&[], 20);
    assert_inside("127.2.0.0/16", &peers);
    assert_eq!(peers.iter().collect::<BTreeSet<_>>().len(), 20, "{peers:?}");
}

#[test]
fn the_subnet_is_configurable() {
    let peers = peers(&["--subnet-dialer", "127.77.0.0/29"], 12);
    assert_inside("127.77.0.0/29", &peers);
    // The network and the broadcast address are skipped.
    assert_eq!(peers.iter().collect::<BTreeSet<_>>().len(), 6, "{peers:?}");
}

/// Marks the process inside the namespace.
const IN_NAMESPACE: &str = "PMESH_TEST_IN_NAMESPACE";
const PORTS: usize = 100;
const REQUESTS: usize = 500;

/// Runs itself again in a network namespace with few ports.
#[test]
fn ports_do_not_run_out() {
    if env::var_os(IN_NAMESPACE).is_some() {
        return with_few_ports();
    }
    let possible = Command::new("unshare").args(["-n", "ip", "link", "set", "lo", "up"]).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        return eprintln!("skipped: a network namespace needs root, unshare and ip");
    }
    let script = "ip link set lo up && ulimit -n 4096 && exec \"$0\" --exact sources::ports_do_not_run_out --nocapture";
    let output = Command::new("unshare")
        .args(["-n", "sh", "-c", script])
        .arg(env::current_exe().unwrap())
        .env(IN_NAMESPACE, "1")
        .output()
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

fn with_few_ports() {
    fs::write("/proc/sys/net/ipv4/ip_local_port_range", format!("40000 {}", 40000 + PORTS - 1)).unwrap();
    // Responds only once all requests have arrived.
    let all = Arc::new(Barrier::new(REQUESTS));
    let backend = Backend::start(move |connection| {
        if connection.request().is_some_and(|request| request.target == "/all") {
            all.wait();
            connection.send(ok("ok"));
        }
    });
    let program = Start::new().route("a.test", &backend).run();

    let mut clients: Vec<_> = (0..REQUESTS).map(|number| Client::new(connect_from(number, program.http()))).collect();
    for client in &mut clients {
        client.send(get("a.test", "/all"));
    }
    for client in &mut clients {
        assert_eq!(client.response().status, 200);
    }
    assert_eq!(backend.connections().len(), REQUESTS);

    // With one source address they do run out.
    let direct: Result<Vec<_>, io::Error> =
        (0..=PORTS).map(|_| std::net::TcpStream::connect(backend.address)).collect();
    assert_eq!(direct.unwrap_err().kind(), io::ErrorKind::AddrNotAvailable);
}

/// Connects from an address for each client, because clients must not run out of ports either.
fn connect_from(number: usize, to: SocketAddr) -> std::net::TcpStream {
    let [high, low] = u16::try_from(number + 1).unwrap().to_be_bytes();
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 99, high, low), 0)).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    socket.into()
}
