//! Bytes where they are not allowed (RFC 9110, 5.1 and 5.5; RFC 9112, 2.2 and 5).

use crate::corpus::{Case, Expected, case, post, refuse, run, serve};

fn head(line: &[u8], fields: &[u8]) -> Vec<u8> {
    [line, b"\r\nHost: a.test\r\n", fields, b"\r\n"].concat()
}

#[test]
fn control_bytes_are_rejected() {
    let mut cases = Vec::new();
    for byte in (0..=0x1f).chain([0x7f]).filter(|byte| !matches!(byte, b'\t' | b'\n')) {
        let around = |before: &[u8], after: &[u8]| [before, &[byte], after].concat();
        let get = &b"GET / HTTP/1.1"[..];
        cases.push(refuse(format!("{byte:#x} in a value"), head(get, &around(b"X: a", b"b\r\n"))));
        cases.push(refuse(format!("{byte:#x} in a name"), head(get, &around(b"X", b"Y: a\r\n"))));
        cases.push(refuse(format!("{byte:#x} in a path"), head(&around(b"GET /", b"x HTTP/1.1"), b"")));
        cases.push(refuse(format!("{byte:#x} in a query"), head(&around(b"GET /?", b"x HTTP/1.1"), b"")));
        cases.push(refuse(format!("{byte:#x} in a method"), head(&around(b"GE", b"T / HTTP/1.1"), b"")));
        cases.push(refuse(format!("{byte:#x} in a version"), head(&around(b"GET / HTTP/1.1", b""), b"")));
        cases.push(refuse(
            format!("{byte:#x} before a coding"),
            head(b"POST / HTTP/1.1", &around(b"X: a", b"Transfer-Encoding: chunked\r\n")),
        ));
    }
    // A tab is allowed in a value, but nowhere else.
    cases.push(serve("a tab in a value", head(b"GET / HTTP/1.1", b"X: a\tb\r\n")));
    cases.push(refuse("a tab in a name", head(b"GET / HTTP/1.1", b"X\tY: a\r\n")));
    cases.push(refuse("a tab in a path", head(b"GET /\tx HTTP/1.1", b"")));
    run(&cases);
}

#[test]
fn bytes_beyond_ascii_are_accepted_only_in_values() {
    let mut cases = Vec::new();
    for byte in [0x80, 0x85, 0xa0, 0xc3, 0xe9, 0xfe, 0xff] {
        let around = |before: &[u8], after: &[u8]| [before, &[byte], after].concat();
        let get = &b"GET / HTTP/1.1"[..];
        // Opaque in values (RFC 9110, 5.5).
        cases.push(serve(format!("{byte:#x} in a value"), head(get, &around(b"X: a", b"b\r\n"))));
        cases.push(refuse(format!("{byte:#x} in a name"), head(get, &around(b"X", b"Y: a\r\n"))));
        cases.push(refuse(format!("{byte:#x} in a path"), head(&around(b"GET /", b"x HTTP/1.1"), b"")));
        cases.push(refuse(format!("{byte:#x} in a query"), head(&around(b"GET /?", b"x HTTP/1.1"), b"")));
        cases.push(refuse(format!("{byte:#x} in a method"), head(&around(b"GE", b"T / HTTP/1.1"), b"")));
    }
    run(&cases);
}

#[test]
fn malformed_names_are_rejected() {
    let mut cases = Vec::new();
    for (line, body) in
        [("Transfer-Encoding: chunked", "0\r\n\r\n"), ("Content-Length: 3", "abc"), ("Host: a.test", "")]
    {
        let (name, value) = line.split_once(": ").unwrap();
        for spoilt in [
            format!("{name} "),
            format!("{name}\t"),
            format!(" {name}"),
            format!("\t{name}"),
            format!("{name}\r"),
            format!("{name}("),
            format!("({name}"),
            format!("{name}/"),
            format!("{name}@"),
            format!("\"{name}\""),
            format!("{name};"),
            format!("{name}="),
            format!("{{{name}}}"),
            format!("{name}\u{a0}"),
            format!("\u{feff}{name}"),
            name.replacen('-', " ", 1) + " x",
            name.replacen('-', "\u{2010}", 1) + "\u{2010}",
        ] {
            cases.push(refuse(format!("{spoilt:?}"), post(&format!("{spoilt}: {value}"), body)));
        }
        cases.push(refuse(format!("{name} without a colon"), post(&format!("{name} {value}"), body)));
        cases.push(refuse(format!("{name} folded"), post(&format!("{name}:\r\n {value}"), body)));
        cases.push(refuse(format!("{name} folded by a tab"), post(&format!("{name}:\r\n\t{value}"), body)));
        cases.push(refuse(format!("{name} in a fold"), post(&format!("X: a\r\n {line}"), body)));
        cases.push(refuse(format!("{name} after an empty fold"), post(&format!("X: a\r\n \r\n{line}"), body)));
    }
    cases.push(refuse("an empty name", post(": a", "")));
    cases.push(refuse("a colon alone", post(":", "")));
    cases.push(refuse("two leading colons", post("::a", "")));
    cases.push(serve("colons in a value", post("X: a:b::c", "")));
    cases.push(serve("no space after the colon", post("X:a", "")));
    cases.push(serve("an empty value", post("X:", "")));
    cases.push(serve("white space as a value", post("X: \t ", "")));
    cases.push(serve("every character of a token", post("!#$%&'*+-.^_`|~09azAZ: a", "")));
    run(&cases);
}

#[test]
fn unusual_line_ends_are_rejected_or_unambiguous() {
    let get = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close";
    let cases: Vec<Case> = vec![
        // RFC 9112, 2.2: a server should ignore an empty line before the request line.
        serve("an empty line first", "\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        serve("two empty lines first", "\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n"),
        // RFC 9112, 2.2: a recipient may treat a bare LF as the end of a line.
        case("bare LF", get.replace("\r\n", "\n") + "\n\n", Expected::Either),
        case("bare LF after the head", format!("{get}\r\n\n"), Expected::Either),
        case("bare LF after a header", get.replacen("test\r\n", "test\n", 1) + "\r\n\r\n", Expected::Either),
        case(
            "bare LF, then a coding",
            post("X: a\nTransfer-Encoding: chunked\r\nConnection: close", "0\r\n\r\n"),
            Expected::Either,
        ),
        case("bare LF, then a length", post("X: a\nContent-Length: 3\r\nConnection: close", "abc"), Expected::Either),
        refuse("bare CR after the request line", "GET / HTTP/1.1\rHost: a.test\r\n\r\n"),
        refuse("bare CR after a header", "GET / HTTP/1.1\r\nHost: a.test\rX: y\r\n\r\n"),
        refuse("two CR after the request line", "GET / HTTP/1.1\r\r\nHost: a.test\r\n\r\n"),
        refuse("two CR after a header", "GET / HTTP/1.1\r\nHost: a.test\r\r\n\r\n"),
        refuse("LF CR", "GET / HTTP/1.1\n\rHost: a.test\n\r\n\r"),
        refuse("white space before the first header", "GET / HTTP/1.1\r\n Host: a.test\r\n\r\n"),
        refuse("a line of white space", post("X: a\r\n \r\nY: b", "")),
        refuse("a line of white space first", "GET / HTTP/1.1\r\n \r\nHost: a.test\r\n\r\n"),
        refuse("NEL as the end of a line", "GET / HTTP/1.1\u{85}Host: a.test\u{85}\u{85}\r\n\r\n"),
        refuse("a vertical tab as the end of a line", "GET / HTTP/1.1\u{b}Host: a.test\r\n\r\n"),
    ];
    run(&cases);
}
