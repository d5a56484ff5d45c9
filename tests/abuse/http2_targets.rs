//! Methods, paths, schemes and authorities of HTTP/2 (RFC 9113, 8.3.1 and 8.5).

use crate::http2_corpus::{Case, Expected, but, get, head, request, run, with};

use Expected::{Either, Refused, Served};

fn table(pseudo: &str, expected: Expected, values: &[&str]) -> Vec<Case> {
    let one = |value: &&str| head(format!("{pseudo} {value:?}"), &but(get(), pseudo, Some(value.as_bytes())), expected);
    values.iter().map(one).collect()
}

#[test]
fn paths() {
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
fn methods() {
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
fn schemes_and_authorities() {
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
        "a.test:",
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
    let served = ["a.test", "A.TEST", "a.test.", "a.test:80", "a.test:65535"];
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
fn connect() {
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
        head(
            "extended CONNECT",
            &but(
                with(vec![(":protocol".to_owned(), b"websocket".to_vec())], &[])
                    .into_iter()
                    .chain(request("CONNECT"))
                    .collect(),
                "",
                None,
            ),
            Refused,
        ),
        head(
            "extended CONNECT of a protocol with CR LF",
            &but(
                vec![(":protocol".to_owned(), b"x\r\nX: y".to_vec())].into_iter().chain(request("CONNECT")).collect(),
                "",
                None,
            ),
            Refused,
        ),
    ]);
}

trait ConcatCases {
    fn concat_cases(self) -> Vec<Case>;
}

impl<const N: usize> ConcatCases for [Vec<Case>; N] {
    fn concat_cases(self) -> Vec<Case> {
        self.into_iter().flatten().collect()
    }
}
