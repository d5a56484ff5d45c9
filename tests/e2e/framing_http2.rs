//! HTTP/2 requests that HTTP/1.1 cannot express never reach a backend.

use crate::support::{
    Backend, Program, Start, assert_none,
    h2::{self, Answer},
    tls::Tls,
};

type Fields<'a> = Vec<(&'a str, &'a [u8])>;

fn start() -> (Program, Backend) {
    let backend = Backend::answering("ok");
    (Start::new().route("a.test", &backend).route("b.test", &backend).run(), backend)
}

/// Sends a request on a new connection.
fn answer(program: &Program, tls: &Tls, frames: &[Vec<u8>]) -> Answer {
    let mut client = tls.connect(program.https(), "a.test").unwrap();
    client.send([h2::opening(), frames.concat()].concat());
    client.answer(1)
}

fn get_with<'a>(more: &[(&'a str, &'a [u8])]) -> Fields<'a> {
    [&h2::get("a.test", "/")[..], more].concat()
}

/// A GET with one of its pseudo-headers replaced or removed.
fn get_but(name: &str, value: Option<&'static [u8]>) -> Fields<'static> {
    let fields = h2::get("a.test", "/").into_iter();
    fields
        .filter_map(|(key, old)| if key == name { value.map(|value| (key, value)) } else { Some((key, old)) })
        .collect()
}

#[test]
fn unambiguous_requests_are_forwarded() {
    let (program, backend) = start();
    let tls = Tls::trusting(&program).alpn(&["h2"]);
    let post = |more: &[(&'static str, &'static [u8])]| [&h2::request("POST", "a.test", "/")[..], more].concat();
    let cases = [
        ("GET", vec![h2::headers(1, &get_with(&[]), true)]),
        ("Host that agrees", vec![h2::headers(1, &get_with(&[("host", b"a.test")]), true)]),
        ("Host instead of :authority", {
            let fields = [get_but(":authority", None), vec![("host", &b"a.test"[..])]].concat();
            vec![h2::headers(1, &fields, true)]
        }),
        ("a length", vec![h2::headers(1, &post(&[("content-length", b"3")]), false), h2::data(1, b"abc", true)]),
        ("no length", vec![h2::headers(1, &post(&[]), false), h2::data(1, b"abc", true)]),
        ("a body in an empty frame", vec![h2::headers(1, &post(&[]), false), h2::data(1, b"", true)]),
        ("trailers", {
            let trailers = h2::headers(1, &[("x-sum", b"1")], true);
            vec![h2::headers(1, &post(&[]), false), h2::data(1, b"abc", false), trailers]
        }),
        ("framing and forwarding headers as trailers", {
            let trailers = h2::headers(1, &[("content-length", b"9"), ("x-forwarded-for", b"1.1.1.1")], true);
            vec![h2::headers(1, &post(&[]), false), h2::data(1, b"abc", false), trailers]
        }),
        ("underscored aliases", {
            let fields = post(&[("content_length", b"9"), ("transfer_encoding", b"chunked"), ("content-length", b"3")]);
            vec![h2::headers(1, &fields, false), h2::data(1, b"abc", true)]
        }),
        ("OPTIONS *", vec![h2::headers(1, &h2::request("OPTIONS", "a.test", "*"), true)]),
    ];
    for (name, frames) in &cases {
        assert_eq!(answer(&program, &tls, frames), Answer::Status(200), "{name}");
    }
    drop(program);
    backend.wait_for_end();
    assert_eq!(backend.requests().len(), cases.len());
}

#[test]
fn a_request_with_length_0_is_forwarded_once_its_stream_ends() {
    let (program, backend) = start();
    let tls = Tls::trusting(&program).alpn(&["h2"]);
    let fields = [&h2::request("POST", "a.test", "/")[..], &[("content-length", b"0")]].concat();
    for (body, expected) in [(&b""[..], Answer::Status(200)), (b"abc", Answer::StreamReset)] {
        let mut client = tls.connect(program.https(), "a.test").unwrap();
        client.send([h2::opening(), h2::headers(1, &fields, false), h2::ping(1)].concat());
        // Once the PING is acknowledged, the head has been read.
        client.frames_until(|frame| frame.kind == h2::PING && frame.is_ack());
        client.send(h2::data(1, body, true));
        assert_eq!(client.answer(1), expected, "{}", body.escape_ascii());
    }
    assert_eq!(backend.request().field("content-length"), "0");
}

#[test]
fn requests_that_http1_cannot_express_are_rejected() {
    let (program, backend) = start();
    let tls = Tls::trusting(&program).alpn(&["h2"]);
    let post = |more: &[(&'static str, &'static [u8])]| [&h2::request("POST", "a.test", "/")[..], more].concat();
    let smuggled = b"x\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let heads: Vec<(&str, Fields<'_>)> = vec![
        ("CR LF in a value", get_with(&[("x", b"a\r\ntransfer-encoding: chunked")])),
        ("a request in a value", get_with(&[("x", smuggled)])),
        ("LF in a value", get_with(&[("x", b"a\nb")])),
        ("CR in a value", get_with(&[("x", b"a\rb")])),
        ("NUL in a value", get_with(&[("x", b"a\0b")])),
        ("CR LF in a name", get_with(&[("x\r\ny", b"a")])),
        ("a colon in a name", get_with(&[("x: y", b"a")])),
        ("a space in a name", get_with(&[("x y", b"a")])),
        ("an empty name", get_with(&[("", b"a")])),
        ("a name in upper case", get_with(&[("Content-Length", b"0")])),
        ("an unknown pseudo-header", get_with(&[(":nonsense", b"a")])),
        ("a pseudo-header after a header", [vec![("x", &b"y"[..])], get_with(&[])].concat()),
        ("CR LF in the path", get_but(":path", Some(b"/ HTTP/1.1\r\nHost: b.test\r\n\r\n"))),
        ("a request in the path", get_but(":path", Some(smuggled))),
        ("a space in the path", get_but(":path", Some(b"/a b"))),
        ("a version in the path", get_but(":path", Some(b"/ HTTP/1.1"))),
        ("a tab in the path", get_but(":path", Some(b"/a\tb"))),
        ("NUL in the path", get_but(":path", Some(b"/a\0b"))),
        ("a non-ASCII byte in the path", get_but(":path", Some(b"/\xff"))),
        ("an empty path", get_but(":path", Some(b""))),
        ("no path", get_but(":path", None)),
        ("a path without a slash", get_but(":path", Some(b"a"))),
        ("a whole URI as the path", get_but(":path", Some(b"http://b.test/"))),
        ("an asterisk as the path", get_but(":path", Some(b"*"))),
        ("CR LF in the method", get_but(":method", Some(b"GET / HTTP/1.1\r\nHost: a.test\r\n\r\nGET"))),
        ("a space in the method", get_but(":method", Some(b"GET /x"))),
        ("an empty method", get_but(":method", Some(b""))),
        ("no method", get_but(":method", None)),
        ("TRACE", get_but(":method", Some(b"TRACE"))),
        ("CONNECT", vec![(":method", b"CONNECT"), (":authority", b"a.test")]),
        ("CR LF in the scheme", get_but(":scheme", Some(b"http\r\nx: y"))),
        ("no scheme", get_but(":scheme", None)),
        ("another scheme", get_but(":scheme", Some(b"ftp"))),
        ("CR LF in the authority", get_but(":authority", Some(b"a.test\r\nx: y"))),
        ("a space in the authority", get_but(":authority", Some(b"a.test x"))),
        ("an empty authority", get_but(":authority", Some(b""))),
        ("userinfo in the authority", get_but(":authority", Some(b"user@a.test"))),
        ("a list as the authority", get_but(":authority", Some(b"a.test,b.test"))),
        ("two authorities", get_with(&[(":authority", b"a.test")])),
        ("two authorities that differ", [vec![(":authority", &b"b.test"[..])], get_with(&[])].concat()),
        ("two paths", get_with(&[(":path", b"/x")])),
        ("a Host that differs", get_with(&[("host", b"b.test")])),
        ("an empty Host", get_with(&[("host", b"")])),
        ("two Hosts", get_with(&[("host", b"a.test"), ("host", b"a.test")])),
        ("no host at all", get_but(":authority", None)),
        ("a coding", post(&[("transfer-encoding", b"chunked")])),
        ("a coding in GET", get_with(&[("transfer-encoding", b"chunked")])),
        ("Connection", get_with(&[("connection", b"close")])),
        ("Keep-Alive", get_with(&[("keep-alive", b"1")])),
        ("Proxy-Connection", get_with(&[("proxy-connection", b"close")])),
        ("Upgrade", get_with(&[("upgrade", b"websocket")])),
        ("TE beyond trailers", get_with(&[("te", b"gzip")])),
        ("a length in a GET without a body", get_with(&[("content-length", b"3")])),
        ("two lengths", post(&[("content-length", b"3"), ("content-length", b"4")])),
        ("a length that is not a number", post(&[("content-length", b"x")])),
        ("a length with a sign", post(&[("content-length", b"+3")])),
        ("a list of lengths", post(&[("content-length", b"3, 3")])),
    ];
    let mut failures = Vec::new();
    let mut judge = |name: &str, answer: Answer| {
        let refused = matches!(answer, Answer::Status(400..500) | Answer::StreamReset | Answer::GoAway | Answer::End);
        failures.extend((!refused).then(|| format!("{name}: {answer:?}")));
    };
    for (name, fields) in &heads {
        judge(name, answer(&program, &tls, &[h2::headers(1, fields, true)]));
    }
    for (name, length, body) in [
        ("a length that is too long", &b"5"[..], &b"abc"[..]),
        ("a length that is too short", b"2", b"abc"),
        ("a length and nothing", b"5", b""),
        ("a length of 0 and a request", b"0", b"GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n"),
    ] {
        let fields = [&h2::request("POST", "a.test", "/")[..], &[("content-length", length)]].concat();
        judge(name, answer(&program, &tls, &[h2::headers(1, &fields, false), h2::data(1, body, true)]));
    }
    assert_none(&failures);
    assert_eq!(answer(&program, &tls, &[h2::headers(1, &get_with(&[]), true)]), Answer::Status(200));
    drop(program);
    backend.wait_for_end();
    let requests = backend.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
}
