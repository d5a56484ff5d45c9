//! Which route a request matches.

use crate::support::{Client, Start};

/// Each route answers with its name, or redirects to it.
const FILE: &str = r#"
[[routes]]
host = "a.test"
respond.body = "root"
[[routes.routes]]
path = "/"
respond.body = "exact root"
[[routes.routes]]
path = ["/api", "/api/status", "/robots.txt"]
respond.body = "exact"
[[routes.routes]]
prefix = "/api"
respond.body = "api"
[[routes.routes]]
prefix = "/api/v1"
methods = ["GET", "PUT"]
respond.body = "v1"
[[routes.routes]]
prefix = ["/img", "/static/css"]
respond.body = "static"
[[routes.routes]]
prefix = "/static"
path_regex = "[.]png$"
respond.body = "png"
[[routes.routes]]
prefix = "/static"
path_regex = "^/static/[a-z]+[.]"
respond.body = "letters"
[[routes.routes]]
path_regex = "^/u/([0-9]+)$"
redirect = "/users/{1}"
[[routes.routes]]
path_regex = "[.]php$"
respond.body = "php"
[[routes.routes]]
prefix = "/events"
match.headers.accept = "text/event-stream"
respond.body = "events"
[[routes.routes]]
prefix = "/search"
match.query.debug = true
respond.body = "debug"
[[routes.routes]]
prefix = "/search"
match.query.q = "*cat*"
methods = "GET"
respond.body = "cats"
[[routes.routes]]
prefix = "/search"
methods = "GET"
respond.body = "search"
[[routes.routes]]
prefix = "/search"
respond.body = "other search"
[[routes.routes]]
prefix = "/inside"
match.clients = "private"
respond.body = "inside"
[[routes.routes]]
prefix = "/outside"
match.clients = "192.0.2.0/24"
respond.body = "outside"
[[routes.routes]]
prefix = "/ws"
match.upgrade = "websocket"
respond.body = "socket"
[[routes.routes]]
prefix = "/ws"
respond.body = "no socket"

[[routes]]
host = "*.a.test"
respond.body = "wildcard"
[[routes.routes]]
prefix = "/api"
respond.body = "wildcard api"
[[routes]]
host = "*.b.a.test"
respond.body = "longer wildcard"
[[routes]]
host = ["x.a.test", "y.a.test"]
prefix = "/only"
respond.body = "only"

[redirects]
"www.a.test" = "https://a.test"
"a.test/old/*" = "/new/{*}"
"a.test/feed" = { to = "/feed.xml", status = 301 }
"#;

