//! HTTP/2 test cases: frames, and the outcomes that are allowed.

use std::net::TcpStream;

use crate::corpus::GIVE_UP;
use crate::support::{Backend, Client, Program, Start, assert_none, backend::ok, h2, h2::Answer};

pub type Fields = Vec<(String, Vec<u8>)>;

pub struct Case {
    pub name: String,
    pub frames: Vec<u8>,
    pub expected: Expected,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It gets a 200 from the backend.
    Served,
    /// No complete request reaches a backend. The stream or the connection fails.
    Refused,
    /// Like `Refused`, once the client has shut down its sending side.
    Cut,
    /// The specifications allow both. Whatever is forwarded is unambiguous.
    Either,
}

/// The stream of each case. An earlier one may have been served before.
pub const STREAM: u32 = 3;

pub fn get() -> Fields {
    request("GET")
}

pub fn request(method: &str) -> Fields {
    let fields = [(":method", method), (":scheme", "http"), (":authority", "a.test"), (":path", "/")];
    fields.map(|(name, value)| (name.to_owned(), value.into())).to_vec()
}

pub fn with(mut fields: Fields, more: &[(&str, &[u8])]) -> Fields {
    fields.extend(more.iter().map(|(name, value)| ((*name).to_owned(), value.to_vec())));
    fields
}

/// Replaces the value of a pseudo-header, or removes it.
pub fn but(fields: Fields, name: &str, value: Option<&[u8]>) -> Fields {
    let replace = |(key, old): (String, Vec<u8>)| match value {
        _ if key != name => Some((key, old)),
        Some(value) => Some((key, value.to_vec())),
        None => None,
    };
    fields.into_iter().filter_map(replace).collect()
}

pub fn headers(fields: &Fields, end: bool) -> Vec<u8> {
    let fields: Vec<_> = fields.iter().map(|(name, value)| (&**name, &**value)).collect();
    h2::headers(STREAM, &fields, end)
}

/// A request without a body.
pub fn head(name: impl Into<String>, fields: &Fields, expected: Expected) -> Case {
    Case { name: name.into(), frames: headers(fields, true), expected }
}

/// Over TCP, with SETTINGS held back until a served name was seen.
pub fn start() -> (Program, Backend) {
    let backend = Backend::start(|connection| {
        while connection.request().is_some() {
            connection.send(ok("ok"));
        }
    });
    let start = Start::new().route("a.test", &backend).route("b.test", &backend);
    (start.flags(&["--http-h2c", "silent", "--silence-deadline", "2s"]).run(), backend)
}

/// Runs each case on its own connection, alone and after a request that was served.
#[track_caller]
pub fn run(cases: &[Case]) {
    let (program, backend) = start();
    let (mut failures, mut least, mut most) = (Vec::new(), 0, 0);
    for case in cases {
        for later in [false, true] {
            let mut client = Client::connect(program.http());
            client.send(h2::opening());
            if later {
                client.send(h2::headers(1, &h2_get(), true));
                assert_eq!(client.answer(1), Answer::Status(200));
                (least, most) = (least + 1, most + 1);
            }
            client.send(&case.frames);
            // If nothing else closes the connection, this does: a stream error is not reported before a name was seen.
            // Not for cases after a served request, because it would cut that off as well.
            if case.expected == Expected::Cut || (case.expected == Expected::Refused && !later) {
                client.finish_sending();
            }
            client.stream.set_read_timeout(Some(GIVE_UP)).unwrap();
            let answer = answer(&mut client);
            let refused =
                matches!(answer, Answer::Status(400..=499 | 501) | Answer::StreamReset | Answer::GoAway | Answer::End);
            let good = match case.expected {
                Expected::Served => answer == Answer::Status(200),
                Expected::Refused | Expected::Cut => refused,
                Expected::Either => refused || answer == Answer::Status(200),
            };
            let served = usize::from(answer == Answer::Status(200));
            (least, most) =
                (least + served, most + usize::from(matches!(case.expected, Expected::Served | Expected::Either)));
            let place = if later { ", later" } else { "" };
            failures.extend((!good).then(|| format!("{}{place}: {answer:?}", case.name)));
        }
    }
    failures.extend(program.log().into_iter().filter(|line| line.contains("panicked")));
    drop(program);
    backend.wait_for_end();
    assert_none(&failures);
    let requests = backend.requests();
    assert!(requests.iter().all(|request| request.field("host") != "smuggled.test"), "{requests:?}");
    assert!((least..=most).contains(&requests.len()), "{} of {least} to {most}", requests.len());
}

fn answer(client: &mut Client<TcpStream>) -> Answer {
    client.answer(STREAM)
}

fn h2_get() -> Vec<(&'static str, &'static [u8])> {
    vec![(":method", b"GET"), (":scheme", b"http"), (":authority", b"a.test"), (":path", b"/")]
}

/// An HTTP/1.1 request with these lines as its trailers.
pub fn http1(trailers: &str) -> String {
    crate::corpus::post("Transfer-Encoding: chunked\r\nTrailer: x", &format!("3\r\nabc\r\n0\r\n{trailers}\r\n"))
}
