//! HTTP/2 bodies: wrong lengths, trailers, frames out of order (RFC 9113, 5.1, 6.1 and 8.1.1).

use crate::{
    http2_corpus::{Case, Expected, STREAM, get, headers, request, run, with},
    support::h2,
};

use Expected::{Cut, Either, Refused, Served};

fn case(name: impl Into<String>, expected: Expected, frames: &[Vec<u8>]) -> Case {
    Case { name: name.into(), frames: frames.concat(), expected }
}

fn post(length: &[u8]) -> Vec<u8> {
    headers(&with(request("POST"), &[("content-length", length)]), false)
}

fn data(bytes: &[u8], end: bool) -> Vec<u8> {
    h2::data(STREAM, bytes, end)
}

fn trailers(fields: &[(&str, &[u8])], end: bool) -> Vec<u8> {
    h2::headers(STREAM, fields, end)
}

#[test]
fn wrong_lengths_are_rejected() {
    let smuggled = b"GET /smuggled HTTP/1.1\r\nHost: smuggled.test\r\n\r\n";
    let mut cases = Vec::new();
    for length in [
        "",
        "+3",
        "-3",
        "0x3",
        "3.0",
        "3 3",
        "3,3",
        "3, 3",
        "a",
        "3a",
        "\u{ff13}",
        "18446744073709551616",
        "18446744073709551619",
        "4",
        "2",
        "0",
        "99999",
    ] {
        cases.push(case(format!("{length:?}"), Refused, &[post(length.as_bytes()), data(b"abc", true)]));
        let fields = with(get(), &[("content-length", length.as_bytes())]);
        let expected = if length == "0" { Served } else { Refused };
        cases.push(case(format!("{length:?} in a GET without a body"), expected, &[headers(&fields, true)]));
    }
    for (name, lengths) in [("differ", [&b"3"[..], b"4"]), ("differ, in the other order", [b"4", b"3"])] {
        let fields = with(request("POST"), &lengths.map(|length| ("content-length", length)));
        cases.push(case(format!("two that {name}"), Refused, &[headers(&fields, false), data(b"abc", true)]));
    }
    // RFC 9110, 8.6: these may be read as one.
    let agree = with(request("POST"), &[("content-length", b"3"), ("content-length", b"3")]);
    cases.push(case("two that agree", Either, &[headers(&agree, false), data(b"abc", true)]));
    cases.push(case("a request after a length of 0", Refused, &[post(b"0"), data(smuggled, true)]));
    cases.push(case(
        "a request after a short length",
        Refused,
        &[post(b"3"), data(b"abc", false), data(smuggled, true)],
    ));
    cases.push(case("no data after a length", Refused, &[post(b"3"), data(b"", true)]));
    cases.push(case("trailers instead of a body", Refused, &[post(b"3"), trailers(&[("x", b"y")], true)]));
    for length in [&b"3"[..], b"03", b"0000003"] {
        cases.push(case(format!("{}", length.escape_ascii()), Served, &[post(length), data(b"abc", true)]));
    }
    cases.push(case(
        "in pieces",
        Served,
        &[post(b"3"), data(b"a", false), data(b"b", false), data(b"c", false), data(b"", true)],
    ));
    cases.push(case(
        "no length, in pieces",
        Served,
        &[headers(&request("POST"), false), data(b"a", false), data(b"bc", true)],
    ));
    cases.push(case("no length, in a GET", Served, &[headers(&get(), false), data(smuggled, true)]));
    cases.push(case("no length and no data", Served, &[headers(&get(), false), data(b"", true)]));
    run(&cases);
}

