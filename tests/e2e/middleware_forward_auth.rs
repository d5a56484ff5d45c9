//! `forward_auth` for clients with HTTP/1.1 and HTTP/2, with and without TLS.

use std::{fs, process::Command};

use http::header::SET_COOKIE;

use super::{
    answers::{Got, WAYS, Way, fetch, start, upstream},
    loops::{Address, relay},
    upgrades::{exchange_messages, websocket_echo},
};
use crate::support::{
    Backend, Client, Program, Start,
    backend::{BlackHole, Refusing, ok},
    program::PROGRAM,
};

const HOST: &str = "example.com";
/// The cookie of a session of alice.
const ALICE: (&str, &str) = ("cookie", "session=alice");
/// The cookie of a session without a user.
const NOBODY: (&str, &str) = ("cookie", "session=nobody");

/// An authentication server: it knows two sessions, and asks all others to log in.
fn auth_server() -> Backend {
    Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let answer = if request.all("cookie").contains(&ALICE.1) {
                "200 OK\r\nRemote-User: alice\r\nRemote-Groups: admins\r\nRemote-Groups: users\r\nSet-Cookie: a=renewed\r\n\
                 Set-Cookie: b=2; HttpOnly\r\nX-Other: 1\r\nContent-Length: 2\r\n\r\nOK"
            } else if request.all("cookie").contains(&NOBODY.1) {
                "204 No Content\r\nRemote-Groups: guests\r\n\r\n"
            } else if request.field("x-forwarded-uri").starts_with("/api") {
                "401 Unauthorized\r\nWWW-Authenticate: Bearer\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
            } else {
                "302 Found\r\nLocation: /login?rd=%2F\r\nSet-Cookie: csrf=1\r\nContent-Length: 5\r\n\r\nlogin"
            };
            // GET, so that all of it is sent.
            connection.send(format!("HTTP/1.1 {answer}"));
        }
    })
}

fn forward_auth(server: impl std::fmt::Display) -> String {
    format!(
        "forward_auth = {{ url = \"http://{server}/verify?a=b\", copy_headers = [\"remote-user\", \"Remote-Groups\"] }}\n"
    )
}

/// A route to `backend` that asks `server`.
fn route(backend: &Backend, server: &Backend) -> String {
    format!("[[routes]]\nhost = \"{HOST}\"\n{}{}", upstream(backend), forward_auth(server.address))
}

fn get(program: &Program, way: Way, path: &str, headers: &[(&str, &str)]) -> Got {
    fetch(program, way, "GET", &format!("{HOST}{path}"), headers).unwrap()
}

#[test]
fn the_server_decides_who_gets_in() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    let config = route(&backend, &server)
        + "response_headers = { x-frame-options = \"DENY\" }\n\
           [[routes.routes]]\nprefix = \"/open\"\nforward_auth = false\n\
           [[routes.routes]]\nprefix = \"/fixed\"\nrespond = 204\n\
           [[routes.routes]]\nprefix = \"/moved\"\nredirect = \"/\"\n";
    let program = start(&config);
    for way in WAYS {
        for (path, headers, status, body) in [
            ("/", &[ALICE][..], 200, "hello"),
            ("/", &[NOBODY], 200, "hello"),
            ("/", &[], 302, "login"),
            ("/", &[("cookie", "session=mallory")], 302, "login"),
            ("/api", &[], 401, "{}"),
            ("/open", &[], 200, "hello"),
            ("/fixed", &[], 302, "login"),
            ("/fixed", &[ALICE], 204, ""),
            ("/moved", &[], 302, "login"),
            ("/moved", &[ALICE], 308, ""),
        ] {
            let got = get(&program, way, path, headers);
            assert_eq!((got.status, &*got.body), (status, body), "{way:?} {path} {headers:?}");
            assert_eq!(got.header("x-frame-options"), ["DENY"], "{way:?} {path}");
            let (location, cookies): (&[&str], &[&str]) = match status {
                302 => (&["/login?rd=%2F"], &["csrf=1"]),
                308 => (&["/"], &["a=renewed", "b=2; HttpOnly"]),
                _ if headers.contains(&ALICE) => (&[], &["a=renewed", "b=2; HttpOnly"]),
                _ => (&[], &[]),
            };
            assert_eq!(
                (&got.header("location")[..], &got.header("set-cookie")[..]),
                (location, cookies),
                "{way:?} {path}"
            );
            let challenge: &[&str] = if status == 401 { &["Bearer"] } else { &[] };
            assert_eq!(got.header("www-authenticate"), challenge, "{way:?} {path}");
            assert!(got.header("x-other").is_empty() && got.header("remote-user").is_empty());
        }
        let got = fetch(&program, way, "HEAD", &format!("{HOST}/"), &[]).unwrap();
        assert_eq!((got.status, &*got.body, got.header("content-length")), (302, "", vec!["5"]), "{way:?}");
    }
    assert_eq!(backend.requests().len(), 3 * WAYS.len());
    // The server is asked about each request.
    assert_eq!(server.requests().len(), 10 * WAYS.len());
}

