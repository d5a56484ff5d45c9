//! Listeners that are opened, moved and closed. Each test has its own address, so no other program uses its ports.

use std::{
    io::Write,
    net::{SocketAddr, TcpListener, TcpStream},
    process,
    sync::atomic::{AtomicU8, Ordering},
};

use serde_json::{Value, json};

use crate::{
    assert_silent, eventually, fetch, generation, lines, reload_with, route, start_with,
    support::{Backend, Client, End, Program, client::get, tls::Tls},
    try_reload, write,
};

/// An address of this machine, as all of 127.0.0.0/8 is.
fn own_address() -> String {
    static ADDRESSES: AtomicU8 = AtomicU8::new(0);

    let [.., high, low] = process::id().to_be_bytes();
    format!("127.{}.{high}.{low}", 200 + ADDRESSES.fetch_add(1, Ordering::Relaxed) % 50)
}

fn at(ip: &str, port: u16) -> SocketAddr {
    SocketAddr::new(ip.parse().unwrap(), port)
}

/// A file with these ports, and the lines of a route.
fn file(ip: &str, http: &str, https: &str, route: &str) -> String {
    format!("bind = \"{ip}\"\nhttp = {http}\nhttps = {https}\ninternal = \"off\"\nworkers = 2\n{route}")
}

fn serves(address: SocketAddr) -> bool {
    let response = || {
        let mut client = Client::new(TcpStream::connect(address).ok()?);
        client.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").ok()?;
        let (bytes, end) = client.end();
        (end == End::Fin).then_some(bytes)
    };
    // The kernel resets a connection that reaches a socket as it closes.
    (0..3).find_map(|_| response()).expect("an open port").starts_with(b"HTTP/1.1 200 ")
}

#[track_caller]
fn assert_closed(address: SocketAddr) {
    eventually("the port is closed", || TcpStream::connect(address).is_err());
}

fn listener(name: &str, address: SocketAddr) -> Value {
    json!([{ "name": name, "address": address.to_string() }])
}

fn listeners(program: &Program) -> Value {
    fetch(program, "/v1/status")["node"]["listeners"].clone()
}

#[test]
fn http_moves_and_https_is_closed_and_reopened() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let program = start_with(&file(&ip, "8080", "8443", &same));
    let mut open = Client::connect(at(&ip, 8080));
    assert_eq!(open.get("a.test", "/").status, 200);
    let tls = Tls::trusting(&program);
    let mut secured = tls.connect(at(&ip, 8443), "a.test").unwrap();

    let report = reload_with(&program, &file(&ip, "8081", "8443", &same));
    assert_eq!(report["opened"], listener("http", at(&ip, 8081)));
    assert_eq!(report["closed"], listener("http", at(&ip, 8080)));
    let names = listeners(&program);
    assert_eq!([&names[0]["name"], &names[1]["name"]], ["http", "https"]);
    assert!(serves(at(&ip, 8081)));
    assert_silent(at(&ip, 8081), "b.test");
    assert_closed(at(&ip, 8080));
    assert_eq!(open.get("a.test", "/").status, 200);

    let report = reload_with(&program, &file(&ip, "8081", "\"off\"", &same));
    assert_eq!((&report["opened"], &report["closed"]), (&json!([]), &listener("https", at(&ip, 8443))));
    assert_closed(at(&ip, 8443));
    assert_eq!(secured.get("a.test", "/").status, 200);
    assert_eq!(listeners(&program), listener("http", at(&ip, 8081)));

    let report = reload_with(&program, &file(&ip, "8081", "8443", &same));
    assert_eq!((&report["opened"], &report["closed"]), (&listener("https", at(&ip, 8443)), &json!([])));
    assert_eq!(tls.get(at(&ip, 8443), "a.test", "a.test").status, 200);

    // Now everything at once, repeatedly.
    for _ in 0..10 {
        reload_with(&program, &file(&ip, "\"off\"", "8444", &same));
        assert_eq!(tls.get(at(&ip, 8444), "a.test", "a.test").status, 200);
        reload_with(&program, &file(&ip, "8081", "8443", &same));
        assert!(serves(at(&ip, 8081)));
        assert_eq!(tls.get(at(&ip, 8443), "a.test", "a.test").status, 200);
    }
    assert_eq!(open.get("a.test", "/").status, 200);
}

#[test]
fn two_listeners_swap_their_ports() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let program = start_with(&file(&ip, "8080", "8443", &same));
    let tls = Tls::trusting(&program);
    for (http, https) in [(8443, 8080), (8080, 8443)] {
        let report = reload_with(&program, &file(&ip, &http.to_string(), &https.to_string(), &same));
        assert_eq!(report["opened"].as_array().unwrap().len(), 2, "{report}");
        // Each worker closes the old socket of a port in its own time. Until then, the kernel chooses among old and
        // new.
        eventually("only https is left on its port", || tls.connect(at(&ip, https), "a.test").is_ok());
        assert_eq!(
            listeners(&program),
            json!([
                { "name": "http", "address": at(&ip, http).to_string() },
                { "name": "https", "address": at(&ip, https).to_string() },
            ])
        );
    }
}

