//! Settings of middleware: access by address, headers, compression.

use std::net::IpAddr;

use http::HeaderMap;
use pmesh::settings::Route;

use crate::Start;

const ROUTE: &str = "[[routes]]\nhost = \"a.test\"\nupstream = \"a:1\"\n";

fn routes(file: &str) -> Vec<Route> {
    Start::new().file(file).loaded().settings.routes
}

/// Which of these clients the route allows.
fn allowed(route: &Route) -> Vec<&'static str> {
    let mut clients = vec!["10.0.0.1", "10.1.0.1", "192.0.2.1", "::1"];
    if let Some(filter) = &route.middleware.clients {
        clients.retain(|client| filter.allows(client.parse::<IpAddr>().expect("an address")));
    }
    clients
}

#[test]
fn a_child_replaces_lists_of_clients() {
    let routes = routes(
        r#"
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        allow = ["private", "192.0.2.0/24"]
        deny = "10.1.0.0/16"
        [[routes.routes]]
        prefix = "/own"
        allow = "::1"
        [[routes.routes]]
        prefix = "/denied"
        allow = false
        [[routes.routes]]
        prefix = "/all"
        allow = false
        deny = false
        "#,
    );
    let all: Vec<_> = routes.iter().map(allowed).collect();
    assert_eq!(all[0], ["10.0.0.1", "192.0.2.1", "::1"]);
    assert_eq!(all[1], ["::1"]);
    assert_eq!(all[2], ["10.0.0.1", "192.0.2.1", "::1"]);
    assert_eq!(all[3], ["10.0.0.1", "10.1.0.1", "192.0.2.1", "::1"]);
    assert!(routes[3].middleware.is_empty());
}

#[test]
fn ipv4_networks_may_be_written_as_ipv6() {
    let routes = routes(
        r#"
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        deny = ["::ffff:10.1.0.0/112", "::ffff:192.0.2.1"]
        [[routes]]
        host = "b.test"
        upstream = "a:1"
        allow = "::ffff:0:0/96"
        [[routes]]
        host = "c.test"
        upstream = "a:1"
        deny = "::/0"
        "#,
    );
    let all: Vec<_> = routes.iter().map(allowed).collect();
    assert_eq!(all[0], ["10.0.0.1", "::1"]);
    assert_eq!(all[1], ["10.0.0.1", "10.1.0.1", "192.0.2.1"]);
    assert_eq!(all[2], ["10.0.0.1", "10.1.0.1", "192.0.2.1"]);
}

#[test]
fn headers_merge_by_name_in_any_case() {
    let routes = routes(
        r#"
        [defaults]
        response_headers = { X-Frame-Options = "DENY", server = false }
        [[routes]]
        host = "a.test"
        upstream = "a:1"
        request_headers = { X-Team = "a", x-debug = false, x-tag = { add = "b" }, x-id = { default = "none" } }
        [[routes.routes]]
        prefix = "/child"
        request_headers = { x-team = "b" }
        response_headers = false
        "#,
    );
    let edited = |route: &Route| {
        let mut headers = HeaderMap::new();
        for name in ["x-team", "x-debug", "x-tag", "x-id"] {
            headers.insert(name, "client".parse().expect("a value"));
        }
        route.middleware.request_headers.apply(&mut headers);
        let mut all: Vec<_> =
            headers.iter().map(|(name, value)| format!("{name}={}", value.to_str().expect("text"))).collect();
        all.sort_unstable();
        all
    };
    assert_eq!(edited(&routes[0]), ["x-id=client", "x-tag=b", "x-tag=client", "x-team=a"]);
    assert_eq!(edited(&routes[1]), ["x-id=client", "x-tag=b", "x-tag=client", "x-team=b"]);
    assert!(routes[1].middleware.response_headers.is_empty());
    let names: Vec<_> = routes[0].middleware.response_headers.names().map(|name| name.as_str()).collect();
    assert_eq!(names, ["x-frame-options", "server"]);
}