#[test]
fn the_server_learns_what_is_asked_for() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    let program = start(&(route(&backend, &server) + "strip_prefix = true\nprefix = \"/app\"\n"));
    let claims = [
        ALICE,
        ("authorization", "Bearer 1"),
        ("accept", "text/html"),
        ("content-type", "text/plain"),
        ("if-none-match", "\"1\""),
        ("range", "bytes=0-1"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-uri", "/open"),
        ("x_forwarded_uri", "/open"),
        ("x-forwarded-for", "192.0.2.1"),
        ("x-forwarded-host", "open.test"),
        ("x-original-uri", "/open"),
        ("x-original-url", "https://open.test/open"),
        ("x_original_url", "https://open.test/open"),
    ];
    for way in WAYS {
        assert_eq!(fetch(&program, way, "POST", &format!("{HOST}/app/a?b=%2F&{way:?}"), &claims).unwrap().status, 200);
    }
    let questions = server.requests();
    assert_eq!(questions.len(), WAYS.len());
    for way in WAYS {
        let path = format!("/app/a?b=%2F&{way:?}");
        let question = questions.iter().find(|question| question.field("x-forwarded-uri") == path).unwrap();
        let scheme = if matches!(way, Way::Https | Way::Http2) { "https" } else { "http" };
        assert_eq!((&*question.method, &*question.target), ("GET", "/verify?a=b"), "{way:?}");
        let address = server.address.to_string();
        let url = format!("{scheme}://{HOST}{path}");
        for (name, expected) in [
            ("host", &*address),
            ("cookie", ALICE.1),
            ("authorization", "Bearer 1"),
            ("accept", "text/html"),
            ("x-forwarded-method", "POST"),
            ("x-forwarded-proto", scheme),
            ("x-forwarded-host", HOST),
            ("x-forwarded-for", "127.0.0.1"),
            ("x-original-method", "POST"),
            ("x-original-url", &url),
        ] {
            assert_eq!(question.all(name), [expected], "{way:?} {name}");
        }
        for name in [
            "content-length",
            "content-type",
            "transfer-encoding",
            "if-none-match",
            "range",
            "x-original-uri",
            "x_original_url",
            "x_forwarded_uri",
        ] {
            assert!(question.all(name).is_empty(), "{way:?} {name}");
        }
        assert!(question.body.is_empty());
    }
    // Source addresses for connections to loopback, as for upstreams.
    assert!(server.connections().iter().all(|record| record.peer.ip().to_string().starts_with("127.2.")));
    for request in backend.requests() {
        assert!(request.target.starts_with("/a?b=%2F&") && request.body == b"body", "{request:?}");
        assert_eq!(request.all("if-none-match"), ["\"1\""]);
    }
}

