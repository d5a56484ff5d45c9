//! No spelling of a path, and no header, gets around the protection of a route, however the backend reads it. The backends
//! are real programs. Programs that are not installed are skipped, with a message.

use std::{
    fs,
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::support::{
    Client, PATIENCE, Program, Start, assert_none,
    h2::{self, Answer},
    tls::Tls,
};

const SPELLINGS: &str = include_str!("spellings.txt");
/// The status for `/admin` and everything below.
const PROTECTED: u16 = 218;
/// `alice` with `secret`.
const AUTH: &str =
    "basic_auth = { users = { alice = \"$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\" } }";
const CREDENTIALS: &str = "Authorization: Basic YWxpY2U6c2VjcmV0\r\n";
const CHILD: &str = "[[routes.routes]]\n";

/// A line of `spellings.txt`.
struct Spelling {
    line: &'static str,
    method: String,
    target: Vec<u8>,
    headers: Vec<String>,
}

/// The spellings for a host, with paths that begin with `prefix`.
fn spellings(host: &str, prefix: &str) -> Vec<Spelling> {
    let lines = SPELLINGS.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let parse = |line: &'static str| {
        let mut parts = line.split('\t').map(|part| part.replace("{host}", host));
        let (method, target) = (parts.next().unwrap(), bytes(&parts.next().unwrap()));
        let origins = [format!("http://{host}"), format!("https://{host}")];
        let is_origin = |origin: &&String| {
            target.get(..origin.len()).is_some_and(|start| start.eq_ignore_ascii_case(origin.as_bytes()))
        };
        let at = origins.iter().find(is_origin).map_or(0, String::len);
        let (origin, path) = target.split_at(at);
        let prefix = if matches!(path.first(), Some(b'/' | b'\\')) { prefix } else { "" };
        let target = [origin, prefix.as_bytes(), path].concat();
        Spelling { line, method, target, headers: parts.collect() }
    };
    lines.map(parse).collect()
}

/// Replaces `\xNN` with the byte.
fn bytes(text: &str) -> Vec<u8> {
    let mut pieces = text.split("\\x");
    let mut bytes = pieces.next().unwrap().as_bytes().to_vec();
    for piece in pieces {
        bytes.push(u8::from_str_radix(&piece[..2], 16).unwrap());
        bytes.extend_from_slice(&piece.as_bytes()[2..]);
    }
    bytes
}

/// Keys of routes, and the prefixes that spellings get. `/admin` is protected in all of them.
fn routes() -> Vec<(&'static str, String, &'static [&'static str])> {
    let below_api = |keys: &str| format!("{CHILD}prefix = \"/api\"\n{keys}");
    let admin = |keys: &str| format!("{CHILD}prefix = \"/admin\"\n{keys}{AUTH}\n");
    let both = format!("{CHILD}prefix = [\"/admin\", \"/api/admin\"]\nrewrite = false\n{AUTH}\n");
    vec![
        ("plain", admin(""), &[""]),
        ("any-case", format!("{CHILD}path_regex = \"(?i)^/admin(/|$)\"\n{AUTH}\n"), &[""]),
        ("regex", format!("{CHILD}path_regex = \"^/admin(/|$)\"\n{AUTH}\n"), &[""]),
        ("stripped", below_api("strip_prefix = true\n") + &both, &["", "/api"]),
        ("rest", below_api("rewrite = \"/{*}\"\n") + &both, &["", "/api"]),
        ("added", format!("add_prefix = \"/open\"\n{}", admin("add_prefix = false\n")), &[""]),
        ("replaced", below_api("strip_prefix = true\nadd_prefix = \"/open\"\n") + &admin(""), &["/api"]),
        (
            "rewritten",
            format!("rewrite = {{ regex = \"^/api/(.*)$\", to = \"/open/$1\" }}\n{}", admin("rewrite = false\n")),
            &["/api"],
        ),
    ]
}

#[test]
fn nginx() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display().to_string();
    fs::write(folder.path().join("nginx.conf"), include_str!("backends/nginx.conf").replace("FOLDER", &path)).unwrap();
    let Some(server) = spawn("nginx", &["-e", "stderr", "-c", &format!("{path}/nginx.conf")]) else { return };
    let socket = folder.path().join("nginx.sock");
    let start = Instant::now();
    while !socket.exists() {
        assert!(start.elapsed() < PATIENCE, "nginx does not listen");
        std::thread::sleep(Duration::from_millis(10));
    }
    check(&Server { upstream: format!("unix:{}", socket.display()), _child: server, _folder: Some(folder) });
}

#[test]
fn node() {
    check_script("node", "server.js");
}

#[test]
fn python() {
    check_script("python3", "server.py");
}

#[test]
fn java() {
    check_script("java", "Server.java");
}