#[test]
fn addresses_are_added_and_removed() {
    let (backend, [one, other]) = (Backend::answering("ok"), [own_address(), own_address()]);
    let same = route("a.test", backend.address);
    let program = start_with(&file(&one, "8080", "\"off\"", &same));
    let mut open = Client::connect(at(&one, 8080));
    assert_eq!(open.get("a.test", "/").status, 200);
    let both = file("BIND", "8080", "\"off\"", &same).replace("\"BIND\"", &format!("[\"{one}\", \"{other}\"]"));
    let report = reload_with(&program, &both);
    assert_eq!((&report["opened"], &report["closed"]), (&listener("http", at(&other, 8080)), &json!([])));
    assert!([&one, &other].iter().all(|ip| serves(at(ip, 8080))));
    let report = reload_with(&program, &file(&other, "8080", "\"off\"", &same));
    assert_eq!((&report["opened"], &report["closed"]), (&json!([]), &listener("http", at(&one, 8080))));
    assert_closed(at(&one, 8080));
    assert!(serves(at(&other, 8080)));
    assert_eq!(open.get("a.test", "/").status, 200);
}

#[test]
fn a_new_address_gets_the_picked_port_of_the_open_one() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let program = start_with(&file(&ip, "0", "\"off\"", &same));
    let port = program.http().port();
    let mut open = Client::connect(at(&ip, port));
    assert_eq!(open.get("a.test", "/").status, 200);
    for (bind, address) in [("0.0.0.0", at("0.0.0.0", port)), (&*ip, at(&ip, port))] {
        write(&program, &file(bind, "0", "\"off\"", &same));
        match try_reload(&program) {
            Ok(report) => assert_eq!(report["opened"], listener("http", address)),
            // Another program uses the port on another address.
            Err(error) => return assert!(error.contains("the port is in use"), "{error}"),
        }
        assert!(serves(at(&ip, port)));
        if bind == "0.0.0.0" {
            assert!(serves(at("127.0.0.1", port)));
        }
        assert_eq!(open.get("a.test", "/").status, 200);
    }
}

#[test]
fn a_port_in_use_changes_nothing() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let before = file(&ip, "8080", "\"off\"", &same);
    let program = start_with(&before);
    let taken = TcpListener::bind(at(&ip, 9000)).unwrap();
    // Opening the other listener and adding the route would succeed.
    let after = file(&ip, "9000", "8443", &format!("{same}{}", route("new.test", backend.address)));
    write(&program, &after);
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains(&format!("cannot listen on {ip}:9000 (http): the port is in use")), "{error}");
    assert_eq!(generation(&program), 1);
    assert!(serves(at(&ip, 8080)));
    assert_silent(at(&ip, 8080), "new.test");
    assert!(TcpStream::connect(at(&ip, 8443)).is_err());
    assert_eq!(listeners(&program), listener("http", at(&ip, 8080)));
    assert_eq!(lines(&program, "ERROR").len(), 1);

    drop(taken);
    let report = try_reload(&program).unwrap();
    assert_eq!((&report["generation"], &report["routes"]["added"]), (&json!(2), &json!(["new.test/"])));
    assert!(serves(at(&ip, 9000)));
}

#[test]
fn a_picked_port_stays() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let program = start_with(&file(&ip, "0", "0", &same));
    let mut open = Client::connect(program.http());
    open.send(get("a.test", "/"));
    for _ in 0..3 {
        let report =
            reload_with(&program, &file(&ip, "0", "0", &format!("{same}{}", route("b.test", backend.address))));
        assert_eq!((&report["opened"], &report["closed"]), (&json!([]), &json!([])));
        assert!(serves(program.http()));
    }
    assert_eq!(open.response().status, 200);
}

/// A file with http and these listeners.
fn with_named(ip: &str, listeners: &str, route: &str) -> String {
    format!("{}{listeners}", file(ip, "8080", "\"off\"", route))
}