#[test]
fn a_request_matches_the_most_specific_route() {
    let program = Start::new().workers(1).config(FILE).run();
    let mut count = 0;
    // "METHOD host/path", header lines that end in "\r\n", status, body or Location.
    for (request, headers, status, expected) in [
        // Exact paths before prefixes, longer prefixes first, in whole segments.
        ("GET a.test/", "", 200, "exact root"),
        ("GET a.test/?q", "", 200, "exact root"),
        ("POST a.test/", "", 200, "exact root"),
        ("GET a.test/x", "", 200, "root"),
        ("GET a.test/api", "", 200, "exact"),
        ("GET a.test/api?x=/api/v1", "", 200, "exact"),
        ("GET a.test/api/", "", 200, "api"),
        ("GET a.test/api/status", "", 200, "exact"),
        ("GET a.test/api/status/", "", 200, "api"),
        ("GET a.test/api/status/x", "", 200, "api"),
        ("GET a.test/api/x", "", 200, "api"),
        ("GET a.test/apis", "", 200, "root"),
        ("GET a.test/APIs", "", 200, "root"),
        ("GET a.test/robots.txt", "", 200, "exact"),
        ("GET a.test/robots.txt/", "", 200, "root"),
        ("GET a.test/img", "", 200, "static"),
        ("GET a.test/img/x.png", "", 200, "static"),
        ("GET a.test/static/css/x.png", "", 200, "static"),
        // A method that is not allowed does not fall through to a shorter prefix.
        ("GET a.test/api/v1", "", 200, "v1"),
        ("PUT a.test/api/v1/x", "", 200, "v1"),
        ("POST a.test/api/v1/x", "", 405, "405 Method Not Allowed\n"),
        ("DELETE a.test/api/v1", "", 405, "405 Method Not Allowed\n"),
        ("POST a.test/api/v10", "", 200, "api"),
        // Regular expressions in the order of the file, before their own prefix and after longer ones.
        ("GET a.test/static/a.png", "", 200, "png"),
        ("GET a.test/static/a.css", "", 200, "letters"),
        ("GET a.test/static/1.css", "", 200, "root"),
        ("GET a.test/static", "", 200, "root"),
        ("GET a.test/a.png", "", 200, "root"),
        ("GET a.test/u/17", "", 308, "/users/17"),
        ("GET a.test/u/17?x=y", "", 308, "/users/17"),
        ("GET a.test/u/x", "", 200, "root"),
        ("GET a.test/u/17/", "", 200, "root"),
        ("GET a.test/index.php", "", 200, "php"),
        ("GET a.test/api/index.php", "", 200, "api"),
        ("GET a.test/static/x.php", "", 200, "letters"),
        // Conditions choose among the routes of the path.
        ("GET a.test/events", "Accept: text/event-stream\r\n", 200, "events"),
        ("GET a.test/events/x", "Accept: text/html, text/event-stream;q=0.5\r\n", 200, "events"),
        ("GET a.test/events", "Accept: text/html\r\n", 404, "404 Not Found\n"),
        ("GET a.test/events", "", 404, "404 Not Found\n"),
        ("GET a.test/eventsource", "", 200, "root"),
        ("GET a.test/search", "", 200, "search"),
        ("GET a.test/search?q=dog", "", 200, "search"),
        ("GET a.test/search?q=cats", "", 200, "cats"),
        ("GET a.test/search?q=a+cat", "", 200, "cats"),
        ("GET a.test/search?q=%63at", "", 200, "cats"),
        ("GET a.test/search?debug", "", 200, "debug"),
        ("POST a.test/search?debug=1", "", 200, "debug"),
        ("GET a.test/search?debug&q=cat", "", 200, "debug"),
        ("POST a.test/search?q=cat", "", 200, "other search"),
        ("GET a.test/inside", "", 200, "inside"),
        ("GET a.test/outside", "", 404, "404 Not Found\n"),
        ("GET a.test/ws", "Connection: Upgrade\r\nUpgrade: WebSocket\r\n", 200, "socket"),
        ("GET a.test/ws", "Connection: Upgrade\r\nUpgrade: h2c\r\n", 200, "no socket"),
        ("GET a.test/ws", "Upgrade: websocket\r\n", 200, "no socket"),
        // Exact hosts before wildcards, longer wildcards first. A wildcard helps out only if the host has no route for
        // the path.
        ("GET A.test./x", "", 200, "root"),
        ("GET z.a.test/", "", 200, "wildcard"),
        ("GET z.a.test/api/x", "", 200, "wildcard api"),
        ("GET z.b.a.test/api", "", 200, "longer wildcard"),
        ("GET b.a.test/", "", 200, "wildcard"),
        ("GET x.a.test/only/x", "", 200, "only"),
        ("GET y.a.test/only", "", 200, "only"),
        ("GET x.a.test/other", "", 200, "wildcard"),
        ("GET x.a.test/api", "", 200, "wildcard api"),
        // Redirects are routes.
        ("GET www.a.test/x?y", "", 308, "https://a.test/x?y"),
        ("GET a.test/old/x?y", "", 308, "/new/x?y"),
        ("GET a.test/older", "", 200, "root"),
        ("GET a.test/feed", "", 301, "/feed.xml"),
        ("GET a.test/feed/", "", 200, "root"),
        // Paths that a backend might read as the path of another route are rejected.
        ("GET a.test//api", "", 400, "400 Bad Request\n"),
        ("GET a.test/x/../robots.txt", "", 400, "400 Bad Request\n"),
        ("GET a.test/%75/17", "", 400, "400 Bad Request\n"),
        ("GET a.test/index.php;x", "", 400, "400 Bad Request\n"),
        ("GET a.test/API", "", 400, "400 Bad Request\n"),
        ("GET a.test/api/V1/x", "", 400, "400 Bad Request\n"),
        ("GET a.test/index.PHP", "", 400, "400 Bad Request\n"),
        ("GET z.a.test/Api", "", 400, "400 Bad Request\n"),
        ("GET x.a.test/API", "", 400, "400 Bad Request\n"),
    ] {
        let (method, target) = request.split_once(' ').unwrap();
        let (host, path) = target.split_at(target.find('/').unwrap());
        // Some responses end the connection.
        let mut client = Client::connect(program.http());
        client.send(format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: 0\r\n\r\n"));
        let response = client.response();
        let answer = response.field("location").unwrap_or(response.text());
        assert_eq!((response.status, answer), (status, expected), "{request} {headers}");
        if status == 405 {
            assert_eq!(response.field("allow"), Some("GET, HEAD, PUT"), "{request}");
        }
        count += 1;
    }
    assert!(count >= 60, "{count}");
}
