//! Routes: which upstream a request goes to, and what happens if none responds.

use crate::support::{
    Backend, Client, Connection, Start,
    backend::{Refusing, ok},
    client::exchange,
    h2::{self, Answer},
    shown,
    tls::Tls,
};

/// Responds with its name and the target of the request.
fn named(name: &'static str) -> Backend {
    Backend::start(move |connection| {
        while let Some(request) = connection.request() {
            connection.send(ok(&format!("{name} {}", request.target)));
        }
    })
}

#[test]
fn the_most_specific_route_wins() {
    let [exact, wild, deep, api, v1] = ["exact", "wild", "deep", "api", "v1"].map(named);
    let program = Start::new()
        .route("*.a.test", &wild)
        .route("www.a.test", &exact)
        .route("*.deep.a.test", &deep)
        .route("www.a.test/api", &api)
        .route("www.a.test/api/v1", &v1)
        .run();
    let mut client = Client::connect(program.http());
    for (host, path, expected) in [
        ("www.a.test", "/", "exact /"),
        ("WWW.A.test.", "/", "exact /"),
        ("x.a.test", "/", "wild /"),
        ("x.y.a.test", "/", "wild /"),
        ("x.deep.a.test", "/", "deep /"),
        ("deep.a.test", "/", "wild /"),
        ("www.a.test", "/api", "api /api"),
        ("www.a.test", "/api/", "api /api/"),
        ("www.a.test", "/api/x?q=/api/v1", "api /api/x?q=/api/v1"),
        ("www.a.test", "/apis", "exact /apis"),
        ("www.a.test", "/x/API", "exact /x/API"),
        ("www.a.test", "/api/v1/x", "v1 /api/v1/x"),
        ("www.a.test", "/api/v10", "api /api/v10"),
        ("x.a.test", "/api", "wild /api"),
    ] {
        let response = client.get(host, path);
        assert_eq!((response.status, response.text()), (200, expected), "{host}{path}");
    }
    // A certificate for a name below a wildcard is issued on the first request for it.
    assert_eq!(Tls::trusting(&program).get(program.https(), "new.a.test", "new.a.test").text(), "wild /");
}

#[test]
fn host_and_upstream_can_come_from_the_environment() {
    let backend = named("backend");
    let program = Start::new()
        .config("[[routes]]\nhost = \"${DOMAIN}\"\nprefix = \"${PREFIX:-/api}\"\nupstream = [\"${BACKEND}\"]\n")
        .variable("DOMAIN", "a.test")
        .variable("BACKEND", &backend.address.to_string())
        .run();
    assert_eq!(Client::connect(program.http()).get("a.test", "/api/x").text(), "backend /api/x");
}

#[test]
fn a_path_without_a_route_on_a_served_host_is_404() {
    let backend = named("api");
    let program = Start::new().route("a.test/api", &backend).run();
    let mut client = Client::connect(program.http());
    for path in ["/", "/other", "/apis", "/x/../api"] {
        let response = client.get("a.test", path);
        assert_eq!((response.status, response.text()), (404, "404 Not Found\n"), "{path}");
    }
    assert_eq!(client.get("a.test", "/api/x").text(), "api /api/x");
}