#[test]
fn mistakes_say_what_to_write() {
    for (keys, expected) in [
        ("allow = []", "4: routes[0].allow: no address: name at least one; to let nobody in, write respond = 403"),
        ("deny = []", "4: routes[0].deny: no address: name at least one; to deny nobody, leave this out"),
        (
            "allow = [\"all\"]",
            "4: routes[0].allow[0]: expected an IP address, a network such as 10.0.0.0/8, or \"private\", found \"all\"",
        ),
        (
            "request_headers = [\"a: b\"]",
            "4: routes[0].request_headers: expected a table such as { x-team = \"a\", x-debug = false }, found a list",
        ),
        (
            "request_headers = { host = \"b\" }",
            "4: routes[0].request_headers.host: host cannot be changed: use host_header",
        ),
        (
            "request_headers = { x-pmesh-node = \"b\" }",
            "4: routes[0].request_headers.x-pmesh-node: x-pmesh-node cannot be changed: pmesh sets it itself",
        ),
        (
            "response_headers = { content-length = \"1\" }",
            "4: routes[0].response_headers.content-length: content-length cannot be changed: it belongs to the \
             connection, which pmesh manages",
        ),
        (
            "response_headers = { date = false }",
            "4: routes[0].response_headers.date: date cannot be changed: every response has one, with the time at which \
             it was created",
        ),
        (
            "response_headers = { Content-Encoding = \"gzip\" }",
            "4: routes[0].response_headers.Content-Encoding: content-encoding cannot be changed: it says how the body is \
             encoded; to have it compressed, write compress = true",
        ),
        (
            "request_headers = { X-A = \"1\", x-b = \"2\", x-a = \"3\" }",
            "4: routes[0].request_headers.x-a: this is the same header as X-A: leave one of them out",
        ),
        (
            "match = { headers = { X-A = \"1\", x-a = \"3\" } }",
            "4: routes[0].match.headers.x-a: this is the same header as X-A: leave one of them out",
        ),
        (
            "response_headers = { x-a = true }",
            "4: routes[0].response_headers.x-a: expected the value of a header, or false to remove it, found true",
        ),
        (
            "response_headers = { x-a = {} }",
            "4: routes[0].response_headers.x-a: write { add = \"value\" }, or { default = \"value\" } for a header \
             that is missing",
        ),
        (
            "response_headers = { x-a = { ad = \"b\" } }",
            "4: routes[0].response_headers.x-a.ad: unknown key; did you mean `add`?",
        ),
        (
            "response_headers = { \"x a\" = \"b\" }",
            "4: routes[0].response_headers.\"x a\": expected the name of a header, found \"x a\"",
        ),
        ("compress = \"gzip\"", "4: routes[0].compress: expected true or false, found \"gzip\""),
        ("gzip = true", "4: routes[0].gzip: unknown key: write compress = true"),
    ] {
        let file = format!("{ROUTE}{keys}\n");
        assert_eq!(Start::new().file(&file).error(), format!("[DIR]/config.toml:{expected}"), "{keys}");
    }
}

#[test]
fn check_shows_every_inherited_header() {
    let loaded = Start::new()
        .file(
            r#"
            [defaults]
            response_headers = { server = false, x-frame-options = "DENY", x-a = "1" }
            [[routes]]
            host = "a.test"
            upstream = "a:1"
            response_headers = { X-A = "2" }
            [[routes.routes]]
            prefix = "/child"
            "#,
        )
        .loaded();
    let shown: Vec<Vec<_>> = loaded
        .inherited()
        .iter()
        .map(|all| all.iter().filter(|one| one.key.starts_with("response_headers")))
        .map(|all| all.map(|one| format!("{} = {}", one.key, one.value)).collect())
        .collect();
    assert_eq!(shown[0], ["response_headers.server = false", "response_headers.x-frame-options = \"DENY\""]);
    assert_eq!(
        shown[1],
        [
            "response_headers.X-A = \"2\"",
            "response_headers.server = false",
            "response_headers.x-frame-options = \"DENY\"",
        ]
    );
}