#[test]
fn headers_about_the_user_never_come_from_the_client() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    let program = start(&route(&backend, &server));
    let forged = [
        ("remote-user", "root"),
        ("Remote-User", "admin"),
        ("remote_user", "root"),
        ("remote-groups", "root"),
        ("Remote_Groups", "root"),
        ("remote_groups", "root"),
        ("x-other", "2"),
    ];
    for way in WAYS {
        for session in [ALICE, NOBODY] {
            assert_eq!(get(&program, way, "/", &[&forged[..], &[session]].concat()).status, 200, "{way:?}");
        }
    }
    let requests = backend.requests();
    assert_eq!(requests.len(), 2 * WAYS.len());
    for request in requests {
        let is_alice = request.all("cookie") == [ALICE.1];
        assert_eq!(request.all("remote-user"), if is_alice { &["alice"][..] } else { &[] });
        assert_eq!(request.all("remote-groups"), if is_alice { &["admins", "users"][..] } else { &["guests"] });
        assert!(request.all("remote_user").is_empty() && request.all("remote_groups").is_empty());
        assert_eq!(request.all("x-other"), ["2"]);
    }
}

#[test]
fn trailers_do_not_name_a_user() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    let program = start(&route(&backend, &server));
    let mut client = Client::connect(program.http());
    client.send(format!(
        "POST / HTTP/1.1\r\nHost: {HOST}\r\nCookie: {}\r\nTransfer-Encoding: chunked\r\n\
         Trailer: remote-user, remote_user, x-sum\r\n\r\n\
         4\r\nbody\r\n0\r\nRemote-User: root\r\nremote_user: root\r\nRemote-Groups: root\r\nx-sum: 1\r\n\r\n",
        ALICE.1
    ));
    assert_eq!(client.response().text(), "hello");
    let request = backend.request();
    assert_eq!((&request.body[..], request.all("remote-user")), (&b"body"[..], vec!["alice"]));
    assert_eq!(request.trailers.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["x-sum"]);
    assert!(server.request().trailers.is_empty());
}

#[test]
fn without_an_answer_nobody_gets_in() {
    let (backend, refusing, hole) = (Backend::answering("hello"), Refusing::new(), BlackHole::new());
    let slow = Backend::start(|connection| {
        connection.request();
        connection.drain();
    });
    let broken = Backend::start(|connection| {
        connection.request();
        connection.send("nonsense\r\n\r\n");
    });
    let switching = Backend::start(|connection| {
        connection.request();
        connection.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
        connection.drain();
    });
    let child = |name: &str, server: String, timeout: &str| {
        let auth = format!("{{ url = \"http://{server}/\", timeout = \"{timeout}\" }}");
        format!("[[routes.routes]]\nprefix = \"/{name}\"\nforward_auth = {auth}\n")
    };
    let page = Start::new();
    fs::write(page.home().join("down.html"), "sorry").unwrap();
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}error_pages = {{ 502 = \"down.html\" }}\n{}{}{}{}{}",
        upstream(&backend),
        child("refusing", refusing.address().to_string(), "60s"),
        child("hole", hole.address().to_string(), "200ms"),
        child("slow", slow.address.to_string(), "200ms"),
        child("broken", broken.address.to_string(), "60s"),
        child("switching", switching.address.to_string(), "60s"),
    );
    let program = page.flags(&["--http-h2c", "silent"]).config(&config).run();
    for way in WAYS {
        for (path, status) in
            [("/refusing", 502), ("/hole", 504), ("/slow", 504), ("/broken", 502), ("/switching", 502)]
        {
            let got = get(&program, way, path, &[ALICE]);
            assert_eq!(got.status, status, "{way:?} {path}");
            assert_eq!(got.body == "sorry", status == 502, "{way:?} {path} {}", got.body);
        }
    }
    assert!(backend.connections().is_empty());
    let failures =
        |address: String| program.log().iter().filter(|line| line.contains("WARN") && line.contains(&address)).count();
    // One line for each change of its state.
    program.wait_for_line("endpoint failed");
    assert_eq!(failures(refusing.address().to_string()), 1);
}

