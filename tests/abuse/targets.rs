//! Request lines and targets (RFC 9112, 3; RFC 9110, 4.2 and 7.1).

use crate::corpus::{Case, Expected, case, refuse, run, serve};

fn line(line: &str) -> String {
    format!("{line}\r\nHost: a.test\r\n\r\n")
}

#[test]
fn malformed_request_lines_are_rejected() {
    let refused = [
        "GET  / HTTP/1.1",
        "GET /  HTTP/1.1",
        " GET / HTTP/1.1",
        "\tGET / HTTP/1.1",
        "GET\t/ HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET / HTTP/1.1 ",
        "GET / HTTP/1.1\t",
        "GET / HTTP/1.1 x",
        "GET / /smuggled HTTP/1.1",
        "GET / HTTP/1.1 HTTP/1.1",
        "GET /",
        "GET",
        "/ HTTP/1.1",
        " / HTTP/1.1",
        "GET  HTTP/1.1",
        "GET HTTP/1.1",
        "G@T / HTTP/1.1",
        "GET: / HTTP/1.1",
        "(GET) / HTTP/1.1",
        "G\u{c9}T / HTTP/1.1",
        "GET / HTTP/0.9",
        "GET / HTTP/1.2",
        "GET / HTTP/1.9",
        "GET / HTTP/2.0",
        "GET / HTTP/2",
        "GET / HTTP/3",
        "GET / HTTP/1.10",
        "GET / HTTP/01.1",
        "GET / HTTP/1.01",
        "GET / HTTP/1,1",
        "GET / HTTP/1",
        "GET / HTTP/11",
        "GET / HTTP/-1.1",
        "GET / HTTP/+1.1",
        "GET / http/1.1",
        "GET / Http/1.1",
        "GET / HTTPS/1.1",
        "GET / HTTP /1.1",
        "GET / HTTP/ 1.1",
        "GET / HTTP/1.1x",
        "GET / XTTP/1.1",
        "GET / ICY/1.1",
        "PRI * HTTP/2.0",
        "CONNECT a.test HTTP/1.1",
        "CONNECT / HTTP/1.1",
        "CONNECT a.test: HTTP/1.1",
    ];
    let mut cases: Vec<Case> = refused.iter().map(|text| refuse(format!("{text:?}"), line(text))).collect();
    // RFC 9110, 9.1: any token is a method, and methods are case-sensitive.
    for method in ["get", "PROPFIND", "M-SEARCH", "a", "!#$%&'*+-.^_`|~", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        cases.push(serve(method, line(&format!("{method} / HTTP/1.1"))));
    }
    run(&cases);
}

#[test]
fn malformed_targets_are_rejected() {
    let refused = [
        "",
        "a.test/",
        "x",
        "*",
        "?x",
        "a.test:80",
        "a.test:80/",
        "http:/a.test/",
        "http//a.test/",
        "http:a.test/",
        "://a.test/",
        "http://",
        "http:///",
        "http:///x",
        "http://?x",
        "http://user@a.test/",
        "http://user:password@a.test/",
        "http://@a.test/",
        "http://b.test@a.test/",
        "http://a.test@b.test/",
        "http://a.test:0/",
        "http://a.test:65536/",
        "http://a.test:x/",
        "http://a.test:80:80/",
        "http://a.test:-80/",
        "http://a.test,b.test/",
        "http://a.test%00/",
        "http://a.test%2f/",
        "http://%61.test/",
        "http://a.test\\@b.test/",
        "http://a.test\\/",
        "http://a..test/",
        "http://.a.test/",
        "http://[a.test]/",
        "http://[::1]/",
        "http://127.0.0.1/",
        "http://b.test/",
        "ftp://a.test/",
        "file:///",
        "ws://a.test/",
        "httpx://a.test/",
        "javascript:x",
        "/a b",
        "/\u{e9}",
        "/?\u{e9}",
        "\\",
        "\\/",
        "/\\",
        "/x/..\\admin",
        "/x\\..\\admin",
        "http://a.test/\\x",
        "/<",
        "/>",
    ];
    let mut cases: Vec<Case> =
        refused.iter().map(|target| refuse(format!("{target:?}"), line(&format!("GET {target} HTTP/1.1")))).collect();
    let served = [
        "/",
        "/?",
        "/?x=y&z",
        "/a/b;c=d",
        "//",
        "//b.test/",
        "///x",
        "/a//b",
        "/.",
        "/..",
        "/../../x",
        "/%00",
        "/%0d%0aX:%20y",
        "/%2e%2e/%2f",
        "/%5c",
        "/%ff",
        "/%",
        "/%zz",
        "/:",
        "/@",
        "/http://b.test/",
        "/?http://b.test/",
        "/?a?b",
        "/!$&'()*+,;=:@-._~",
        "/?[]|",
        "http://a.test/",
        "http://a.test",
        "http://a.test?x",
        "http://a.test/?x",
        "http://a.test:80/",
        "http://a.test:/",
        "http://a.test:",
        "http://a.test:65535/",
        "http://A.TEST/",
        "http://a.test./",
        "HTTP://a.test/",
        "https://a.test/",
    ];
    cases.extend(served.iter().map(|target| serve(*target, line(&format!("GET {target} HTTP/1.1")))));
    // RFC 9112, 3.2.2: the target wins, and Host is replaced.
    for host in ["b.test", "nope.test", "A.TEST", "a.test:81", "127.0.0.1", "", "b.test,a.test", "user@b.test"] {
        cases.push(serve(
            format!("Host {host:?} with a full target"),
            format!("GET http://a.test/ HTTP/1.1\r\nHost: {host}\r\n\r\n"),
        ));
    }
    cases.push(serve("no Host with a full target, in HTTP/1.0", "GET http://a.test/ HTTP/1.0\r\n\r\n"));
    cases.push(refuse(
        "two Hosts with a full target",
        "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: a.test\r\n\r\n",
    ));
    // A fragment is not part of a target (RFC 9112, 3.2): the request is rejected, or the fragment dropped.
    for target in ["/#x", "/#", "/?x#y", "http://a.test/#x", "http://a.test#x", "/#/../x"] {
        let close = format!("GET {target} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        cases.push(case(target, close, Expected::Either));
    }
    for method in ["OPTIONS", "GET"] {
        let long = format!("/{}", "x".repeat(60_000));
        cases.push(serve(format!("{method} with a long target"), line(&format!("{method} {long} HTTP/1.1"))));
        let longer = format!("/{}", "x".repeat(70_000));
        cases.push(refuse(format!("{method} with an overlong target"), line(&format!("{method} {longer} HTTP/1.1"))));
    }
    run(&cases);
}
