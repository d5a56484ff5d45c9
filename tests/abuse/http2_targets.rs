//! HTTP/2 methods, paths, schemes and authorities (RFC 9113, 8.3.1 and 8.5).

use crate::http2_corpus::{Case, Expected, but, get, head, request, run, with};

use Expected::{Either, Refused, Served};

fn table(pseudo: &str, expected: Expected, values: &[&str]) -> Vec<Case> {
    let one = |value: &&str| head(format!("{pseudo} {value:?}"), &but(get(), pseudo, Some(value.as_bytes())), expected);
    values.iter().map(one).collect()
}

#[test]
fn malformed_paths_are_rejected() {
    let refused = [
        "",
        "x",
        "*",
        "?x",
        "a.test/",
        "http://b.test/",
        "//\\",
        "\\",
        "/\\",
        "/x\\..\\admin",
        "/a b",
        "/ HTTP/1.1\r\nHost: smuggled.test\r\n\r\n",
        "/ HTTP/1.1\r\n\r\nGET /smuggled",
        "/\tx",
        "/\u{e9}",
        "/<",
        "/x\0",
    ];
    let served = [
        "/",
        "/?",
        "//",
        "//b.test/",
        "/%00",
        "/%0d%0a",
        "/%",
        "/../x",
        "/:",
        "/@b.test",
        "/http://b.test/",
        "/?a?b",
        "/;x",
    ];
    let mut cases = [table(":path", Refused, &refused), table(":path", Served, &served)].concat_cases();
    cases.extend(table(":path", Either, &["/#x", "/#", "/?x#y"]));
    cases.push(head("OPTIONS *", &but(request("OPTIONS"), ":path", Some(b"*")), Served));
    run(&cases);
}

#[test]
fn malformed_methods_are_rejected() {
    let refused = [
        "",
        "GET /smuggled HTTP/1.1\r\nX:",
        "GE T",
        " GET",
        "GET ",
        "GET\r\n",
        "GET:",
        "G@T",
        "\u{e9}",
        "TRACE",
        "GET /",
        "(GET)",
    ];
    let served = ["get", "PROPFIND", "!#$%&'*+-.^_`|~", "POST", "OPTIONS", "PUT"];
    run(&[table(":method", Refused, &refused), table(":method", Served, &served)].concat_cases());
}

#[test]
fn malformed_schemes_and_authorities_are_rejected() {
    let schemes = ["", "ftp", "http://a.test/x?", "ht tp", "http\r\n", "://", "javascript", "file"];
    let authorities = [
        "",
        " ",
        "nope.test",
        "smuggled.test",
        "user@a.test",
        "@a.test",
        "a.test@",
        "a.test,b.test",
        "a.test b.test",
        "a.test/",
        "a.test/x",
        "a.test?x",
        "a.test#x",
        "a.test\\",
        "a.test:0",
        "a.test:65536",
        "a.test:x",
        "a.test:80:80",
        "[a.test]",
        "http://a.test",
        "a.test\r\nX: y",
        ".a.test",
        "a..test",
        "a.test..",
        "%61.test",
        "\u{e9}.test",
        "127.0.0.1",
        "[::1]",
        "*",
    ];
    let served = ["a.test", "A.TEST", "a.test.", "a.test:80", "a.test:65535", "a.test:"];
    let cases = [
        table(":scheme", Refused, &schemes),
        table(":authority", Refused, &authorities),
        table(":authority", Served, &served),
        table(":scheme", Served, &["http", "https"]),
        table(":scheme", Either, &["HTTP", "hTTp"]),
    ];
    run(&cases.concat_cases());
}

#[test]
fn connect_is_rejected() {
    let connect = |fields: &[&str]| fields.iter().fold(request("CONNECT"), |fields, name| but(fields, name, None));
    run(&[
        head("CONNECT", &connect(&[":scheme", ":path"]), Refused),
        head("CONNECT with a scheme", &connect(&[":path"]), Refused),
        head("CONNECT with a path", &connect(&[":scheme"]), Refused),
        head("CONNECT with both", &connect(&[]), Refused),
        head("CONNECT without a name", &connect(&[":scheme", ":path", ":authority"]), Refused),
        head(
            "CONNECT to another name",
            &but(connect(&[":scheme", ":path"]), ":authority", Some(b"127.0.0.1:22")),
            Refused,
        ),
    ]);
}

#[test]
fn malformed_extended_connects_are_rejected() {
    let ask = |protocol: &str| with(request("CONNECT"), &[(":protocol", protocol.as_bytes())]);
    let protocols = ["", "x\r\nX: y", "a, b", "a b", "a/b/c", "\u{e9}", "h2c", "HTTP/2.0", "TLS/1.2"];
    let one = |protocol: &&str| head(format!("for {protocol:?}"), &ask(protocol), Refused);
    let mut cases: Vec<_> = protocols.iter().map(one).collect();
    for (name, value) in [(":path", None), (":scheme", None), (":scheme", Some("ftp")), (":path", Some("/x\r\nX: y"))] {
        let fields = but(ask("websocket"), name, value.map(str::as_bytes));
        cases.push(head(format!("{name} {value:?}"), &fields, Refused));
    }
    for (name, value) in [("upgrade", "x"), ("connection", "upgrade"), ("host", "b.test"), (":protocol", "x")] {
        let fields = with(ask("websocket"), &[(name, value.as_bytes())]);
        cases.push(head(format!("with {name}"), &fields, Refused));
    }
    for authority in ["nope.test", "127.0.0.1", "a.test,b.test"] {
        let fields = but(ask("websocket"), ":authority", Some(authority.as_bytes()));
        cases.push(head(format!("to {authority}"), &fields, Refused));
    }
    let get = with(get(), &[(":protocol", b"websocket")]);
    cases.push(head("GET with a protocol", &get, Refused));
    run(&cases);
}

trait ConcatCases {
    fn concat_cases(self) -> Vec<Case>;
}

impl<const N: usize> ConcatCases for [Vec<Case>; N] {
    fn concat_cases(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}
