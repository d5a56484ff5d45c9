//! HTTP/1.1 test cases: bytes, and the outcomes that are allowed.

use std::{io::Write, net::TcpStream, time::Duration};

use crate::support::{
    Backend, Client, End, Program, Start, assert_none,
    backend::ok,
    client::{Response, get},
    shown,
};

/// How long to wait for a case that hangs: longer than the program's deadline.
pub const GIVE_UP: Duration = Duration::from_secs(30);
/// The target of requests that must never reach a backend.
pub const SMUGGLED: &str = "/smuggled";

pub struct Case {
    pub name: String,
    pub bytes: Vec<u8>,
    pub expected: Expected,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// This many requests get a 200 from the backend, each with the response to its own target.
    Served(usize),
    /// No complete request reaches a backend, and the bytes that follow are not read as a request. The client gets at most
    /// one error, then the connection is closed.
    Refused,
    /// Like `Refused`, once the client has shut down its sending side.
    Cut,
    /// The specifications allow both. Whatever is forwarded is unambiguous.
    Either,
}

pub fn case(name: impl Into<String>, bytes: impl AsRef<[u8]>, expected: Expected) -> Case {
    Case { name: name.into(), bytes: bytes.as_ref().to_vec(), expected }
}

/// The request that follows every refused case.
fn smuggled() -> String {
    get("a.test", SMUGGLED)
}

/// A POST with these headers.
pub fn post(fields: &str, body: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: a.test\r\n{fields}\r\n\r\n{body}")
}

/// Answers each request with its target, so that a response to another request shows.
pub fn start() -> (Program, Backend) {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            let answer = ok(&request.target);
            let head = answer.find("\r\n\r\n").map_or(0, |end| end + 4);
            connection.send(if request.method == "HEAD" { &answer[..head] } else { &answer });
        }
    });
    // A short deadline, so that the tests do not take long.
    (Start::new().route("a.test", &backend).flags(&["--silence-deadline", "2s"]).run(), backend)
}

/// Runs each case on its own connection, then again after a request that was served.
#[track_caller]
pub fn run(cases: &[Case]) {
    let (program, backend) = start();
    let (mut failures, mut expected) = (Vec::new(), 0);
    for case in cases {
        for later in [false, true] {
            let mut client = Client::connect(program.http());
            // If a connection hangs, its case fails without delaying all the others.
            client.stream.set_read_timeout(Some(GIVE_UP)).unwrap();
            if later {
                assert_eq!(client.get("a.test", "/first").text(), "/first");
                expected += 1;
            }
            let result = match case.expected {
                Expected::Served(count) => {
                    expected += count;
                    served(&mut client, &case.bytes, count).map(|more| expected += more)
                }
                Expected::Refused => refused(&mut client, &case.bytes, false),
                Expected::Cut => refused(&mut client, &case.bytes, true),
                Expected::Either => either(&mut client, &case.bytes).map(|served| expected += served),
            };
            let place = if later { ", later" } else { "" };
            failures.extend(result.err().map(|error| format!("{}{place}: {error}", case.name)));
        }
    }
    // The program still works.
    assert_eq!(Client::connect(program.http()).get("a.test", "/last").text(), "/last");
    expected += 1;
    failures.extend(program.log().into_iter().filter(|line| line.contains("panicked")));
    drop(program);
    backend.wait_for_end();
    assert_none(&failures);
    let requests = backend.requests();
    let strange = requests.iter().filter(|request| {
        request.target == SMUGGLED
            || request.fields.iter().any(|(name, value)| name == "upgrade" && value != "websocket")
            || request.field("x-forwarded-for") != "127.0.0.1"
    });
    assert_none(&strange.map(|request| format!("{request:?}")).collect::<Vec<_>>());
    assert_eq!(requests.len(), expected);
}

/// Reads the responses. Then the connection must be in step, or end. Returns how many more requests were served.
fn served(client: &mut Client<TcpStream>, bytes: &[u8], count: usize) -> Result<usize, String> {
    client.send(bytes);
    let is_head = bytes.starts_with(b"HEAD ");
    for _ in 0..count {
        let response = final_response(client, is_head);
        if response.status != 200 {
            return Err(format!("{} {}", response.status, shown(&response.body)));
        }
        if response.text() == SMUGGLED {
            return Err("the response to another request".into());
        }
    }
    if client.stream.write_all(b"GET /after HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").is_err() {
        return Ok(0);
    }
    match client.end() {
        (got, End::Fin | End::Reset) if got.is_empty() => Ok(0),
        (got, End::Fin) if got.starts_with(b"HTTP/1.1 200 ") && got.ends_with(b"\r\n\r\n/after") => Ok(1),
        (got, end) => Err(format!("out of step: {end:?} after {}", shown(&got))),
    }
}

fn final_response(client: &mut Client<TcpStream>, is_head: bool) -> Response {
    loop {
        let response = if is_head { client.head() } else { client.response() };
        if response.status != 100 {
            return response;
        }
    }
}

fn refused(client: &mut Client<TcpStream>, bytes: &[u8], finish: bool) -> Result<(), String> {
    let (got, end) = all(client, bytes, finish);
    // 501 is for unknown codings (RFC 9112, 6.1), 505 for versions (RFC 9110, 15.6.6).
    let errors = [&b"HTTP/1.1 4"[..], b"HTTP/1.0 4", b"HTTP/1.1 501", b"HTTP/1.1 505"];
    let is_error = errors.iter().any(|start| got.starts_with(start));
    let answers = got.windows(7).filter(|seven| seven == b"HTTP/1.").count();
    match (end, answers) {
        (End::Fin, 0) if got.is_empty() => Ok(()),
        (End::Fin, 1) if is_error => Ok(()),
        _ => Err(format!("{end:?} after {}", shown(&got))),
    }
}

/// Returns how many requests were served.
fn either(client: &mut Client<TcpStream>, bytes: &[u8]) -> Result<usize, String> {
    let (got, end) = all(client, bytes, false);
    if end != End::Fin || got.windows(SMUGGLED.len()).any(|part| part == SMUGGLED.as_bytes()) {
        return Err(format!("{end:?} after {}", shown(&got)));
    }
    Ok(got.windows(13).filter(|status| status == b"HTTP/1.1 200 ").count())
}

fn all(client: &mut Client<TcpStream>, bytes: &[u8], finish: bool) -> (Vec<u8>, End) {
    client.send(bytes);
    if finish {
        client.finish_sending();
    }
    client.end()
}

/// A case to reject, followed by a request that must not be read as one.
pub fn refuse(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Case {
    case(name, [bytes.as_ref(), smuggled().as_bytes()].concat(), Expected::Refused)
}

pub fn serve(name: impl Into<String>, bytes: impl AsRef<[u8]>) -> Case {
    case(name, bytes, Expected::Served(1))
}