#[test]
fn a_path_that_could_mean_another_route_gets_400() {
    let [all, admin, single] = ["all", "admin", "single"].map(named);
    let route = |host: &str, prefix: &str, backend: &Backend, rest: &str| {
        let upstream = backend.address;
        format!("[[routes]]\nhost = \"{host}\"\nprefix = \"{prefix}\"\nupstream = [\"{upstream}\"]\n{rest}\n")
    };
    let literal = "allow_ambiguous_paths = true";
    let program = Start::new()
        .config(
            &[
                route("a.test", "/", &all, ""),
                route("a.test", "/admin", &admin, ""),
                route("literal.test", "/", &all, literal),
                route("literal.test", "/admin", &admin, ""),
                route("single.test", "/", &single, ""),
            ]
            .concat(),
        )
        .run();
    let get = |host: &str, path: &str| Client::connect(program.http()).get(host, path);
    for path in [
        "//admin",
        "/x/../admin",
        "/x/..;/admin",
        "/admin%2f..",
        "/%61dmin",
        "/admin;x",
        "/x/%2e%2e%5cadmin",
        "/ADMIN",
        "/Admin/x",
    ] {
        assert_eq!(get("a.test", path).status, 400, "{path}");
        assert_eq!(get("a.test", &format!("{path}?q")).status, 400, "{path}");
        assert_eq!(get("single.test", path).text(), format!("single {path}"));
    }
    assert_eq!(get("literal.test", "//admin").text(), "all //admin");
    assert_eq!(get("literal.test", "/ADMIN").text(), "all /ADMIN");
    assert_eq!(get("literal.test", "/x/../admin").text(), "all /x/../admin");
    assert_eq!(get("literal.test", "/admin/..").status, 400);
    for (path, expected) in
        [("/x//y/../z;w/%2f", "all /x//y/../z;w/%2f"), ("/admin/x/../y//%2e", "admin /admin/x/../y//%2e")]
    {
        assert_eq!(get("a.test", path).text(), expected);
    }
    assert!([all, admin].iter().flat_map(Backend::requests).all(|request| request.field("host") != "a.test"
        || request.target.starts_with("/x//y")
        || request.target.starts_with("/admin/x")));

    // The same over HTTP/2.
    let mut two = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    two.send([h2::opening(), h2::headers(1, &h2::get("a.test", "//admin"), true)].concat());
    assert_eq!(two.answer(1), Answer::Status(400));
    two.send(h2::headers(3, &h2::get("a.test", "//x"), true));
    assert_eq!(two.answer(3), Answer::Status(200));
}

#[test]
fn prefixes_are_stripped() {
    let backend = named("api");
    let route = |rest: &str| format!("[[routes]]\nhost = \"a.test\"\nupstream = [\"{}\"]\n{rest}", backend.address);
    let program = Start::new().config(&route("prefix = \"/api\"\nstrip_prefix = true\n")).run();
    let mut client = Client::connect(program.http());
    for (path, expected) in [
        ("/api", "api /"),
        ("/api/", "api /"),
        ("/api/x/y?z=1", "api /x/y?z=1"),
        ("/api?z", "api /?z"),
        ("/api/api", "api /api"),
        ("/api/./a%2Fb/%61", "api /./a%2Fb/%61"),
    ] {
        assert_eq!(client.get("a.test", path).text(), expected, "{path}");
    }
    assert!(backend.requests().iter().all(|request| request.all("x-forwarded-prefix") == ["/api"]));
}

#[test]
fn the_backend_learns_the_stripped_prefix() {
    let backend = named("api");
    let route = format!(
        "[[routes]]\nhost = \"a.test\"\nprefix = [\"/a\", \"/a/b\"]\nstrip_prefix = true\nupstream = \"{0}\"\n\
         [[routes]]\nhost = \"a.test\"\nupstream = \"{0}\"\n",
        backend.address
    );
    for (trusted, claim, path, expected) in [
        ("", "", "/a/x", ("/x", &["/a"][..])),
        ("", "", "/a/b/x", ("/x", &["/a/b"])),
        ("", "", "/x", ("/x", &[])),
        // Sent by a client.
        ("", "/evil", "/a/x", ("/x", &["/a"])),
        ("", "/evil", "/x", ("/x", &[])),
        // Sent by a trusted proxy.
        ("127.0.0.1", "", "/a/x", ("/x", &["/a"])),
        ("127.0.0.1", "/shop/", "/a/x", ("/x", &["/shop/a"])),
        ("127.0.0.1", "/shop", "/x", ("/x", &["/shop"])),
        ("127.0.0.1", "/one, /two", "/x", ("/x", &["/one/two"])),
        ("127.0.0.1", "//evil.test", "/a/x", ("/x", &["/a"])),
        ("127.0.0.1", "//evil.test", "/x", ("/x", &[])),
    ] {
        let program = Start::new().config(&route).flags(&["--trusted-proxies", trusted]).run();
        let mut client = Client::connect(program.http());
        let name = ["X-Forwarded-Prefix", "X_Forwarded_Prefix"];
        let claims: String =
            name.iter().filter(|_| !claim.is_empty()).map(|name| format!("{name}: {claim}\r\n")).collect();
        client.send(format!("GET {path} HTTP/1.1\r\nHost: a.test\r\n{claims}\r\n"));
        assert_eq!(client.response().status, 200);
        let requests = backend.requests();
        let last = requests.last().unwrap();
        let seen = (&*last.target, &*last.all("x-forwarded-prefix"));
        assert_eq!(seen, expected, "{claim} to {path}");
        assert!(last.all("x_forwarded_prefix").is_empty());
    }
}