#[test]
fn malformed_trailers_are_rejected_or_dropped() {
    let open = || vec![headers(&request("POST"), false), data(b"abc", false)];
    let behind = |fields: &[(&str, &[u8])]| [open(), vec![trailers(fields, true)]].concat();
    let mut cases = vec![
        case("one", Served, &behind(&[("x", b"y")])),
        case("none", Served, &behind(&[])),
        case("without END_STREAM", Cut, &[open(), vec![trailers(&[("x", b"y")], false)]].concat()),
        case("twice", Either, &[behind(&[("x", b"y")]), vec![trailers(&[("x", b"y")], true)]].concat()),
        case("a body after them", Either, &[behind(&[("x", b"y")]), vec![data(b"abc", true)]].concat()),
    ];
    // RFC 9113, 8.1: malformed. If they are accepted, they must be dropped.
    for name in [":method", ":path", ":authority", ":scheme", ":status"] {
        cases.push(case(name, Either, &behind(&[(name, b"/smuggled")])));
    }
    for (name, value) in
        [("x", &b"a\r\nHost: smuggled.test"[..]), ("x", b"a\0"), ("X", b"a"), ("a b", b"a"), ("a\r\nb", b"a")]
    {
        cases.push(case(format!("{name:?}: {}", value.escape_ascii()), Refused, &behind(&[(name, value)])));
    }
    for name in ["content-length", "host", "x-forwarded-for", "content_length", "cookie"] {
        cases.push(case(name, Served, &behind(&[(name, b"9")])));
    }
    // RFC 9113, 8.2.2: malformed. In any case, they are not forwarded.
    for name in ["transfer-encoding", "connection", "te", "upgrade"] {
        cases.push(case(name, Either, &behind(&[(name, b"chunked")])));
    }
    run(&cases);
}

#[test]
fn frames_out_of_order_are_rejected() {
    let get = || headers(&get(), true);
    let fields = |stream: u32| {
        h2::headers(
            stream,
            &[(":method", b"GET"), (":scheme", b"http"), (":authority", b"a.test"), (":path", b"/")],
            true,
        )
    };
    let padded = |pad: u8, body: &[u8]| h2::frame(h2::DATA, 9, STREAM, &[&[pad], body].concat());
    run(&[
        case("DATA on stream 0", Refused, &[h2::data(0, b"abc", true), get()]),
        case("HEADERS on stream 0", Refused, &[fields(0), get()]),
        case("HEADERS on an even stream", Refused, &[fields(4), get()]),
        case("DATA before HEADERS", Refused, &[data(b"abc", true), get()]),
        case("CONTINUATION before HEADERS", Refused, &[h2::frame(9, 4, STREAM, &[]), get()]),
        case("another frame within a head", Refused, &[h2::frame(h2::HEADERS, 1, STREAM, &[]), h2::ping(1), get()]),
        case("a stream that was skipped", Refused, &[fields(5), get()]),
        case("PUSH_PROMISE", Refused, &[h2::frame(5, 4, 1, &[0, 0, 0, 2]), get()]),
        case("a frame that is too large", Refused, &[h2::frame(h2::DATA, 0, STREAM, &[0; 20_000]), get()]),
        case("a SETTINGS of five bytes", Refused, &[h2::frame(h2::SETTINGS, 0, 0, &[0; 5]), get()]),
        case("a PING of seven bytes", Refused, &[h2::frame(h2::PING, 0, 0, &[0; 7]), get()]),
        case("a window beyond its limit", Refused, &[h2::frame(8, 0, 0, &0x7fff_ffff_u32.to_be_bytes()), get()]),
        case("a window update of 0", Refused, &[h2::frame(8, 0, 0, &[0; 4]), get()]),
        case("a stream that depends on itself", Either, &[h2::frame(2, 0, STREAM, &[0, 0, 0, 3, 1]), get()]),
        case("an unknown index", Refused, &[h2::frame(h2::HEADERS, 5, STREAM, &[0xff, 0xff, 0x7f])]),
        case("an index of 0", Refused, &[h2::frame(h2::HEADERS, 5, STREAM, &[0x80])]),
        case("half a literal", Refused, &[h2::frame(h2::HEADERS, 5, STREAM, &[0, 5, b'a'])]),
        case("padding longer than its frame", Refused, &[headers(&request("POST"), false), padded(9, b"abc")]),
        case("padding", Served, &[post(b"3"), padded(2, b"abc\0\0")]),
        case("padding alone", Refused, &[post(b"3"), padded(3, b"\0\0\0")]),
        case("a frame of an unknown kind", Served, &[h2::frame(0xbe, 0xff, STREAM, b"xyz"), get()]),
        case("an unknown setting", Served, &[h2::frame(h2::SETTINGS, 0, 0, &[0xff, 0xff, 0, 0, 0, 1]), get()]),
    ]);
}
