//! Clients and backends with IPv6 addresses.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::support::{
    Backend, Client, End, Start,
    backend::{Connection, ok},
    client::{exchange, get},
    tls::Tls,
};

const V4: Ipv4Addr = Ipv4Addr::LOCALHOST;
const V6: Ipv6Addr = Ipv6Addr::LOCALHOST;

/// A backend on the IPv6 loopback; `None` if there is none, as in some containers.
fn backend() -> Option<Backend> {
    let Ok(listener) = TcpListener::bind((V6, 0)) else {
        eprintln!("skipped: this machine has no ::1");
        return None;
    };
    Some(Backend::on(listener, |connection: &mut Connection| {
        while connection.request().is_some() {
            connection.send(ok("ok"));
        }
    }))
}

#[test]
fn an_ipv6_listener_accepts_ipv4_clients() {
    let Some(backend) = backend() else { return };
    let program = Start::new().bind("::").route("a.test", &backend).run();
    let tls = Tls::trusting(&program);
    for ip in [V6.into(), V4.into()] {
        let (http, https) = (SocketAddr::new(ip, program.http().port()), SocketAddr::new(ip, program.https().port()));
        let path = format!("/{ip}");
        assert_eq!(Client::connect(http).get("a.test", &path).status, 200, "{ip}");
        assert_eq!(tls.connect(https, "a.test").unwrap().get("a.test", &path).status, 200, "{ip}");
        for address in [http, https, SocketAddr::new(ip, program.internal().port())] {
            assert_eq!(exchange(address, get("b.test", "/").as_bytes()), (Vec::new(), End::Fin), "{address}");
        }
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), 4);
    for request in requests {
        // An IPv4 client has an IPv4 address, even on an IPv6 listener.
        assert_eq!(request.all("x-forwarded-for"), [&request.target[1..]]);
    }
    // `subnet_dialer` is IPv4, so the kernel picks the only IPv6 address.
    for connection in backend.connections() {
        assert_eq!(connection.peer.ip(), V6);
    }
}

#[test]
fn listens_on_ipv4_and_ipv6() {
    let Some(backend) = backend() else { return };
    let program = Start::new().bind("127.0.0.1,::1").route("a.test", &backend).run();
    let tls = Tls::trusting(&program);
    for ip in [V6.into(), V4.into()] {
        let (http, https) = (SocketAddr::new(ip, program.http().port()), SocketAddr::new(ip, program.https().port()));
        assert_eq!(Client::connect(http).get("a.test", "/").status, 200, "{ip}");
        assert_eq!(tls.connect(https, "a.test").unwrap().get("a.test", "/").status, 200, "{ip}");
        let internal = SocketAddr::new(ip, program.internal().port());
        assert_eq!(exchange(internal, get("a.test", "/").as_bytes()), (Vec::new(), End::Fin), "{ip}");
    }
}

#[test]
fn listens_on_ipv6_only() {
    let Some(backend) = backend() else { return };
    let program = Start::new().bind("::1").route("a.test", &backend).run();
    assert_eq!(program.http().ip(), V6);
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
}
