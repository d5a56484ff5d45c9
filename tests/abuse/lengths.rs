//! Content-Length in every spelling (RFC 9110, 8.6; RFC 9112, 6.3).

use crate::corpus::{Case, Expected, case, post, refuse, run, serve};

const SPELLINGS: [&str; 30] = [
    "",
    "+3",
    "-3",
    "+0",
    "-0",
    "0x3",
    "0b11",
    "0o3",
    "3.0",
    "3e0",
    "3 3",
    "3\t3",
    "3;",
    "3,",
    ",3",
    "3_0",
    "3a",
    "a3",
    "a",
    "\"3\"",
    "'3'",
    "(3)",
    "3 abc",
    "\u{ff13}",
    "\u{663}",
    "\u{a0}3",
    "18446744073709551616",
    "18446744073709551619",
    "36893488147419103235",
    "99999999999999999999999999999999999999",
];

#[test]
fn malformed_lengths_are_rejected() {
    let mut cases = Vec::new();
    for length in SPELLINGS {
        let line = format!("Content-Length: {length}");
        cases.push(refuse(format!("{length:?} alone"), post(&line, "abc")));
        cases.push(refuse(
            format!("{length:?} before a good one"),
            post(&format!("{line}\r\nContent-Length: 3"), "abc"),
        ));
        cases
            .push(refuse(format!("{length:?} after a good one"), post(&format!("Content-Length: 3\r\n{line}"), "abc")));
        cases.push(refuse(
            format!("{length:?} in a GET"),
            format!("GET / HTTP/1.1\r\nHost: a.test\r\n{line}\r\n\r\nabc"),
        ));
        cases.push(refuse(
            format!("{length:?} in HTTP/1.0"),
            format!("POST / HTTP/1.0\r\nHost: a.test\r\nConnection: keep-alive\r\n{line}\r\n\r\nabc"),
        ));
    }
    run(&cases);
}

#[test]
fn several_lengths_must_agree() {
    let lines = |lengths: &[&str]| {
        lengths.iter().map(|length| format!("Content-Length: {length}")).collect::<Vec<_>>().join("\r\n")
    };
    let mut cases: Vec<Case> = [
        &["3", "4"][..],
        &["4", "3"],
        &["3", "0"],
        &["0", "3"],
        &["3", "3", "4"],
        &["3", "30"],
        &["3, 3"],
        &["3,3"],
        &["3, 4"],
        &["3", "3, 3"],
    ]
    .iter()
    .map(|lengths| refuse(lengths.join(" and "), post(&lines(lengths), "abc")))
    .collect();
    // RFC 9110, 8.6: repeated equal numbers may be read as one.
    for lengths in [&["3", "3"][..], &["3", "3", "3"]] {
        cases.push(serve(lengths.join(" and "), post(&lines(lengths), "abc")));
    }
    for (name, second) in
        [("Content_Length", "9"), ("CONTENT_LENGTH", "0"), ("Content-Length-", "9"), ("X-Content-Length", "9")]
    {
        cases.push(serve(name, post(&format!("{name}: {second}\r\nContent-Length: 3"), "abc")));
        cases.push(serve(format!("{name} after it"), post(&format!("Content-Length: 3\r\n{name}: {second}"), "abc")));
    }
    run(&cases);
}

#[test]
fn valid_lengths_are_served() {
    let smuggled = "GET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let mut cases: Vec<Case> = ["3", "03", "0000000000000000000000003", " 3", "3 ", "\t3\t"]
        .iter()
        .map(|length| serve(format!("{length:?}"), post(&format!("Content-Length:{length}"), "abc")))
        .collect();
    for method in ["GET", "DELETE", "OPTIONS", "PUT", "PATCH", "PROPFIND", "HEAD"] {
        let head = format!("{method} / HTTP/1.1\r\nHost: a.test\r\nContent-Length: {}\r\n\r\n", smuggled.len());
        cases.push(serve(format!("a request in the body of {method}"), head + smuggled));
        let chunks = format!("{:x}\r\n{smuggled}\r\n0\r\n\r\n", smuggled.len());
        let head = format!("{method} / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n");
        cases.push(serve(format!("a request in the chunks of {method}"), head + &chunks));
    }
    // Nobody sends this much, so the second request is part of the body of the first, which is never complete.
    for length in ["9223372036854775807", "4294967296"] {
        cases.push(case(length, post(&format!("Content-Length: {length}"), smuggled), Expected::Cut));
    }
    cases.push(case("a body that is cut short", post("Content-Length: 5000", smuggled), Expected::Cut));
    run(&cases);
}
