//! HTTP/2 headers that HTTP/1.1 cannot express, or that duplicate HTTP/2 framing (RFC 9113, 8.2 and 8.3).

use crate::http2_corpus::{Case, Expected, but, get, head, headers, request, run, with};

use Expected::{Either, Refused, Served};

#[test]
fn forbidden_bytes_in_values_are_rejected() {
    let mut cases = Vec::new();
    for byte in (0..=0x1f).chain([0x7f]).filter(|byte| *byte != b'\t') {
        let value = [&b"a"[..], &[byte], b"Host: smuggled.test"].concat();
        cases.push(head(format!("{byte:#x} in a value"), &with(get(), &[("x", &value)]), Refused));
        for pseudo in [":method", ":scheme", ":authority", ":path"] {
            let value = [&b"/"[..], &[byte], b"x"].concat();
            cases.push(head(format!("{byte:#x} in {pseudo}"), &but(get(), pseudo, Some(&value)), Refused));
        }
    }
    for (name, value) in [
        ("CR LF and a header", &b"a\r\nTransfer-Encoding: chunked"[..]),
        ("CR LF CR LF and a request", b"a\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: smuggled.test\r\n\r\n"),
        ("LF and a header", b"a\nTransfer-Encoding: chunked"),
        ("LF at the end", b"a\n"),
        ("CR at the end", b"a\r"),
        ("NUL at the end", b"a\0"),
    ] {
        cases.push(head(name, &with(get(), &[("x", value)]), Refused));
        cases.push(head(format!("{name}, in a cookie"), &with(get(), &[("cookie", value)]), Refused));
    }
    cases.push(head("a tab", &with(get(), &[("x", b"a\tb")]), Served));
    cases.push(head("obs-text", &with(get(), &[("x", b"\xff\xe9")]), Served));
    cases.push(head("an empty value", &with(get(), &[("x", b"")]), Served));
    // RFC 9113, 8.2.1.
    for value in [&b" a"[..], b"a ", b"\ta", b"a\t", b" "] {
        cases.push(head(format!("{value:?}"), &with(get(), &[("x", value)]), Refused));
    }
    run(&cases);
}

#[test]
fn forbidden_bytes_in_names_are_rejected() {
    let mut cases: Vec<Case> = [
        "X",
        "Xa",
        "xA",
        "Host",
        "a b",
        " a",
        "a ",
        "a\t",
        "a\0",
        "a\r",
        "a\n",
        "a\r\nhost",
        "a: b\r\nhost",
        "a:",
        "a:b",
        "",
        "(",
        "a(",
        "a/",
        "a@",
        "\"a\"",
        "{a}",
        "\u{e9}",
        "a\u{7f}",
        "transfer-encoding:",
        "content-length ",
        "transfer-encoding: chunked\r\nx",
    ]
    .iter()
    .map(|name| head(format!("{name:?}"), &with(get(), &[(name, b"3")]), Refused))
    .collect();
    cases.push(head("every character of a token", &with(get(), &[("!#$%&'*+-.^_`|~09az", b"x")]), Served));
    run(&cases);
}

#[test]
fn connection_headers_are_rejected() {
    let mut cases = Vec::new();
    for (name, value) in [
        ("connection", &b"close"[..]),
        ("connection", b"x-forwarded-for"),
        ("connection", b""),
        ("keep-alive", b"timeout=5"),
        ("proxy-connection", b"close"),
        ("transfer-encoding", b"chunked"),
        ("transfer-encoding", b"identity"),
        ("transfer-encoding", b"gzip"),
        ("transfer-encoding", b""),
        ("upgrade", b"h2c"),
        ("upgrade", b"websocket"),
        ("te", b"gzip"),
        ("te", b"trailers, gzip"),
        ("te", b"chunked"),
    ] {
        let name_of_case = format!("{name}: {}", value.escape_ascii());
        cases.push(head(&name_of_case, &with(get(), &[(name, value)]), Refused));
        cases.push(head(
            name_of_case + " and a length",
            &with(request("POST"), &[(name, value), ("content-length", b"0")]),
            Refused,
        ));
    }
    cases.push(head("te: trailers", &with(get(), &[("te", b"trailers")]), Served));
    for alias in [
        "transfer_encoding",
        "content_length",
        "x-forwarded-for",
        "x_forwarded_for",
        "http2-settings",
        "proxy-authorization",
    ] {
        cases.push(head(alias, &with(get(), &[(alias, b"9")]), Served));
    }
    run(&cases);
}

