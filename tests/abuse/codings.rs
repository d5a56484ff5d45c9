//! Transfer-Encoding in every spelling (RFC 9112, 6.1 and 6.3).

use crate::corpus::{Case, Expected, case, post, refuse, run, serve};

/// Values other than `chunked` alone. Valid lists such as `gzip, chunked` are rejected as well: a server need not know
/// all codings (RFC 9112, 6.1), and a backend may know only some of the list.
const SPELLINGS: [&str; 34] = [
    "xchunked",
    "chunkedx",
    "chunke",
    "chunked;q=1",
    "chunked ;x",
    "chunked=1",
    "chunked,",
    ",chunked",
    ", chunked",
    "chunked, chunked",
    "chunked,chunked",
    "chunked chunked",
    "chun ked",
    "chunked\tx",
    "identity",
    "identity, chunked",
    "chunked, identity",
    "gzip",
    "gzip, chunked",
    "chunked, gzip",
    "deflate, chunked",
    "x, chunked",
    "\"chunked\"",
    "'chunked'",
    "[chunked]",
    "\\chunked",
    "chunked\\",
    "chunked#",
    "",
    "*",
    "cow",
    "0",
    "\u{a0}chunked",
    "chun\u{212a}ed",
];

#[test]
fn malformed_codings_are_rejected() {
    let mut cases = Vec::new();
    for coding in SPELLINGS {
        let line = format!("Transfer-Encoding: {coding}");
        for (place, fields) in [
            ("alone", line.clone()),
            ("before a length", format!("{line}\r\nContent-Length: 5")),
            ("after a length", format!("Content-Length: 5\r\n{line}")),
            ("before a good one", format!("{line}\r\nTransfer-Encoding: chunked")),
            ("after a good one", format!("Transfer-Encoding: chunked\r\n{line}")),
        ] {
            cases.push(refuse(format!("{coding:?} {place}"), post(&fields, "0\r\n\r\n")));
        }
    }
    run(&cases);
}

#[test]
fn chunked_alone_is_served() {
    let mut cases: Vec<Case> = ["chunked", "Chunked", "CHUNKED", " chunked", "\tchunked", "chunked ", "chunked \t "]
        .iter()
        .map(|coding| {
            serve(format!("{coding:?}"), post(&format!("Transfer-Encoding:{coding}"), "3\r\nabc\r\n0\r\n\r\n"))
        })
        .collect();
    for name in ["transfer-encoding", "TRANSFER-ENCODING", "tRaNsFeR-eNcOdInG"] {
        cases.push(serve(name, post(&format!("{name}: chunked"), "3\r\nabc\r\n0\r\n\r\n")));
    }
    // RFC 9112, 6.3: the coding wins, the length is not forwarded, and the connection ends.
    for fields in [
        "Content-Length: 6\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 6",
        "Content-Length: 0\r\nTransfer-Encoding: chunked",
        "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nContent-Length: 3",
        "Connection: keep-alive\r\nContent-Length: 6\r\nTransfer-Encoding: chunked",
        "Connection: transfer-encoding\r\nContent-Length: 6\r\nTransfer-Encoding: chunked",
        "Connection: content-length\r\nContent-Length: 6\r\nTransfer-Encoding: chunked",
    ] {
        let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
        cases.push(serve(fields, post(fields, &format!("0\r\n\r\n{smuggled}"))));
    }
    // RFC 9112, 6.1: an HTTP/1.0 message with Transfer-Encoding is faulty.
    for connection in ["close", "keep-alive"] {
        let old = format!("POST / HTTP/1.0\r\nHost: a.test\r\nConnection: {connection}\r\nTransfer-Encoding: chunked");
        cases.push(refuse(format!("HTTP/1.0, {connection}"), format!("{old}\r\n\r\n0\r\n\r\n")));
        cases.push(refuse(
            format!("HTTP/1.0 with a length, {connection}"),
            format!("{old}\r\nContent-Length: 5\r\n\r\n0\r\n\r\n"),
        ));
    }
    run(&cases);
}

#[test]
fn aliases_of_the_coding_never_reach_a_backend() {
    // These are different headers, which do not affect framing here. But no backend may get one that it could mistake
    // for Transfer-Encoding.
    let cases: Vec<Case> = ["Transfer_Encoding", "TRANSFER_ENCODING", "transfer-encoding-", "X-Transfer-Encoding"]
        .iter()
        .flat_map(|alias| {
            [
                serve(*alias, post(&format!("{alias}: chunked\r\nContent-Length: 5"), "0\r\n\r\n")),
                serve(
                    format!("{alias}, with the length in an alias"),
                    post(&format!("{alias}: chunked\r\nContent_Length: 9\r\nContent-Length: 5"), "0\r\n\r\n"),
                ),
            ]
        })
        .chain([
            case(
                "no body by any name",
                post("Transfer_Encoding: chunked\r\nContent-Length: 0", ""),
                Expected::Served(1),
            ),
            case("a coding for the response", post("TE: chunked\r\nContent-Length: 0", ""), Expected::Served(1)),
        ])
        .collect();
    run(&cases);
}