/// A running backend.
struct Server {
    upstream: String,
    _child: Killed,
    _folder: Option<TempDir>,
}

struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn spawn(program: &str, arguments: &[&str]) -> Option<Killed> {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let child = command.spawn();
    if child.is_err() {
        eprintln!("skipped: no {program} on the PATH");
    }
    child.ok().map(Killed)
}

/// Runs a script that prints its port.
fn check_script(program: &str, script: &str) {
    let path = format!("{}/tests/abuse/backends/{script}", env!("CARGO_MANIFEST_DIR"));
    let Some(mut child) = spawn(program, &[&path]) else { return };
    let mut port = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut port).unwrap();
    if port.trim().is_empty() {
        eprintln!("skipped: {program} cannot run {script}");
        return;
    }
    check(&Server { upstream: format!("127.0.0.1:{}", port.trim()), _child: child, _folder: None });
}

fn check(server: &Server) {
    let route = |name: &str, keys: &str| {
        format!("[[routes]]\nhost = \"{name}.test\"\nupstream = \"{}\"\n{keys}", server.upstream)
    };
    let all: String = routes().iter().map(|(name, keys, _)| route(name, keys)).collect();
    let program = Start::new().flags(&["--silence-deadline", "2s"]).config(&(all + &route("open", ""))).run();
    // Without protection, many spellings reach `/admin`.
    let reached =
        spellings("open.test", "").iter().filter(|spelling| over_http1(&program, "open.test", spelling)).count();
    assert!(reached > 25, "{reached} spellings lead to /admin");
    let mut failures = Vec::new();
    for (name, _, prefixes) in routes() {
        let host = format!("{name}.test");
        let mut client = Client::connect(program.http());
        client.send(format!("GET /admin/secret HTTP/1.1\r\nHost: {host}\r\n{CREDENTIALS}\r\n"));
        assert_eq!(client.head().status, PROTECTED, "{name}");
        for prefix in prefixes {
            let spellings = spellings(&host, prefix);
            let one = spellings.iter().filter(|spelling| over_http1(&program, &host, spelling));
            failures.extend(one.map(|spelling| format!("{name}, HTTP/1.1, {prefix}: {}", spelling.line)));
            failures.extend(
                over_http2(&program, &host, &spellings).map(|line| format!("{name}, HTTP/2, {prefix}: {line}")),
            );
        }
    }
    assert_none(&failures);
}

/// Whether a request reaches `/admin`. It follows another request, so that a malformed one gets a response at once.
fn over_http1(program: &Program, host: &str, spelling: &Spelling) -> bool {
    let mut request = format!("GET /open HTTP/1.1\r\nHost: {host}\r\n\r\n{} ", spelling.method).into_bytes();
    request.extend_from_slice(&spelling.target);
    request.extend_from_slice(b" HTTP/1.1\r\n");
    let own_host = spelling.headers.iter().any(|header| header.starts_with("Host:"));
    let host = if own_host { String::new() } else { format!("Host: {host}\r\n") };
    let headers: String = spelling.headers.iter().map(|header| format!("{header}\r\n")).collect();
    request.extend_from_slice(format!("{host}{headers}Content-Length: 0\r\nConnection: close\r\n\r\n").as_bytes());
    let mut client = Client::connect(program.http());
    client.send(request);
    let (got, _) = client.end();
    got.windows(13).any(|status| status == format!("HTTP/1.1 {PROTECTED} ").as_bytes())
}

/// The spellings that reach `/admin`.
fn over_http2<'a>(program: &Program, host: &str, spellings: &'a [Spelling]) -> impl Iterator<Item = &'a str> {
    let tls = Tls::trusting(program).alpn(&["h2"]);
    let mut connection = None;
    spellings.iter().filter_map(move |spelling| {
        let (client, stream) = connection.get_or_insert_with(|| {
            let mut client = tls.connect(program.https(), host).unwrap();
            client.send(h2::opening());
            (client, 1)
        });
        let headers: Vec<_> = spelling.headers.iter().filter_map(|header| header.split_once(": ")).collect();
        let names: Vec<_> = headers.iter().map(|(name, _)| name.to_lowercase()).collect();
        let mut fields = h2::request(&spelling.method, host, "/");
        fields[3].1 = &spelling.target;
        let ours = names.iter().zip(&headers).filter(|(name, _)| !matches!(&***name, "connection" | "host"));
        fields.extend(ours.map(|(name, (_, value))| (&**name, value.as_bytes())));
        client.send(h2::headers(*stream, &fields, true));
        let answer = client.answer(*stream);
        *stream += 2;
        if matches!(answer, Answer::GoAway | Answer::End) {
            connection = None;
        }
        (answer == Answer::Status(PROTECTED)).then_some(spelling.line)
    })
}