#[test]
fn pseudo_headers_must_be_complete_and_unique() {
    let again = |name: &'static str, value: &'static [u8]| with(get(), &[(name, value)]);
    let first = |name: &str, value: &[u8]| {
        with(vec![(name.to_owned(), value.to_vec())], &[]).into_iter().chain(get()).collect()
    };
    let mut cases = vec![
        head("two methods", &again(":method", b"GET"), Refused),
        head("two methods that differ", &again(":method", b"POST"), Refused),
        head("two schemes", &again(":scheme", b"http"), Refused),
        head("two authorities", &again(":authority", b"a.test"), Refused),
        head("two authorities that differ", &again(":authority", b"b.test"), Refused),
        head("two authorities, the other first", &first(":authority", b"b.test"), Refused),
        head("two paths", &again(":path", b"/"), Refused),
        head("two paths that differ", &again(":path", b"/smuggled"), Refused),
        head(":status", &again(":status", b"200"), Refused),
        head(":unknown", &again(":unknown", b"x"), Refused),
        head(":protocol", &again(":protocol", b"websocket"), Refused),
        head(":host", &again(":host", b"b.test"), Refused),
        head("a colon alone", &again(":", b"x"), Refused),
        head("no method", &but(get(), ":method", None), Refused),
        head("no scheme", &but(get(), ":scheme", None), Refused),
        head("no path", &but(get(), ":path", None), Refused),
        head("no name", &but(get(), ":authority", None), Refused),
        head("no headers at all", &Vec::new(), Refused),
        head("Host instead of :authority", &with(but(get(), ":authority", None), &[("host", b"a.test")]), Served),
    ];
    for pseudo in [":method", ":scheme", ":authority", ":path"] {
        let mut late = but(get(), pseudo, None);
        let value = get().into_iter().find(|(name, _)| name == pseudo).unwrap().1;
        late.extend([("x".to_owned(), b"y".to_vec()), (pseudo.to_owned(), value)]);
        cases.push(head(format!("{pseudo} after a header"), &late, Refused));
        cases.push(head(format!("an empty {pseudo}"), &but(get(), pseudo, Some(b"")), Refused));
    }
    // RFC 9113, 8.3.1: Host must name the same as :authority.
    for (host, expected) in [
        (&b"a.test"[..], Served),
        (b"A.TEST", Served),
        (b"b.test", Refused),
        (b"smuggled.test", Refused),
        (b"", Refused),
        (b"a.test, b.test", Refused),
        (b"user@a.test", Refused),
        (b"a.test\\", Refused),
    ] {
        cases.push(head(format!("Host {}", host.escape_ascii()), &with(get(), &[("host", host)]), expected));
    }
    cases.push(head("two Hosts", &with(get(), &[("host", b"a.test"), ("host", b"a.test")]), Refused));
    cases.push(head("two Hosts that differ", &with(get(), &[("host", b"a.test"), ("host", b"b.test")]), Refused));
    run(&cases);
}

#[test]
fn heads_beyond_the_limit_are_rejected() {
    let large = vec![b'x'; 15_000];
    let more = |count: usize| with(get(), &vec![("x", &*large); count]);
    let frames = |fields: &crate::http2_corpus::Fields| {
        // In several frames: HEADERS and CONTINUATION (9).
        let block = headers(fields, true).split_off(9);
        let pieces: Vec<_> = block.chunks(16_000).collect();
        let last = pieces.len() - 1;
        let frame = |(index, piece): (usize, &&[u8])| {
            let kind = if index == 0 { crate::support::h2::HEADERS } else { 9 };
            let flags = u8::from(index == 0) | if index == last { 4 } else { 0 };
            crate::support::h2::frame(kind, flags, crate::http2_corpus::STREAM, piece)
        };
        pieces.iter().enumerate().flat_map(frame).collect::<Vec<u8>>()
    };
    let cases = [(1, Served), (4, Served), (5, Refused), (10, Refused)];
    run(&cases.map(|(count, expected)| Case {
        name: format!("{count} large headers"),
        frames: frames(&more(count)),
        expected,
    }));
}
