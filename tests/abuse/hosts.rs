//! Each request names exactly one host, or is rejected (RFC 9112, 3.2; RFC 9110, 7.2).

use crate::corpus::{Case, refuse, run, serve};

fn with(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{fields}\r\n\r\n")
}

#[test]
fn malformed_hosts_are_rejected() {
    let refused = [
        "X: y",
        "Host:",
        "Host: ",
        "Host: a.test\r\nHost: a.test",
        "Host: a.test\r\nHost: b.test",
        "Host: b.test\r\nHost: a.test",
        "Host: a.test\r\nX: y\r\nhost: a.test",
        "Host: a.test\r\nHost:",
        "Host:\r\nHost: a.test",
        "Host: a.test, a.test",
        "Host: a.test,b.test",
        "Host: a.test b.test",
        "Host: a.test\tb.test",
        "Host: user@a.test",
        "Host: @a.test",
        "Host: a.test@",
        "Host: b.test@a.test",
        "Host: http://a.test",
        "Host: a.test/",
        "Host: a.test/x",
        "Host: a.test?x",
        "Host: a.test#x",
        "Host: a.test\\",
        "Host: \"a.test\"",
        "Host: [a.test]",
        "Host: (a.test)",
        "Host: a.test;",
        "Host: :",
        "Host: :80",
        "Host: a.test::",
        "Host: a.test:0",
        "Host: a.test:65536",
        "Host: a.test:x",
        "Host: a.test:80x",
        "Host: a.test:80:80",
        "Host: a.test:+80",
        "Host: a.test: 80",
        "Host: a.test :80",
        "Host: a.test..",
        "Host: .a.test",
        "Host: a..test",
        "Host: .",
        "Host: *",
        "Host: *.test",
        "Host: a.test%00",
        "Host: %61.test",
        "Host: a.test\u{e9}",
        "Host: a\u{ff0e}test",
        "Host: \u{430}.test",
        "Host: x.a.test",
        "Host: xa.test",
        "Host: a.tes",
        "Host: 127.0.0.1",
        "Host: [::1]",
        "Host: localhost",
        "X-Forwarded-Host: a.test",
        "Forwarded: host=a.test",
        "X-Host: a.test",
        "Host_: a.test",
    ];
    let mut cases: Vec<Case> = refused.iter().map(|fields| refuse(format!("{fields:?}"), with(fields))).collect();
    for host in [
        "a.test",
        "A.TEST",
        "a.test.",
        "a.test:80",
        "a.test:",
        "A.test.:",
        "a.test:65535",
        "A.Test.:8080",
        " a.test ",
        "\ta.test\t",
        "a.test:00080",
    ] {
        cases.push(serve(format!("{host:?}"), with(&format!("Host:{host}"))));
    }
    for fields in [
        "X: y\r\nHost: a.test",
        "hOsT: a.test",
        "Host: a.test\r\nX-Forwarded-Host: b.test",
        "Host: a.test\r\nForwarded: host=b.test;for=1.2.3.4",
        "Host: a.test\r\nX-Host: b.test\r\nX-HTTP-Host-Override: b.test",
        "Host: a.test\r\nConnection: host",
        "Host: a.test\r\nConnection: close, host",
    ] {
        cases.push(serve(format!("{fields:?}"), with(fields)));
    }
    cases.push(refuse("no name in HTTP/1.0", "GET / HTTP/1.0\r\n\r\n"));
    cases.push(serve("HTTP/1.0", "GET / HTTP/1.0\r\nHost: a.test\r\n\r\n"));
    cases.push(serve("HTTP/1.0 kept alive", "GET / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n\r\n"));
    run(&cases);
}