#[test]
fn the_body_is_not_read_before_the_answer() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    let program = start(&route(&backend, &server));
    let post = |cookie: &str| {
        format!("POST / HTTP/1.1\r\nHost: {HOST}\r\n{cookie}Expect: 100-continue\r\nContent-Length: 4\r\n\r\n")
    };
    let mut client = Client::connect(program.http());
    client.send(post(""));
    assert_eq!(client.head().status, 302);
    let mut client = Client::connect(program.http());
    client.send(post(&format!("Cookie: {}\r\n", ALICE.1)));
    assert_eq!(client.head().status, 100);
    client.send("body");
    assert_eq!(client.response().text(), "hello");
    assert!(server.requests().iter().all(|question| question.all("expect").is_empty()));
    assert_eq!(backend.request().body, b"body");
}

#[test]
fn a_websocket_is_opened_after_the_answer() {
    let (backend, server) = (websocket_echo(), auth_server());
    let program = start(&route(&backend, &server));
    let open = |cookie: &str| {
        let request = http::Request::get(format!("ws://{HOST}/chat"))
            .header("host", HOST)
            .header("connection", "upgrade")
            .header("upgrade", "websocket")
            .header("sec-websocket-version", "13")
            .header("sec-websocket-key", tungstenite::handshake::client::generate_key())
            .header("cookie", cookie);
        tungstenite::client(request.body(()).unwrap(), Client::connect(program.http()).stream).ok()
    };
    assert!(open("").is_none());
    let (socket, response) = open(ALICE.1).unwrap();
    assert_eq!(response.headers().get_all(SET_COOKIE).iter().collect::<Vec<_>>(), ["a=renewed", "b=2; HttpOnly"]);
    exchange_messages(socket);
    assert_eq!(backend.connections().len(), 1);
    for question in server.requests() {
        assert!(question.all("upgrade").is_empty() && question.all("connection").is_empty());
        assert_eq!((question.field("x-forwarded-method"), question.field("x-forwarded-uri")), ("GET", "/chat"));
    }
}

#[test]
fn cookies_of_the_server_arrive_with_errors_too() {
    let (refusing, server) = (Refusing::new(), auth_server());
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\nupstream = \"{}\"\n{}",
        refusing.address(),
        forward_auth(server.address)
    );
    let program = start(&config);
    for way in WAYS {
        let got = get(&program, way, "/", &[ALICE]);
        assert_eq!((got.status, got.header("set-cookie").len()), (502, 2), "{way:?}");
    }
}

#[test]
fn the_server_is_asked_after_cors_limits_and_passwords() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    // The password is "password".
    let config = route(&backend, &server)
        + "cors = { origins = [\"https://a.test\"] }\n\
           request_headers = { x-user = { default = \"none\" } }\n\
           [routes.basic_auth.users]\n\
           alice = \"$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4\"\n\
           [[routes.routes]]\nprefix = \"/limited\"\nbasic_auth = false\nrate_limit = { requests = 1, per = \"1h\" }\n\
           [[routes.routes]]\nprefix = \"/denied\"\ndeny = \"127.0.0.1\"\n";
    let password = ("authorization", "Basic YWxpY2U6cGFzc3dvcmQ=");
    let program = start(&config);
    let origin = ("origin", "https://a.test");
    let preflight = [origin, ("access-control-request-method", "PUT")];
    assert_eq!(fetch(&program, Way::Http, "OPTIONS", &format!("{HOST}/"), &preflight).unwrap().status, 200);
    assert_eq!(get(&program, Way::Http, "/", &[ALICE]).status, 401);
    assert_eq!(get(&program, Way::Http, "/denied", &[ALICE, password]).status, 403);
    assert!(server.connections().is_empty());
    // Pages can read the answers of the server.
    let got = get(&program, Way::Http, "/api", &[password, origin]);
    assert_eq!((got.status, got.header("access-control-allow-origin")), (401, vec!["https://a.test"]));
    assert_eq!(get(&program, Way::Http, "/limited", &[ALICE]).status, 200);
    assert_eq!(get(&program, Way::Http, "/limited", &[ALICE]).status, 429);
    assert_eq!(server.requests().len(), 2);
    let got = get(&program, Way::Http, "/", &[password, ALICE]);
    assert_eq!(got.status, 200);
    // The password is not for the server, but its name is, until the server names another one.
    let questions = server.requests();
    let question = questions.iter().find(|question| question.field("x-forwarded-uri") == "/").unwrap();
    assert!(question.all("authorization").is_empty());
    assert_eq!(question.all("remote-user"), ["alice"]);
}

