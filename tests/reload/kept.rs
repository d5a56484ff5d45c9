//! Routes and endpoints that have not changed keep their connections, tunnels, health and counters.

use std::{
    net::TcpStream,
    sync::{Mutex, mpsc},
};

use tungstenite::{Message, WebSocket};

use crate::{
    fetch, reload, route, start,
    support::{Backend, Client, Program, Start, backend::Refusing, backend::ok, client::get},
};

/// Answers requests, upgrades to a WebSocket at `/chat`, and at `/held` sends half a body, then the rest when
/// signalled.
pub fn backend() -> (Backend, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = Mutex::new(released);
    let backend = Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            match request.target.as_str() {
                "/chat" => {
                    let key = request.field("sec-websocket-key").as_bytes();
                    let accept = tungstenite::handshake::derive_accept_key(key);
                    connection.send(format!(
                        "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
                         Sec-WebSocket-Accept: {accept}\r\n\r\n"
                    ));
                    let role = tungstenite::protocol::Role::Server;
                    let mut socket = WebSocket::from_raw_socket(connection, role, None);
                    while let Ok(message) = socket.read() {
                        let _ = socket.send(message);
                    }
                    return;
                }
                "/held" => {
                    connection.send("HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf");
                    // An error means that the test is over.
                    let _ = released.lock().unwrap().recv();
                    connection.send("half");
                }
                _ => connection.send(ok("ok")),
            }
        }
    });
    (backend, release)
}

pub fn tunnel(program: &Program, host: &str) -> WebSocket<TcpStream> {
    let stream = Client::connect(program.http()).stream;
    tungstenite::client(format!("ws://{host}/chat"), stream).unwrap().0
}

#[track_caller]
pub fn assert_echo(socket: &mut WebSocket<TcpStream>) {
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
}

/// A response, half of which has arrived.
pub fn held(program: &Program, host: &str) -> Client<TcpStream> {
    let mut client = Client::connect(program.http());
    client.send(get(host, "/held"));
    assert_eq!(client.head().status, 200);
    assert_eq!(client.take(4), b"half");
    client
}

#[test]
fn connections_and_tunnels_survive_changes_of_other_routes() {
    let ((kept, release), other) = (backend(), Backend::answering("other"));
    let dead = Refusing::new();
    let same = format!(
        "{}[[routes]]\nhost = \"poor.test\"\nupstream = [\"{}\", \"{}\"]\n",
        route("kept.test", kept.address),
        dead.address(),
        other.address
    );
    let program = start(&same);
    let (mut socket, mut download) = (tunnel(&program, "kept.test"), held(&program, "kept.test"));
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("kept.test", "/").text(), "ok");
    while client.get("poor.test", "/").status != 200 || endpoint(&program, dead.address())["state"] != "failed" {}
    let (connections, before) = (kept.connections().len(), endpoint(&program, dead.address()));

    for round in 0_u16..20 {
        let prefix = if round.is_multiple_of(2) { "/a" } else { "/b" };
        let changing = [route("changed.test", other.address), route(&format!("new-{round}.test"), other.address)];
        let changing = changing.concat().replacen("upstream", &format!("prefix = \"{prefix}\"\nupstream"), 1);
        // The order of the routes changes as well.
        let text = if round % 3 == 0 { format!("{changing}{same}") } else { format!("{same}{changing}") };
        let report = reload(&program, &text);
        assert!(!report["routes"].to_string().contains("kept.test"), "{report}");
        let added = [format!("changed.test{prefix}"), format!("new-{round}.test/")];
        assert_eq!(report["routes"]["added"], serde_json::json!(added), "{report}");
        assert_eq!(client.get("kept.test", "/").text(), "ok");
        assert_eq!(client.get(&format!("new-{round}.test"), "/").text(), "other");
    }
    assert_echo(&mut socket);
    release.send(()).unwrap();
    assert_eq!(download.take(4), b"half");
    assert_eq!(kept.connections().len(), connections);
    let after = endpoint(&program, dead.address());
    for key in ["state", "requests", "failures", "consecutive_failures", "last_error"] {
        let message = |value: &serde_json::Value| value["message"].clone();
        if key == "last_error" {
            assert_eq!(message(&before[key]), message(&after[key]));
        } else {
            assert_eq!(before[key], after[key], "{key}");
        }
    }
    let requests = endpoint(&program, kept.address)["requests"].as_u64().unwrap();
    assert_eq!(requests, 23);
    let counted = fetch(&program, "/v1/status")["counters"]["requests"].as_u64().unwrap();
    assert!(counted >= 43, "{counted}");
}