#[test]
fn a_path_that_could_mean_another_route_once_stripped_gets_400() {
    let [api, admin] = ["api", "admin"].map(named);
    let route = |prefix: &str, backend: &Backend, rest: &str| {
        let upstream = backend.address;
        format!("[[routes]]\nhost = \"a.test\"\nprefix = \"{prefix}\"\nupstream = [\"{upstream}\"]\n{rest}\n")
    };
    let strip = "strip_prefix = true";
    let literal = "strip_prefix = true\nallow_ambiguous_paths = true";
    let program = Start::new()
        .config(
            &[
                route("/api", &api, strip),
                route("/api/admin", &admin, ""),
                route("/raw", &api, literal),
                route("/raw/admin", &admin, ""),
            ]
            .concat(),
        )
        .run();
    let get = |path: &str| Client::connect(program.http()).get("a.test", path);
    for path in ["/api//x/admin", "/api///x/admin", "/api/%2f/x/admin", "/api/;/x/admin", "/api/.//x/admin"] {
        assert_eq!(get(path).status, 400, "{path}");
        assert_eq!(get(&format!("{path}?q")).status, 400, "{path}");
    }
    assert_eq!(get("/api//x/user").text(), "api //x/user");
    assert_eq!(get("/raw//x/admin").text(), "api //x/admin");
}

#[test]
fn host_header_replaces_the_host() {
    let backend = Backend::answering("ok");
    let route = format!(
        "[[routes]]\nhost = [\"a.test\", \"b.test\"]\nupstream = [\"{}\"]\nhost_header = \"inside.test\"\n",
        backend.address
    );
    let program = Start::new().config(&route).run();
    assert_eq!(Client::connect(program.http()).get("b.test", "/").status, 200);
    let request = backend.request();
    assert_eq!((request.field("host"), request.field("x-forwarded-host")), ("inside.test", "b.test"));
}

#[test]
fn endpoints_take_turns() {
    let backends = ["one", "two", "three"].map(named);
    let upstream = backends.each_ref().map(|backend| backend.address.to_string()).join(",");
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test={upstream}")]).run();
    for _ in 0..4 {
        // Also across connections.
        let mut client = Client::connect(program.http());
        let mut seen = ["", "", ""].map(|_| client.get("a.test", "/").text().to_owned());
        seen.sort();
        assert_eq!(seen, ["one /", "three /", "two /"]);
    }
}

#[test]
fn a_request_moves_on_to_an_endpoint_that_is_up() {
    let up = Backend::answering("up");
    let [first, second] = [Refusing::new(), Refusing::new()];
    let route = format!("a.test={},{},{}", first.address(), up.address, second.address());
    let program = Start::new().flags(&["--route", &route]).run();
    let mut client = Client::connect(program.http());
    for number in 0..6 {
        let body = "x".repeat(number);
        client.send(format!("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {number}\r\n\r\n{body}"));
        assert_eq!(client.response().text(), "up");
    }
    let mut lengths: Vec<_> = up.requests().iter().map(|request| request.body.len()).collect();
    lengths.sort_unstable();
    assert_eq!(lengths, [0, 1, 2, 3, 4, 5]);
}

