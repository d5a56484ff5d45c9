//! The site of docs/whole-site.md, which uses all middleware, for clients with HTTP/1.1 and HTTP/2, with and without TLS.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use super::answers::{Got, WAYS, Way, fetch};
use crate::support::{
    Backend, Client, Program, Start,
    backend::Refusing,
    jwt::{good, jwks},
    read::Request,
};

/// The client, as a proxy in front names it.
const VISITOR: &str = "192.0.2.1";
const COLLEAGUE: &str = "10.0.0.1";
const DENIED: &str = "203.0.113.9";

struct Site {
    program: Program,
    application: Backend,
    api: Backend,
    next: Backend,
}

impl Site {
    fn start() -> Self {
        let page = include_str!("../../docs/whole-site.md");
        let file = page.split_once("```toml\n").unwrap().1.split_once("\n```").unwrap().0;
        let long = || {
            format!(
                "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Type: text/plain\r\nContent-Length: 5000\r\n\r\n{}",
                "text ".repeat(1000)
            )
        };
        let application = Backend::start(move |connection| {
            while connection.request().is_some() {
                connection.send(long());
            }
        });
        let auth = Backend::start(|connection| {
            while let Some(request) = connection.request() {
                connection.send(if request.all("cookie") == ["session=1"] {
                    "HTTP/1.1 204 No Content\r\nRemote-User: bob\r\n\r\n"
                } else {
                    "HTTP/1.1 302 Found\r\nLocation: https://login.example.com/\r\nContent-Length: 0\r\n\r\n"
                });
            }
        });
        let (api, next) = (Backend::answering("api"), Backend::answering("next"));
        let start = Start::new();
        let home = start.home().to_owned();
        let mut file = format!("trusted_proxies = [\"127.0.0.1\"]\n{file}\n");
        for (written, there) in [
            // With the quotes, because an address that is put in can begin like one of the others.
            ("\"127.0.0.1:3000\"", format!("\"{}\"", application.address)),
            ("\"127.0.0.1:3001\"", format!("\"{}\"", Refusing::new().address())),
            ("\"127.0.0.1:3900\"", format!("\"{}\"", next.address)),
            ("\"127.0.0.1:4000\"", format!("\"{}\"", api.address)),
            ("127.0.0.1:9091", auth.address.to_string()),
            ("/srv/example/assets", home.join("assets").display().to_string()),
            ("/run/example/maintenance.html", home.join("maintenance.html").display().to_string()),
            ("https://login.example.com/keys.json", "keys.json".to_owned()),
            // So that a slow test meets the limit, too.
            ("requests = 100, per = \"1s\"", "requests = 1, per = \"1h\"".to_owned()),
            ("percent = 10", "percent = 100".to_owned()),
        ] {
            assert_eq!(file.matches(written).count(), 1, "{written}");
            file = file.replace(written, &there);
        }
        // The API has no endpoint that is down.
        file.push_str(&format!(
            "[[routes.routes]]\nprefix = \"/broken\"\nupstream = \"{}\"\n",
            Refusing::new().address()
        ));
        fs::create_dir(home.join("assets")).unwrap();
        for (name, text) in [("assets/app.js", "run()"), ("assets/.env", "secret"), ("down.html", "sorry")] {
            fs::write(home.join(name), text).unwrap();
        }
        fs::write(home.join("keys.json"), jwks()).unwrap();
        let program = start.flags(&["--http-h2c", "silent"]).config(&file).run();
        Self { program, application, api, next }
    }

    fn get(&self, way: Way, client: &str, url: &str, headers: &[(&str, &str)]) -> Got {
        self.send("GET", way, client, url, headers)
    }

    fn send(&self, method: &str, way: Way, client: &str, url: &str, headers: &[(&str, &str)]) -> Got {
        let proxy = [("x-forwarded-for", client), ("x-forwarded-proto", "https")];
        fetch(&self.program, way, method, url, &[&proxy, headers].concat()).unwrap()
    }
}