/// The report on an endpoint.
fn endpoint(program: &Program, address: std::net::SocketAddr) -> serde_json::Value {
    let report = fetch(program, "/v1/upstreams");
    let endpoints = report["endpoints"].as_array().unwrap();
    endpoints.iter().find(|one| one["address"] == address.to_string()).unwrap().clone()
}

#[test]
fn a_changed_route_keeps_tunnels_and_connections_to_its_endpoints() {
    let ((kept, release), other) = (backend(), Backend::answering("ok"));
    let program = start(&route("a.test", kept.address));
    let (mut socket, mut download) = (tunnel(&program, "a.test"), held(&program, "a.test"));
    let with = |upstreams: &str, more: &str| format!("[[routes]]\nhost = \"a.test\"\nupstream = [{upstreams}]\n{more}");
    let (kept_one, other_one) = (format!("\"{}\"", kept.address), format!("\"{}\"", other.address));
    for text in [
        with(&format!("{kept_one}, {other_one}"), ""),
        with(&other_one, ""),
        with(&other_one, "response_timeout = \"7s\"\n"),
        with(&kept_one, "max_body = \"1MiB\"\n"),
        format!("stall_timeout = \"50s\"\nshutdown_timeout = \"1ms\"\n{}", with(&kept_one, "")),
    ] {
        let report = reload(&program, &text);
        assert_eq!(
            report["routes"],
            serde_json::json!({ "added": [], "changed": ["a.test/"], "removed": [] }),
            "{text}"
        );
        assert_echo(&mut socket);
    }
    release.send(()).unwrap();
    assert_eq!(download.take(4), b"half");
}

#[test]
fn hosts_that_move_between_lists_keep_their_tunnels() {
    let (kept, _release) = backend();
    let together = format!("[[routes]]\nhost = [\"a.test\", \"b.test\"]\nupstream = [\"{}\"]\n", kept.address);
    let apart = ["a.test", "b.test"].map(|host| route(host, kept.address));
    let top = "shutdown_timeout = \"1ms\"\n";
    let program = start(&format!("{top}{}", apart.concat()));
    let mut sockets = ["a.test", "b.test"].map(|host| tunnel(&program, host));
    for text in [&together, &apart.concat(), &together, &apart[1]] {
        reload(&program, &format!("{top}{text}"));
        assert_echo(&mut sockets[1]);
    }
    // The other host is no longer served.
    assert!(sockets[0].read().is_err());
    assert_echo(&mut sockets[1]);
}

#[test]
fn connections_to_an_authentication_server_are_kept() {
    let (backend, server) = (Backend::answering("ok"), Backend::answering("yes"));
    let route = |rest: &str| {
        let auth = format!("forward_auth = {{ url = \"http://{}/verify\", {rest} }}\n", server.address);
        format!("{}{auth}", route("a.test", backend.address))
    };
    // A single worker has a single connection.
    let top = crate::TOP.replace("workers = 2", "workers = 1");
    let program = crate::start_with(&format!("{top}{}", route("timeout = \"10s\"")));
    let get = |expected: u64| {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").text(), "ok");
        crate::eventually("the connection is idle", || {
            let report = endpoint(&program, server.address);
            report["requests"] == expected && report["idle_connections"] == 1
        });
    };
    get(1);
    assert_eq!(endpoint(&program, server.address)["routes"], serde_json::json!(["a.test/"]));
    for (count, rest) in [(2, "timeout = \"10s\""), (3, "timeout = \"20s\", copy_headers = [\"remote-user\"]")] {
        crate::reload_with(&program, &format!("{top}{}", route(rest)));
        get(count);
    }
    assert_eq!(server.connections().len(), 1);
    // Without the key, the server is no longer listed.
    crate::reload_with(&program, &format!("{top}{}", crate::route("a.test", backend.address)));
    assert_eq!(fetch(&program, "/v1/upstreams")["endpoints"].as_array().unwrap().len(), 1);
}
