//! The chunked coding (RFC 9112, 7.1). If it turns out to be broken after the head was forwarded, the backend never
//! gets a complete request.

use crate::corpus::{Case, Expected, case, post, refuse, run, serve};

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked", body)
}

#[test]
fn malformed_sizes_are_rejected() {
    let refused = [
        "",
        " ",
        "g",
        "x",
        "-3",
        "+3",
        "0x3",
        "0X3",
        "3.0",
        "3,",
        "3 3",
        "3_",
        "\"3\"",
        "3h",
        "\u{ff13}",
        "%33",
        "3\t4",
        "10000000000000003",
        "ffffffffffffffff3",
        "100000000000000000000000000000003",
        "3\r",
        "3\0",
        "3\u{b}",
        "3:x",
        "3=x",
        "\n3",
    ];
    let mut cases: Vec<Case> = refused
        .iter()
        .map(|size| refuse(format!("{size:?}"), chunked(&format!("{size}\r\nabc\r\n0\r\n\r\n"))))
        .collect();
    cases.extend(
        ["-0", "+0", "0x0", "00x", "0 0", "\"0\"", "o"]
            .iter()
            .map(|size| refuse(format!("{size:?} at the end"), chunked(&format!("3\r\nabc\r\n{size}\r\n\r\n")))),
    );
    for size in ["3", "03", "0000000000000003"] {
        cases.push(serve(size, chunked(&format!("{size}\r\nabc\r\n0\r\n\r\n"))));
    }
    for size in ["a", "A", "0A", "00a"] {
        cases.push(serve(size, chunked(&format!("{size}\r\n0123456789\r\n0\r\n\r\n"))));
    }
    for last in ["0", "00", "0000000000000000"] {
        cases.push(serve(format!("{last} at the end"), chunked(&format!("3\r\nabc\r\n{last}\r\n\r\n"))));
    }
    // More digits than 64 bits have, without a larger number.
    for zeros in [17, 40, 1000] {
        let fields = "Transfer-Encoding: chunked\r\nConnection: close";
        let body = format!("{}3\r\nabc\r\n0\r\n\r\n", "0".repeat(zeros));
        cases.push(case(format!("3 after {zeros} zeros"), post(fields, &body), Expected::Either));
    }
    // Nobody sends this much, so the second request is part of the body of the first, which is never complete.
    for size in ["7fffffffffffffff", "ffffffff", "fffffffffffffff0", "ffffffffffffffff"] {
        cases.push(case(
            size,
            chunked(&format!("{size}\r\nabc\r\n0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: a.test\r\n\r\n")),
            Expected::Cut,
        ));
    }
    run(&cases);
}

#[test]
fn malformed_ends_are_rejected() {
    let refused = [
        ("a size with bare LF", "3\nabc\r\n0\r\n\r\n"),
        ("a size with bare CR", "3\rabc\r\n0\r\n\r\n"),
        ("a size with two CRs", "3\r\r\nabc\r\n0\r\n\r\n"),
        ("a size with LF CR", "3\n\rabc\r\n0\r\n\r\n"),
        ("a chunk with bare LF", "3\r\nabc\n0\r\n\r\n"),
        ("a chunk with bare CR", "3\r\nabc\r0\r\n\r\n"),
        ("a chunk with two CRs", "3\r\nabc\r\r\n0\r\n\r\n"),
        ("a chunk without an end", "3\r\nabc0\r\n\r\n"),
        ("a chunk that ends in two letters", "3\r\nabcXX0\r\n\r\n"),
        ("a chunk that is too long", "3\r\nabcd\r\n0\r\n\r\n"),
        ("a chunk that is too short", "5\r\nabc\r\n0\r\n\r\n"),
        ("an empty line between", "3\r\nabc\r\n\r\n0\r\n\r\n"),
        ("the last size with bare LF", "3\r\nabc\r\n0\n\r\n"),
        ("the last size with bare CR", "3\r\nabc\r\n0\rX\r\n\r\n"),
        ("the end with bare CR", "0\r\n\rX"),
        ("bare LF throughout", "3\nabc\n0\n\n"),
    ];
    let mut cases: Vec<Case> = refused.iter().map(|(name, body)| refuse(*name, chunked(body))).collect();
    cases.push(serve("many chunks", chunked(&("1\r\nx\r\n".repeat(2000) + "0\r\n\r\n"))));
    for (name, body) in [
        ("no chunks", ""),
        ("no last chunk", "3\r\nabc\r\n"),
        ("a size without an end", "3"),
        ("a chunk cut short", "5\r\nabc"),
        ("a last chunk without an end", "3\r\nabc\r\n0\r\n"),
        ("half an end", "3\r\nabc\r\n0\r\n\r"),
    ] {
        cases.push(case(name, chunked(body), Expected::Cut));
    }
    run(&cases);
}

#[test]
fn extensions_are_ignored_up_to_a_limit() {
    let cases: Vec<Case> = [
        "3;a=b",
        "3;a",
        "3;",
        "3;;",
        "3;a=\"b\"",
        "3;a=\"\\\"\"",
        "3;a=\"\r\"",
        "3;a=\"\n\"",
        "3; a",
        "3 ;a",
        "3\t;a",
        "3 ",
        "3;a=b;c=d",
        "3;a\rb",
        "3;a\nb",
        "3;\u{0}",
        "3;\u{7f}",
        "3;\u{e9}",
        "3;a\n",
        "3;\r\n;",
    ]
    .iter()
    .flat_map(|size| {
        let close = |body: String| post("Transfer-Encoding: chunked\r\nConnection: close", &body);
        // RFC 9112, 7.1.1: a recipient ignores unknown extensions. None is forwarded.
        [
            case(format!("{size:?}"), close(format!("{size}\r\nabc\r\n0\r\n\r\n")), Expected::Either),
            case(
                format!("{size:?} at the end"),
                close(format!("3\r\nabc\r\n{}\r\n\r\n", size.replacen('3', "0", 1))),
                Expected::Either,
            ),
        ]
    })
    .chain([
        // The total size of extensions is limited, because they are read only to be discarded.
        refuse("an endless extension", chunked(&format!("3;{}\r\nabc\r\n0\r\n\r\n", "a".repeat(70_000)))),
        refuse("endless extensions", chunked(&format!("{}0\r\n\r\n", "1;aaaaaaaaaaaaaaaa\r\nx\r\n".repeat(20_000)))),
    ])
    .collect();
    run(&cases);
}