#[test]
fn each_part_has_its_effect() {
    let site = Site::start();
    let (name, password) = ("authorization", "Basic YWxpY2U6c2VjcmV0");
    let token = format!("Bearer {}", good("ES256"));
    let token = ("authorization", &*token);
    for (number, way) in WAYS.into_iter().enumerate() {
        let asked = site.application.requests().len();
        let to = |place: &str| format!("example.com{place}?{way:?}");

        // redirect_https
        let got = fetch(&site.program, way, "GET", &to("/a"), &[]).unwrap();
        assert_eq!(got.status, if matches!(way, Way::Http | Way::H2c) { 308 } else { 200 }, "{way:?}");

        // response_headers, hsts, compress, request_headers
        let got =
            site.get(way, VISITOR, &to("/"), &[("accept-encoding", "gzip"), ("x-debug", "1"), ("remote-user", "root")]);
        assert_eq!(got.status, 200, "{way:?}");
        assert_eq!(got.header("strict-transport-security"), ["max-age=31536000"]);
        assert_eq!(got.header("x-content-type-options"), ["nosniff"]);
        assert!(got.header("server").is_empty());
        assert_eq!(got.header("content-encoding"), ["gzip"]);
        let seen = request(&site.application, &format!("/?{way:?}"));
        assert_eq!((seen.all("x-site"), seen.all("x-debug").len()), (vec!["main"], 0));
        assert!(seen.all("remote-user").is_empty());

        // deny, files, rewrite
        assert_eq!(site.get(way, DENIED, "example.com/", &[]).status, 403, "{way:?}");
        assert_eq!(site.get(way, VISITOR, "example.com/assets/app.js", &[]).body, "run()", "{way:?}");
        assert_eq!(site.get(way, VISITOR, "example.com/assets/.env", &[]).status, 404, "{way:?}");
        assert_eq!(site.get(way, VISITOR, &to("/blog/17"), &[]).status, 200, "{way:?}");
        request(&site.application, &format!("/posts/17?{way:?}"));

        // allow, basic_auth
        assert_eq!(site.get(way, VISITOR, &to("/staff"), &[(name, password)]).status, 403, "{way:?}");
        assert_eq!(site.get(way, COLLEAGUE, &to("/staff"), &[]).status, 401, "{way:?}");
        assert_eq!(site.get(way, COLLEAGUE, &to("/staff"), &[(name, password), ("remote_user", "root")]).status, 200);
        let seen = request(&site.application, &format!("/staff?{way:?}"));
        assert_eq!((seen.all("remote-user"), seen.all("remote_user").len()), (vec!["alice"], 0), "{way:?}");

        // forward_auth
        let got = site.get(way, VISITOR, &to("/account"), &[]);
        assert_eq!((got.status, got.header("location")), (302, vec!["https://login.example.com/"]), "{way:?}");
        let headers = [("cookie", "session=1"), ("remote-user", "root")];
        assert_eq!(site.get(way, VISITOR, &to("/account"), &headers).status, 200, "{way:?}");
        let seen = request(&site.application, &format!("/account?{way:?}"));
        assert_eq!(seen.all("remote-user"), ["bob"], "{way:?}");

        // jwt, add_prefix, cors, error_pages
        let api = |path: &str| format!("api.example.com{path}?{way:?}");
        let client = format!("198.51.100.{number}");
        assert_eq!(site.get(way, &client, &api("/users"), &[]).status, 401, "{way:?}");
        let headers = [token, ("origin", "https://example.com"), ("x-user", "root")];
        let got = site.get(way, &client, &api("/users"), &headers);
        assert_eq!((got.status, &*got.body), (200, "api"), "{way:?}");
        assert_eq!(got.header("access-control-allow-origin"), ["https://example.com"], "{way:?}");
        let seen = request(&site.api, &format!("/v1/users?{way:?}"));
        assert_eq!(seen.all("x-user").len(), 1, "{way:?}");
        assert_ne!(seen.all("x-user"), ["root"], "{way:?}");
        let preflight = [("origin", "https://example.com"), ("access-control-request-method", "PUT")];
        let got = site.send("OPTIONS", way, &client, &api("/users"), &preflight);
        assert_eq!((got.status, got.header("access-control-allow-methods").len()), (200, 1), "{way:?}");
        let got = site.get(way, &client, &api("/broken"), &[token]);
        assert_eq!((got.status, &*got.body), (502, "sorry"), "{way:?}");

        // rate_limit: each client has a burst of 20.
        let client = format!("198.51.100.10{number}");
        let statuses: Vec<_> = (0..21).map(|_| site.get(way, &client, &api("/users"), &[]).status).collect();
        assert_eq!(statuses, [vec![401; 20], vec![429]].concat(), "{way:?}");

        // What was rejected reached no backend.
        assert_eq!(site.application.requests().len() - asked, if matches!(way, Way::Http | Way::H2c) { 4 } else { 5 });
    }

    // buffer: a chunked body arrives with its length.
    let mut client = Client::connect(site.program.http());
    client.send(format!(
        "POST /form HTTP/1.1\r\nHost: example.com\r\nX-Forwarded-For: {VISITOR}\r\nX-Forwarded-Proto: https\r\n\
         Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n0\r\n\r\n"
    ));
    assert_eq!(client.response().status, 200);
    let seen = site.application.requests().into_iter().find(|request| request.target == "/form").unwrap();
    assert_eq!((seen.field("content-length"), &*seen.body), ("4", &b"body"[..]));

    // mirror: the next version gets what the application gets.
    wait_until("the mirror has the request", || site.next.requests().iter().any(|request| request.target == "/form"));
    assert!(site.next.requests().iter().all(|request| !request.target.starts_with("/assets")));

    // maintenance
    fs::write(site.program.home().join("maintenance.html"), "back soon").unwrap();
    wait_until("maintenance has begun", || site.get(Way::Https, VISITOR, "example.com/", &[]).status == 503);
    assert_eq!(site.get(Way::Http2, VISITOR, "api.example.com/", &[token]).body, "back soon");
}

/// The request that a backend got with this target.
#[track_caller]
fn request(backend: &Backend, target: &str) -> Request {
    let all = backend.requests();
    all.into_iter().find(|request| request.target == target).unwrap_or_else(|| panic!("no request for {target}"))
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(20), "waited in vain: {what}");
        thread::sleep(Duration::from_millis(50));
    }
}