/// Reads a request and closes the connection.
fn breaking() -> Backend {
    Backend::start(|connection| {
        let _ = connection.request();
    })
}

#[test]
fn a_request_that_may_have_had_an_effect_is_not_repeated() {
    let [first, second] = [breaking(), breaking()];
    let program = Start::new().flags(&["--route", &format!("a.test={},{}", first.address, second.address)]).run();
    let mut client = Client::connect(program.http());
    for sent in 1..=4 {
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(client.response().status, 502);
        assert_eq!(first.requests().len() + second.requests().len(), sent);
    }
}

#[test]
fn a_safe_request_is_retried() {
    let (breaking, fine) = (breaking(), Backend::answering("fine"));
    let program = Start::new()
        .workers(1)
        .flags(&["--route", &format!("a.test={},{}", breaking.address, fine.address)])
        .route("b.test", &breaking)
        .run();
    let mut client = Client::connect(program.http());
    for _ in 0..4 {
        assert_eq!(client.get("a.test", "/").text(), "fine");
    }
    assert!(!breaking.requests().is_empty());
    // If no endpoint responds, it is sent twice in all.
    let before = breaking.requests().len();
    assert_eq!(client.get("b.test", "/").status, 502);
    assert_eq!(breaking.requests().len(), before + 2);
}

#[test]
fn a_malformed_body_does_not_count_as_a_failure_of_the_backend() {
    let backends = ["one", "two"].map(named);
    let upstream = backends.each_ref().map(|backend| backend.address.to_string()).join(",");
    let program = Start::new().workers(1).flags(&["--route", &format!("a.test={upstream}")]).run();
    for _ in 0..3 {
        let bad = b"POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n";
        let (got, _) = exchange(program.http(), bad);
        assert!(got.starts_with(b"HTTP/1.1 400 "), "{}", shown(&got));
        let mut client = Client::connect(program.http());
        let mut seen = ["", ""].map(|_| client.get("a.test", "/").text().to_owned());
        seen.sort();
        assert_eq!(seen, ["one /", "two /"]);
    }
}

#[test]
fn unreachable_endpoints_are_502() {
    let [first, second] = [Refusing::new(), Refusing::new()];
    let up = Backend::answering("up");
    let route = format!("a.test={},{}", first.address(), second.address());
    let program = Start::new().flags(&["--route", &route]).route("b.test", &up).run();
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("a.test", "/").status, 502);
    // The client connection stays usable.
    assert_eq!(client.get("b.test", "/").status, 200);
    program.wait_for_line("cannot connect to 127.0.0.1:");
}

#[test]
fn a_backend_that_does_not_respond_is_504() {
    let silent = Backend::start(Connection::drain);
    let program = Start::new().route("a.test", &silent).flags(&["--response-timeout", "100ms"]).run();
    let mut client = Client::connect(program.http());
    for _ in 0..2 {
        assert_eq!(client.get("a.test", "/").status, 504);
        // The backend connection is closed.
        silent.wait_for_end();
    }
}

#[test]
fn the_response_timeout_is_per_route_and_covers_only_the_head() {
    let slow = Backend::start(|connection| {
        connection.request().unwrap();
        connection.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
        // The rest is never sent.
        connection.drain();
    });
    let silent = Backend::start(Connection::drain);
    let route = |host: &str, backend: &Backend, rest: &str| {
        format!("[[routes]]\nhost = \"{host}\"\nupstream = [\"{}\"]\n{rest}\n", backend.address)
    };
    let short = "response_timeout = \"1s\"";
    let program = Start::new().config(&(route("a.test", &slow, short) + &route("b.test", &silent, short))).run();
    let mut waiting = Client::connect(program.http());
    waiting.send("GET / HTTP/1.1\r\nHost: a.test\r\n\r\n");
    assert_eq!(waiting.head().status, 200);
    assert_eq!(waiting.take(1), b"o");
    assert_eq!(Client::connect(program.http()).get("b.test", "/").status, 504);
    // Both the client connection and the backend connection are still open.
    assert!(slow.connections().iter().all(|record| !record.ended));
}