#[test]
fn a_url_that_leads_back_gets_508() {
    let backend = Backend::answering("hello");
    let address = Address::default();
    let relay = relay(&address);
    let hosts = format!("[\"{HOST}\", \"{}\"]", relay.address.ip());
    let config = format!("[[routes]]\nhost = {hosts}\n{}{}", upstream(&backend), forward_auth(relay.address));
    let program = start(&config);
    address.set(program.http()).unwrap();
    assert_eq!(get(&program, Way::Http, "/", &[]).status, 508);
    assert!(backend.connections().is_empty());
    assert_eq!(relay.requests().len(), 5);
    program.wait_for_line("goes in circles");
}

#[test]
fn the_server_can_use_tls_or_a_socket() {
    let backend = Backend::answering("hello");
    // The server is behind another program.
    let server = auth_server();
    let inside = Start::new().route("localhost", &server).run();
    let start = Start::new().flags(&["--http-h2c", "silent"]);
    let output = Command::new(PROGRAM).arg("--home").arg(inside.home()).arg("ca").output().unwrap();
    fs::write(start.home().join("ca.pem"), output.stdout).unwrap();
    let port = inside.https().port();
    let child =
        |name: &str, auth: &str| format!("[[routes.routes]]\nprefix = \"/{name}\"\nforward_auth = {{ {auth} }}\n");
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("auth.sock");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            let mut client = Client::new(stream);
            while client.line().len() > 2 {}
            client.send(ok("yes"));
        }
    });
    let config = format!(
        "[[routes]]\nhost = \"{HOST}\"\n{}{}{}{}",
        upstream(&backend),
        child("https", &format!("url = \"https://localhost:{port}/verify\", tls = {{ ca = \"ca.pem\" }}")),
        child("untrusted", &format!("url = \"https://localhost:{port}/verify\"")),
        child("unix", &format!("url = \"unix:{}:/verify\"", socket.display())),
    );
    let program = start.config(&config).run();
    assert_eq!(get(&program, Way::Http, "/untrusted", &[ALICE]).status, 502);
    program.wait_for_line("set tls.ca");
    assert_eq!(get(&program, Way::Http, "/https", &[ALICE]).body, "hello");
    assert_eq!(get(&program, Way::Http, "/unix", &[]).body, "hello");
    assert_eq!((backend.requests().len(), server.requests().len()), (2, 1));
}

#[test]
fn explain_asks_nobody() {
    let (backend, server) = (Backend::answering("hello"), auth_server());
    let program = start(&route(&backend, &server));
    let url = format!("http://{HOST}:{}/", program.http().port());
    let mut command = Command::new(PROGRAM);
    let output = command.env_clear().args(["explain", "--live", "--home"]).arg(program.home()).arg(url).output();
    let text = String::from_utf8(output.unwrap().stdout).unwrap();
    let expected = format!("asks {} for /verify?a=b; assumed to let the request in", server.address);
    assert!(text.contains(&expected), "{text}");
    assert!(server.connections().is_empty() && backend.connections().is_empty());
}
