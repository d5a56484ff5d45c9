//! A flood of HTTP/2 requests or errors closes its connection. The backend is spared, and other clients are served.

use std::io::Write;

use crate::{
    http2_corpus::start,
    support::{Client, h2},
};

/// The head of a request on `stream`, with one more header.
fn head(stream: u32, end: bool, field: (&str, &[u8])) -> Vec<u8> {
    let head = [(":method", &b"POST"[..]), (":scheme", b"http"), (":authority", b"a.test"), (":path", b"/"), field];
    h2::headers(stream, &head, end)
}

fn get(stream: u32) -> Vec<u8> {
    let fields = [(":method", &b"GET"[..]), (":scheme", b"http"), (":authority", b"a.test"), (":path", b"/")];
    h2::headers(stream, &fields, true)
}

const RST: u8 = h2::RST_STREAM;
const CONTINUATION: u8 = 9;
const WINDOW_UPDATE: u8 = 8;

type Frames<'a> = Box<dyn Iterator<Item = Vec<u8>> + 'a>;

#[test]
fn floods_of_requests_and_errors_close_the_connection() {
    let streams = || (0..20_000).map(|number| 2 * number + 3);
    let cancel = 8_u32.to_be_bytes();
    let (x, lies) = (("x", &b"y"[..]), ("connection", &b"x"[..]));
    let attacks: Vec<(&str, Frames<'_>)> = vec![
        ("rapid reset", Box::new(streams().map(|stream| [get(stream), h2::frame(RST, 0, stream, &cancel)].concat()))),
        (
            "rapid reset within a body",
            Box::new(streams().map(|stream| [head(stream, false, x), h2::frame(RST, 0, stream, &cancel)].concat())),
        ),
        // MadeYouReset: the client breaks a rule, and the server resets.
        (
            "windows of 0",
            Box::new(
                streams().map(|stream| [head(stream, false, x), h2::frame(WINDOW_UPDATE, 0, stream, &[0; 4])].concat()),
            ),
        ),
        (
            "bodies after the end",
            Box::new(streams().map(|stream| [get(stream), h2::data(stream, b"x", true)].concat())),
        ),
        (
            "wrong lengths",
            Box::new(streams().map(|stream| {
                [head(stream, false, ("content-length", b"1")), h2::data(stream, b"xx", false)].concat()
            })),
        ),
        ("malformed heads", Box::new(streams().map(move |stream| head(stream, true, lies)))),
        ("endless requests", Box::new(streams().map(move |stream| head(stream, false, x)))),
        (
            "an endless head of empty frames",
            Box::new(
                std::iter::once(h2::frame(h2::HEADERS, 0, 3, &[]))
                    .chain(std::iter::repeat_n(h2::frame(CONTINUATION, 0, 3, &[]), 20_000)),
            ),
        ),
        (
            "an endless head",
            Box::new(
                std::iter::once(h2::frame(h2::HEADERS, 0, 3, &[]))
                    .chain(std::iter::repeat_n(h2::frame(CONTINUATION, 0, 3, &[0, 1, b'x', 1, b'y']), 20_000)),
            ),
        ),
        (
            "a body of empty frames",
            Box::new(std::iter::once(head(3, false, x)).chain(std::iter::repeat_n(h2::data(3, b"", false), 100_000))),
        ),
    ];
    let (program, backend) = start();
    for (name, frames) in attacks {
        let before = backend.connections().len();
        let mut client = Client::connect(program.http());
        client.send([h2::opening(), get(1)].concat());
        assert_eq!(client.answer(1), h2::Answer::Status(200), "{name}");
        let bytes: Vec<u8> = frames.flatten().collect();
        // Usually cut off when the connection ends.
        let _ = client.stream.write_all(&bytes);
        while let Some(frame) = client.frame() {
            assert!(frame.kind != h2::PING, "{name}");
        }
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200, "{name}");
        // Cancelled requests count against the number of open streams, so there are few.
        let more = backend.connections().len() - before;
        assert!(more <= 300, "{name}: {more} connections to the backend");
    }
}
