//! `pmesh explain URL` predicts what happens on the wire.

use std::{
    io::{Read, Write},
    net::{IpAddr, SocketAddr, TcpStream},
    process::Command,
};

use rustls::{ClientConnection, StreamOwned};
use serde_json::Value;
use socket2::{Domain, Socket, Type};

use crate::support::{
    Backend, Client, PATIENCE, Program, Start, assert_none, client::Response, program::PROGRAM, tls::Tls,
};

/// `alice:secret`
const RIGHT: &str = "Authorization: Basic YWxpY2U6c2VjcmV0";
/// `alice:wrong`
const WRONG: &str = "Authorization: Basic YWxpY2U6d3Jvbmc=";

/// A request and its outcome.
struct Case {
    url: &'static str,
    method: &'static str,
    headers: &'static [&'static str],
    from: &'static str,
    sni: Option<&'static str>,
    end: &'static str,
}

const fn get(url: &'static str, end: &'static str) -> Case {
    Case { url, method: "GET", headers: &[], from: "127.0.0.9", sni: None, end }
}

const CASES: &[Case] = &[
    // Hosts.
    get("http://nobody.test:HTTP/", "silence"),
    get("https://nobody.test:HTTPS/", "silence"),
    get("http://127.0.0.1:HTTP/", "silence"),
    get("https://127.0.0.1:HTTPS/", "silence"),
    get("http://only-tls.test:HTTP/", "silence"),
    get("https://only-tls.test:HTTPS/", "root gets GET / for only-tls.test:HTTPS"),
    get("http://app.test:HTTP/", "root gets GET / for app.test:HTTP"),
    get("https://APP.test.:HTTPS/a?b=c", "root gets GET /a?b=c for APP.test.:HTTPS"),
    get("http://[2001:db8::1]:HTTP/", "root gets GET / for [2001:db8::1]:HTTP"),
    get("http://[2001:DB8:0::1]:HTTP", "root gets GET / for [2001:DB8:0::1]:HTTP"),
    Case { headers: &["Host: app.test"], ..get("http://nobody.test:HTTP/", "root gets GET / for app.test") },
    Case { headers: &["Host: a.test", "Host: app.test"], ..get("http://app.test:HTTP/", "silence") },
    Case { headers: &["Host: a,b"], ..get("http://app.test:HTTP/", "silence") },
    Case { headers: &["Host: a,b"], ..get("https://app.test:HTTPS/", "400") },
    Case { headers: &["Host: nobody.test"], ..get("https://app.test:HTTPS/", "silence") },
    Case { sni: Some("only-tls.test"), ..get("https://app.test:HTTPS/", "421") },
    Case { sni: Some("nobody.test"), ..get("https://app.test:HTTPS/", "silence") },
    // Paths.
    get("http://app.test:HTTP/api/x?y", "api gets GET /x?y for app.test:HTTP"),
    get("http://app.test:HTTP/api", "api gets GET / for app.test:HTTP"),
    get("http://app.test:HTTP/apis", "root gets GET /apis for app.test:HTTP"),
    get("http://app.test:HTTP/u/7", "users gets GET /u/7 for app.test:HTTP"),
    get("http://app.test:HTTP/u/seven", "root gets GET /u/seven for app.test:HTTP"),
    get("http://app.test:HTTP/login", "405, Allow POST"),
    Case { method: "POST", ..get("http://app.test:HTTP/login", "login gets POST /login for backend.internal") },
    get("http://app.test:HTTP/login/", "root gets GET /login/ for app.test:HTTP"),
    get("http://app.test:HTTP/x/..%2fapi", "400"),
    get("http://app.test:HTTP/api/..%2f", "400"),
    get("http://app.test:HTTP/Api/x", "400"),
    get("http://app.test:HTTP/x/API", "root gets GET /x/API for app.test:HTTP"),
    get("http://paths.test:HTTP/old/x?y", "root gets GET /v1/new/x?y for paths.test:HTTP"),
    get("http://paths.test:HTTP/old/%2e%2e/x", "400"),
    get("http://paths.test:HTTP/new/x?y", "root gets GET /x?y for paths.test:HTTP"),
    get("http://app.test:HTTP/x%2fy", "root gets GET /x%2fy for app.test:HTTP"),
    Case { method: "TRACE", ..get("http://app.test:HTTP/", "405, Allow GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH") },
    get("http://paths.test:HTTP/", "404"),
    get("http://paths.test:HTTP/only/this", "root gets GET /only/this for paths.test:HTTP"),
    get("http://b.wild.test:HTTP/", "wild gets GET / for b.wild.test:HTTP"),
    get("http://wild.test:HTTP/", "silence"),
    get("http://a.wild.test:HTTP/", "wild gets GET / for a.wild.test:HTTP"),
    get("http://a.wild.test:HTTP/x", "root gets GET /x for a.wild.test:HTTP"),
    // Conditions.
    get("http://app.test:HTTP/events", "404"),
    Case {
        headers: &["Accept: text/event-stream;q=0.9"],
        ..get("http://app.test:HTTP/events", "users gets GET /events for app.test:HTTP")
    },
    get("http://app.test:HTTP/q?v=2", "users gets GET /q?v=2 for app.test:HTTP"),
    get("http://app.test:HTTP/q?v=3", "root gets GET /q?v=3 for app.test:HTTP"),
    Case { from: "127.0.0.5", ..get("http://app.test:HTTP/inside", "users gets GET /inside for app.test:HTTP") },
    get("http://app.test:HTTP/inside", "404"),
    // Middleware.
    get("http://app.test:HTTP/admin/x", "403"),
    Case { from: "127.0.0.5", ..get("http://app.test:HTTP/admin/x", "root gets GET /admin/x for app.test:HTTP") },
    Case {
        from: "127.0.0.77",
        headers: &["X-Forwarded-For: 127.0.0.5"],
        ..get("http://app.test:HTTP/admin/x", "root gets GET /admin/x for app.test:HTTP")
    },
    Case {
        from: "127.0.0.5",
        headers: &["X-Forwarded-For: 127.0.0.9"],
        ..get("http://app.test:HTTP/admin/x", "root gets GET /admin/x for app.test:HTTP")
    },
    get("http://app.test:HTTP/down", "503"),
    get("http://app.test:HTTP/up", "root gets GET /up for app.test:HTTP"),
    get("http://app.test:HTTP/secret", "401"),
    Case { headers: &[WRONG], ..get("http://app.test:HTTP/secret", "401") },
    Case { headers: &[RIGHT], ..get("http://app.test:HTTP/secret", "root gets GET /secret for app.test:HTTP") },
    Case {
        method: "OPTIONS",
        headers: &["Origin: https://page.test", "Access-Control-Request-Method: GET"],
        ..get("http://app.test:HTTP/cors", "200")
    },
    Case {
        headers: &["Origin: https://page.test"],
        ..get("http://app.test:HTTP/cors", "root gets GET /cors for app.test:HTTP")
    },
    get("http://app.test:HTTP/old/a?b", "root gets GET /v1/new/a?b for app.test:HTTP"),
    get("http://app.test:HTTP/old", "root gets GET /v1/old for app.test:HTTP"),
    get("http://app.test:HTTP/old/..%2fx", "400"),
    get("http://app.test:HTTP/asked", "root gets GET /asked for app.test:HTTP"),
    get("http://app.test:HTTP/copied", "root gets GET /copied for app.test:HTTP"),
    get("http://files.test:HTTP/down.html", "200"),
    get("http://files.test:HTTP/none.html", "404"),
    get("http://files.test:HTTP/both/down.html", "200"),
    get("http://files.test:HTTP/both/none.html", "root gets GET /none.html for files.test:HTTP"),
    Case { headers: &["Range: bytes=0-1"], ..get("http://files.test:HTTP/down.html", "206") },
    // The length alone decides, before any body.
    Case { method: "POST", headers: &["Content-Length: 2000"], ..get("http://app.test:HTTP/small", "413") },
    // Answers.
    get("http://secure.test:HTTP/a?b", "308 to https://secure.test/a?b"),
    get("https://secure.test:HTTPS/a?b", "403"),
    Case { from: "127.0.0.77", headers: &["X-Forwarded-Proto: https"], ..get("http://secure.test:HTTP/a?b", "403") },
    get("http://old.test:HTTP/a/b?c", "302 to https://app.test/new/a/b"),
    get("http://app.test:HTTP/gone", "410"),
    get("http://app.test:HTTP/quiet", "silence"),
    get("http://app.test:HTTP/files/down.html", "200"),
    get("http://app.test:HTTP/files/other.html", "404"),
    get("http://app.test:HTTP/files/sub?a", "308 to ./sub/?a"),
    Case { method: "POST", ..get("http://app.test:HTTP/files/down.html", "405, Allow GET, HEAD") },
    get("http://app.test:HTTP/both/down.html", "200"),
    get("http://app.test:HTTP/both/other.html", "root gets GET /other.html for app.test:HTTP"),
    Case {
        method: "POST",
        ..get("http://app.test:HTTP/both/down.html", "root gets POST /down.html for app.test:HTTP")
    },
];