#[test]
fn named_listeners_are_added_moved_and_removed() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let program = start_with(&with_named(&ip, "", &same));
    let tls = Tls::trusting(&program);
    let same = format!("{same}listeners = [\"http\", \"apps\", \"federation\"]\n");

    let federation = "[listeners.federation]\nport = 8448\ntls = true\n";
    let report = reload_with(&program, &with_named(&ip, &format!("{federation}[listeners.apps]\nport = 0\n"), &same));
    let apps = report["opened"][0]["address"].as_str().unwrap().parse::<SocketAddr>().unwrap();
    assert_ne!(apps.port(), 0);
    assert_eq!(
        report["opened"],
        json!([
            { "name": "apps", "address": apps.to_string() },
            { "name": "federation", "address": at(&ip, 8448).to_string() },
        ])
    );
    assert_eq!(report["settings"], json!(["listeners"]));
    assert!(serves(apps));
    assert_silent(apps, "b.test");
    let mut open = Client::connect(apps);
    assert_eq!(open.get("a.test", "/").status, 200);
    let mut secured = tls.connect(at(&ip, 8448), "a.test").unwrap();
    assert_eq!(secured.get("a.test", "/").status, 200);
    assert!(tls.connect(at(&ip, 8448), "b.test").is_err());
    let listening = listeners(&program);
    let names: Vec<_> = listening.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["http", "apps", "federation"]);

    // A picked port stays when TLS is turned on or off.
    let moved = "[listeners.federation]\nport = 8449\ntls = true\n";
    let report =
        reload_with(&program, &with_named(&ip, &format!("{moved}[listeners.apps]\nport = 0\ntls = true\n"), &same));
    assert_eq!(
        report["closed"],
        json!([
            { "name": "apps", "address": apps.to_string() },
            { "name": "federation", "address": at(&ip, 8448).to_string() },
        ])
    );
    assert_eq!(report["opened"][0], json!({ "name": "apps", "address": apps.to_string() }));
    assert_closed(at(&ip, 8448));
    eventually("only TLS is left on its port", || tls.connect(apps, "a.test").is_ok());
    assert_eq!(tls.get(at(&ip, 8449), "a.test", "a.test").status, 200);
    assert_eq!(open.get("a.test", "/").status, 200);
    assert_eq!(secured.get("a.test", "/").status, 200);

    let off = "[listeners.federation]\nport = \"off\"\ntls = true\n";
    let same = same.replace("\"apps\", ", "");
    let report = reload_with(&program, &with_named(&ip, off, &same));
    assert_eq!(report["warnings"], json!([]));
    assert_eq!(report["closed"].as_array().unwrap().len(), 2, "{report}");
    assert_closed(at(&ip, 8449));
    assert_closed(apps);
    assert_eq!(secured.get("a.test", "/").status, 200);
    assert_eq!(listeners(&program), listener("http", at(&ip, 8080)));
    // A listener that has been removed serves nothing.
    open.send(get("a.test", "/"));
    assert_eq!(open.end(), (Vec::new(), End::Fin));

    let only = "listeners = \"federation\"\n";
    let other = format!("{}{only}", route("b.test", backend.address));
    let report = reload_with(&program, &with_named(&ip, off, &format!("{}{other}", route("a.test", backend.address))));
    assert_eq!(report["routes"]["changed"], json!(["a.test/"]));
    let warning = report["warnings"][0].as_str().unwrap();
    assert!(
        warning.ends_with("no client can reach this route, because its listener is off: `federation`"),
        "{warning}"
    );
    // The host no longer has a route on that listener.
    secured.send(get("a.test", "/"));
    assert!(secured.end().0.is_empty());
    assert_eq!(fetch(&program, "/v1/routes")["routes"][1]["listeners"], json!([]));
}

#[test]
fn after_a_reload_each_listener_has_the_routes_that_name_it() {
    let ([one, two], ip) = (["one", "two"].map(Backend::answering), own_address());
    let text = |http: &Backend, apps: &Backend| {
        let of = |listener: &str, backend: &Backend| {
            format!("{}listeners = \"{listener}\"\n", route("a.test", backend.address))
        };
        with_named(&ip, "[listeners.apps]\nport = 8081\n", &format!("{}{}", of("http", http), of("apps", apps)))
    };
    let program = start_with(&text(&one, &two));
    let mut clients = [8080, 8081].map(|port| Client::connect(at(&ip, port)));
    let mut served = || clients.each_mut().map(|client| client.get("a.test", "/").text().to_owned());
    assert_eq!(served(), ["one", "two"]);
    let report = reload_with(&program, &text(&two, &one));
    assert_eq!(served(), ["two", "one"]);
    assert_eq!(report["routes"]["changed"], json!(["a.test/ on apps", "a.test/ on http"]));
    let report = reload_with(&program, &text(&two, &one));
    assert_eq!(report["routes"]["changed"], json!([]));
}

#[test]
fn a_port_in_use_for_a_named_listener_changes_nothing() {
    let (backend, ip) = (Backend::answering("ok"), own_address());
    let same = route("a.test", backend.address);
    let program = start_with(&with_named(&ip, "", &same));
    let _taken = TcpListener::bind(at(&ip, 8448)).unwrap();
    write(&program, &with_named(&ip, "[listeners.federation]\nport = 8448\n", &same));
    let error = try_reload(&program).unwrap_err();
    assert!(error.contains(&format!("cannot listen on {ip}:8448 (federation): the port is in use")), "{error}");
    assert!(error.contains("choose another port with port = 8449 in [listeners.federation]"), "{error}");
    assert_eq!(generation(&program), 1);
}