/// The backends. Each answers with its name.
struct Backends(Vec<(&'static str, Backend)>);

impl Backends {
    fn start() -> Self {
        let names = ["root", "api", "api", "users", "login", "wild"];
        Self(names.into_iter().map(|name| (name, Backend::answering(name))).collect())
    }
}

fn config(backends: &Backends, folder: &std::path::Path) -> String {
    let addresses: Vec<_> = backends.0.iter().map(|(_, backend)| backend.address.to_string()).collect();
    let [root, api_one, api_two, users, login, wild] = &addresses[..] else { panic!("{addresses:?}") };
    let folder = folder.display();
    let hash = pmesh::password::PasswordHash::new(b"secret").unwrap();
    let hash = hash.as_str();
    format!(
        r#"http = 0
https = 0
trusted_proxies = ["127.0.0.77"]

[[routes]]
host = ["app.test", "[2001:db8::1]"]
upstream = "{root}"

[[routes.routes]]
prefix = "/api"
upstream = ["{api_one}", "{api_two}"]
strip_prefix = true
compress = true
rate_limit = {{ requests = 100, per = "1s" }}
max_in_flight = 100

[[routes.routes]]
path_regex = "^/u/[0-9]+$"
upstream = "{users}"

[[routes.routes]]
path = "/login"
methods = ["POST"]
upstream = "{login}"
host_header = "backend.internal"
request_headers = {{ x-team = "a" }}
buffer = "64KiB"

[[routes.routes]]
path = "/events"
match = {{ headers = {{ accept = "text/event-stream" }} }}
upstream = "{users}"

[[routes.routes]]
path = "/q"

[[routes.routes]]
path = "/q"
match = {{ query = {{ v = "2" }} }}
upstream = "{users}"

[[routes.routes]]
path = "/inside"
match = {{ clients = ["127.0.0.5"] }}
upstream = "{users}"

[[routes.routes]]
prefix = "/admin"
allow = ["127.0.0.0/29"]
response_headers = {{ x-frame-options = "DENY" }}

[[routes.routes]]
prefix = "/down"
maintenance = "{folder}/down.html"
error_pages = {{ 404 = "{folder}/down.html" }}

[[routes.routes]]
prefix = "/up"
maintenance = "{folder}/not-there.html"

[[routes.routes]]
prefix = "/secret"
basic_auth = {{ users = {{ alice = "{hash}" }} }}

[[routes.routes]]
prefix = "/cors"
cors = {{ origins = ["https://page.test"] }}

[[routes.routes]]
prefix = "/old"
rewrite = {{ regex = "^/old/(.*)$", to = "/new/$1" }}
add_prefix = "/v1"

[[routes.routes]]
path = "/asked"
forward_auth = {{ url = "http://{wild}/verify" }}

[[routes.routes]]
path = "/copied"
mirror = "{wild}"

[[routes.routes]]
path = "/small"
max_body = "1KiB"

[[routes.routes]]
prefix = "/files"
strip_prefix = true
files = "{folder}"
compress = true

[[routes.routes]]
prefix = "/both"
strip_prefix = true
files = "{folder}"
upstream = "{root}"
response_headers = {{ x-frame-options = "DENY" }}

[[routes.routes]]
path = "/gone"
respond = 410

[[routes.routes]]
path = "/quiet"
respond = "silence"

[[routes]]
host = "only-tls.test"
listeners = ["https"]
upstream = "{root}"

[[routes]]
host = "paths.test"
path = "/only/this"
upstream = "{root}"

[[routes]]
host = "paths.test"
prefix = "/old"
upstream = "{root}"
rewrite = {{ regex = "^/old/(.*)$", to = "/old/new/$1" }}
strip_prefix = true
add_prefix = "/v1"
request_headers = {{ x-team = "a" }}

[[routes]]
host = "paths.test"
prefix = "/new"
upstream = "{root}"
rewrite = "/{{*}}"

[[routes]]
host = "*.wild.test"
upstream = "{wild}"

[[routes]]
host = "a.wild.test"
prefix = "/x"
upstream = "{root}"

[[routes]]
host = "files.test"
files = "{folder}"

[[routes.routes]]
prefix = "/both"
files = "{folder}"
upstream = "{root}"
strip_prefix = true

[[routes]]
host = "secure.test"
redirect_https = true
respond = 403
hsts = "365d"

[[routes]]
host = "old.test"
prefix = "/a"
redirect = {{ to = "https://app.test/new{{path}}", status = 302 }}
"#
    )
}

#[test]
fn a_request_gets_what_explain_says() {
    let backends = Backends::start();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("down.html"), "back soon").unwrap();
    std::fs::create_dir(folder.path().join("sub")).unwrap();
    std::fs::write(folder.path().join("sub/index.html"), "").unwrap();
    let program = Start::new().config(&config(&backends, folder.path())).run();
    let tls = Tls::trusting(&program);
    let mut failures = Vec::new();
    for (number, case) in CASES.iter().enumerate() {
        let seen = on_the_wire(case, &program, &tls, &backends, number);
        let expected = with_ports(case.end, &program);
        let explained = [&[][..], &["--live"]].map(|flags| explained(case, &program, &backends, flags));
        if seen != expected || explained.iter().any(|explained| *explained != expected) {
            let Case { url, method, headers, from, sni, .. } = case;
            failures.push(format!(
                "{method} {url} {headers:?} from {from} {sni:?}: expected {expected:?}, saw {seen:?}, explained {explained:?}"
            ));
        }
    }
    assert_none(&failures);
}

#[test]
fn a_listener_that_expects_tls_is_silent_without_it() {
    let program = Start::new().flags(&["--route", "a.test=127.0.0.1:1"]).run();
    for (url, expected) in [
        (format!("http://a.test:{}/", program.https().port()), "waits for a TLS handshake"),
        (format!("https://a.test:{}/", program.http().port()), "has no TLS"),
        (format!("https://a.test:{}/", program.internal().port()), "only for other nodes"),
    ] {
        let output = command(&program).args(["--live", &url]).output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        assert!(output.status.success() && text.contains(expected) && text.contains("silence"), "{url}: {text}");
    }
}

#[test]
fn a_route_that_is_only_on_another_listener_is_named() {
    let program = Start::new()
        .config(
            "[[routes]]\nhost = \"a.test\"\npath = \"/x\"\nrespond = 204\n\
             [[routes]]\nhost = \"a.test\"\nprefix = \"/api\"\nlisteners = \"https\"\nrespond = 204\n",
        )
        .run();
    let url = |path: &str| format!("http://a.test:{}{path}", program.http().port());
    for flags in [&["--http", "0"][..], &["--live"]] {
        let output = command(&program).args(flags).args(["--json", &url("/api/y")]).output().unwrap();
        let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(explanation["outcome"]["status"], 404, "{explanation}");
        let passed_over = explanation["passed_over"].as_array().unwrap();
        let text = |one: &Value| format!("{}: {}", one["place"].as_str().unwrap(), one["why"].as_str().unwrap());
        let reasons: Vec<_> = passed_over.iter().map(text).collect();
        assert_eq!(reasons, ["a.test/x (exact): its path does not match", "a.test/api: it is only on https"]);
    }
}

#[test]
fn the_other_path_of_an_ambiguous_one_is_named() {
    let program = Start::new()
        .config(
            "[[routes]]\nhost = \"a.test\"\nrespond = 204\n[[routes.routes]]\nprefix = \"/admin\"\n\
             [[routes.routes]]\npath = \"/Login\"\n",
        )
        .run();
    for (path, other) in [("/ADMIN/Top", "/admin/top"), ("/x/../Admin", "/admin"), ("/login", "/Login")] {
        let url = format!("http://a.test:{}{path}", program.http().port());
        for flags in [&["--http", "0"][..], &["--live"]] {
            let output = command(&program).args(flags).arg(&url).output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let expected = format!("some backends would read it as {other}, which is not for the same route");
            assert!(text.contains("400") && text.contains(&expected), "{path}: {text}");
        }
    }
}

#[test]
fn endpoints_that_are_backing_off_are_shown() {
    let backend = Backend::answering("hello");
    // Nothing listens on port 1.
    let routes = format!("a.test=127.0.0.1:1,{}", backend.address);
    let program = Start::new().workers(1).flags(&["--route", &routes]).run();
    for _ in 0..2 {
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
    }
    let url = format!("http://a.test:{}/", program.http().port());
    let output = command(&program).args(["--live", "--json", &url]).output().unwrap();
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    let endpoints = &explanation["outcome"]["endpoints"];
    assert_eq!(endpoints[0]["is_backing_off"], true, "{explanation}");
    assert!(endpoints[0]["state"].as_str().unwrap().starts_with("failed for "), "{explanation}");
    assert_eq!(endpoints[1]["is_backing_off"], false, "{explanation}");
    assert!(endpoints[1]["state"].as_str().unwrap().starts_with("ok for "), "{explanation}");
    // The explanation itself sends nothing.
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn live_explanations_follow_the_running_node() {
    let start = Start::new().config("[[routes]]\nhost = \"a.test\"\nrespond = 204\n");
    let program = start.run();
    std::fs::write(program.home().join("config.toml"), "[[routes]]\nhost = \"a.test\"\nrespond = 403\n").unwrap();
    let url = format!("http://a.test:{}/", program.http().port());
    for (flags, status) in [(&["--http", "0"][..], 403), (&["--live"], 204)] {
        let output = command(&program).args(flags).args(["--json", &url]).output().unwrap();
        let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(explanation["outcome"]["status"], status, "{flags:?}: {explanation}");
    }
}

#[test]
fn questions_that_are_not_about_a_request_get_advice() {
    let home = tempfile::tempdir().unwrap();
    for (arguments, code, expected) in [
        (
            "ftp://a.test/",
            2,
            "the scheme \"ftp\" is not one that pmesh serves: write https://a.test/ or http://a.test/",
        ),
        ("ws://a.test/", 2, "write http://a.test/ with --header 'Connection: upgrade' --header 'Upgrade: websocket'"),
        ("a.test/x", 2, "the scheme is missing: write https://a.test/x or http://a.test/x"),
        ("a.test", 2, "not a setting; to explain a request, write https://a.test/"),
        ("http://a.test:81/", 2, "no listener has port 81; http has port 80, https has port 443"),
        ("https://a.test/ --https off", 2, "no listener has port 443, the default of https; http has port 80"),
        ("https://u:p@a.test/x", 2, "a URL with a user: write https://a.test/x, and give the password with --header"),
        ("http://a_b..test/", 2, "\"a_b..test\" is not a host: a label between two dots is empty"),
        ("http://a.test/ --method G/T", 2, "\"G/T\" is not a method"),
        ("http://a.test/ --header nothing", 2, "--header \"nothing\" is not a header: write 'Name: value'"),
        ("http://a.test/ --sni b.test", 2, "--sni is for https"),
        ("https://a.test/ --sni a..b", 2, "--sni \"a..b\" is not a host"),
        ("http://a.test/ --live", 1, "no node is running in the home"),
    ] {
        let mut command = Command::new(PROGRAM);
        command.env_clear().arg("explain").args(arguments.split(' ')).arg("--home").arg(home.path());
        let output = command.env("HOME", home.path()).output().unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(expected) && output.status.code() == Some(code), "{arguments}: {code:?} {error}");
    }
    // Only one listener can be meant.
    let mut command = Command::new(PROGRAM);
    command.env_clear().env("HOME", home.path()).args(["explain", "a.test/x", "--https", "off", "--home"]);
    assert!(command.arg(home.path()).output().unwrap().status.success());
}

fn command(program: &Program) -> Command {
    let mut command = Command::new(PROGRAM);
    command.env_clear().arg("explain").arg("--home").arg(program.home());
    command
}

fn with_ports(text: &str, program: &Program) -> String {
    let [http, https] = [program.http(), program.https()].map(|address| address.port().to_string());
    text.replace("HTTPS", &https).replace("HTTP", &http)
}

/// Sends the request, and returns its outcome.
fn on_the_wire(case: &Case, program: &Program, tls: &Tls, backends: &Backends, number: usize) -> String {
    let url = with_ports(case.url, program);
    let (scheme, rest) = url.split_once("://").unwrap();
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let path = if path.is_empty() { "/" } else { path };
    let id = format!("x-case: {number}");
    let mut head = format!("{} {path} HTTP/1.1\r\n", case.method);
    if !case.headers.iter().any(|header| header.starts_with("Host:")) {
        head += &format!("Host: {authority}\r\n");
    }
    for header in case.headers.iter().chain([&&*id]) {
        head += &format!("{header}\r\n");
    }
    if !head.contains("Content-Length") {
        head += "Content-Length: 0\r\n";
    }
    head += "\r\n";
    let response = if scheme == "https" {
        let host = authority.rsplit_once(':').unwrap().0.trim_end_matches('.');
        let stream = connect(case.from, program.https());
        exchange_tls(tls.session(case.sni.unwrap_or(host)), stream, &head)
    } else {
        exchange(connect(case.from, program.http()), &head)
    };
    let Some(response) = response else { return "silence".to_owned() };
    for (name, backend) in &backends.0 {
        let requests = backend.requests();
        if let Some(request) = requests.iter().find(|request| request.all("x-case") == [number.to_string()]) {
            assert_eq!(response.text(), *name);
            return format!("{name} gets {} {} for {}", request.method, request.target, request.field("host"));
        }
    }
    answer(response.status, response.field("location"), response.field("allow"))
}

fn connect(from: &str, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::new(from.parse::<IpAddr>().unwrap(), 0).into()).unwrap();
    socket.connect(&to.into()).unwrap();
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

/// `None` if the connection is closed without a byte.
fn exchange(stream: impl Read + Write, head: &str) -> Option<Response> {
    let mut client = Client::new(stream);
    client.send(head);
    client.gets_any_byte().then(|| client.response())
}

fn exchange_tls(session: ClientConnection, stream: TcpStream, head: &str) -> Option<Response> {
    let mut stream = StreamOwned::new(session, stream);
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).ok()?;
    }
    exchange(stream, head)
}

/// Returns the outcome according to `pmesh explain`.
fn explained(case: &Case, program: &Program, backends: &Backends, flags: &[&str]) -> String {
    let mut command = Command::new(PROGRAM);
    command
        .env_clear()
        .args(["explain", &with_ports(case.url, program), "--json", "--method", case.method])
        .args(flags);
    command.args(case.headers.iter().flat_map(|header| ["--header", header])).args(["--from", case.from]);
    command.args(case.sni.iter().flat_map(|sni| ["--sni", sni])).arg("--home").arg(program.home());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let explanation: Value = serde_json::from_slice(&output.stdout).unwrap();
    let outcome = &explanation["outcome"];
    match outcome["kind"].as_str().unwrap() {
        "silence" => "silence".to_owned(),
        "response" => {
            let status = u16::try_from(outcome["status"].as_u64().unwrap()).unwrap();
            answer(status, outcome["location"].as_str(), outcome["allow"].as_str())
        }
        _ => {
            let endpoint = &outcome["endpoints"][0];
            let address = endpoint["address"].as_str().unwrap();
            let (name, _) = backends.0.iter().find(|(_, backend)| backend.address.to_string() == address).unwrap();
            let [path, host] = ["path", "host"].map(|key| endpoint[key].as_str().unwrap());
            format!("{name} gets {} {path} for {host}", outcome["method"].as_str().unwrap())
        }
    }
}

fn answer(status: u16, location: Option<&str>, allow: Option<&str>) -> String {
    let location = location.map(|location| format!(" to {location}")).unwrap_or_default();
    let allow = allow.map(|allow| format!(", Allow {allow}")).unwrap_or_default();
    format!("{status}{location}{allow}")
}
