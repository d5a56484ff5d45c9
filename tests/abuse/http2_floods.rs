//! Endless HTTP/2 frames that carry nothing, and endless cancelled requests, close their connection. Other clients are
//! served meanwhile.

use std::{
    io::Write,
    net::TcpStream,
    thread::{self, JoinHandle},
};

use crate::{
    http2_corpus::start,
    support::{Backend, Client, Connection, End, Program, Start, h2, tls::Tls},
};

const PRIORITY: u8 = 2;
const WINDOW_UPDATE: u8 = 8;
const PRIORITY_UPDATE: u8 = 16;
/// RFC 9113, 7.
const CANCEL: [u8; 4] = [0, 0, 0, 8];
const ENHANCE_YOUR_CALM: [u8; 4] = [0, 0, 0, 11];

fn request(stream: u32, method: &str, end: bool) -> Vec<u8> {
    h2::headers(stream, &h2::request(method, "a.test", "/"), end)
}

/// Reads until the connection is closed. Returns the error code of the last GOAWAY, and how the connection was closed.
fn watch(stream: &TcpStream) -> JoinHandle<(Option<Vec<u8>>, End)> {
    let mut client = Client::new(stream.try_clone().unwrap());
    thread::spawn(move || {
        let mut reason = None;
        while let Some(frame) = client.frame() {
            if frame.kind == h2::GOAWAY {
                reason = Some(frame.payload[4..8].to_vec());
            }
        }
        (reason, client.end().1)
    })
}

#[test]
fn floods_of_idle_frames_close_the_connection() {
    let window = 1_u32.to_be_bytes();
    let windows = [0, 4, 0, 1, 0, 0].repeat(10);
    let dependency = [0, 0, 0, 3, 1];
    // For each flood: frames that are sent once, then a frame that is repeated. Stream 1 is closed, stream 3 is for the
    // flood.
    let open = request(3, "POST", false);
    let floods: Vec<(&str, Vec<u8>, Vec<u8>)> = vec![
        ("PING", vec![], h2::ping(1)),
        ("PING acknowledgements", vec![], h2::frame(h2::PING, 1, 0, &[1; 8])),
        ("SETTINGS", vec![], h2::frame(h2::SETTINGS, 0, 0, &[])),
        ("SETTINGS with windows", open.clone(), h2::frame(h2::SETTINGS, 0, 0, &windows)),
        ("WINDOW_UPDATE", vec![], h2::frame(WINDOW_UPDATE, 0, 0, &window)),
        ("WINDOW_UPDATE for a stream", open.clone(), h2::frame(WINDOW_UPDATE, 0, 3, &window)),
        ("WINDOW_UPDATE for a closed stream", vec![], h2::frame(WINDOW_UPDATE, 0, 1, &window)),
        ("PRIORITY", vec![], h2::frame(PRIORITY, 0, 1, &dependency)),
        ("PRIORITY for idle streams", vec![], h2::frame(PRIORITY, 0, 1001, &dependency)),
        ("PRIORITY_UPDATE", vec![], h2::frame(PRIORITY_UPDATE, 0, 0, b"\0\0\0\x01u=1")),
        ("an unknown type", vec![], h2::frame(99, 0xff, 7, &[0; 50])),
        ("RST_STREAM for a closed stream", vec![], h2::frame(h2::RST_STREAM, 0, 1, &CANCEL)),
        ("an empty body", open.clone(), h2::data(3, b"", false)),
        ("a body byte by byte", open.clone(), h2::data(3, b"x", false)),
        ("padding", open, h2::frame(h2::DATA, 8, 3, &[&[99][..], &[0; 99]].concat())),
        ("GOAWAY", vec![], h2::frame(h2::GOAWAY, 0, 0, &[0; 8])),
    ];
    let (program, backend) = start();
    let mut bystander = Client::connect(program.http());
    for (name, before, each) in floods {
        let mut client = Client::connect(program.http());
        client.send([h2::opening(), request(1, "GET", true)].concat());
        assert_eq!(client.answer(1), h2::Answer::Status(200), "{name}");
        client.send(before);
        let watched = watch(&client.stream);
        let (chunk, mut cut) = (each.repeat(1000), false);
        for _ in 0..50 {
            // After the end, input is still read and discarded for a while.
            cut |= client.stream.write_all(&chunk).is_err();
            assert_eq!(bystander.get("a.test", "/").status, 200, "{name}");
        }
        let (reason, end) = watched.join().unwrap();
        println!("{name}: {reason:?}, {end:?}, cut off: {cut}");
        // A client that has sent GOAWAY itself gets none.
        let calm = reason.is_none_or(|reason| reason == ENHANCE_YOUR_CALM || name == "GOAWAY");
        assert!(calm && end == End::Fin, "{name}: {end:?}");
        assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200, "{name}");
    }
    // One connection for the clients that came one after the other, and one for each body.
    assert!(backend.connections().len() <= 50, "{}", backend.connections().len());
}

/// For `a.test`, the backend sends `begin` and then waits for the end. `b.test` answers.
fn start_holding(begin: &'static str) -> (Program, Backend, Backend) {
    let holding = Backend::start(move |connection: &mut Connection| {
        connection.head();
        connection.send(begin);
        connection.drain();
    });
    let other = Backend::answering("ok");
    let program = Start::new().workers(1).route("a.test", &holding).route("b.test", &other).run();
    (program, holding, other)
}

/// Opens streams one by one and resets each once its request has reached a backend. Returns how many it opened.
fn open_and_cancel(program: &Program, begun: impl Fn(&h2::Frame) -> bool) -> usize {
    let mut bystander = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "b.test").unwrap();
    bystander.send(h2::opening());
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    for number in 0..20_000 {
        let stream = 2 * number + 1;
        if number % 50 == 0 {
            bystander.send(h2::headers(stream, &h2::get("b.test", "/"), true));
            assert_eq!(bystander.answer(stream), h2::Answer::Status(200));
        }
        let opened = [request(stream, "GET", true), h2::ping(1)].concat();
        let sent = client.stream.write_all(&opened).and_then(|()| client.stream.flush());
        let last = std::iter::from_fn(|| client.frame()).find(|frame| frame.kind == h2::GOAWAY || begun(frame));
        match last {
            Some(frame) if frame.kind != h2::GOAWAY => {}
            end => {
                let reason = end.map(|frame| frame.payload[4..8].to_vec());
                println!("{reason:?} after {number} requests, {sent:?}");
                assert!(reason.is_none_or(|reason| reason == ENHANCE_YOUR_CALM));
                bystander.send(h2::headers(stream + 2, &h2::get("b.test", "/"), true));
                assert_eq!(bystander.answer(stream + 2), h2::Answer::Status(200));
                return usize::try_from(number).unwrap();
            }
        }
        let _ = client.stream.write_all(&h2::frame(h2::RST_STREAM, 0, stream, &CANCEL));
    }
    panic!("the connection stays open");
}

/// Far fewer than an endless flood: 500 at once, and 50 per second.
const MAX_CANCELLED: usize = 5000;

#[test]
fn requests_cancelled_before_their_response_are_limited() {
    let (program, holding, _other) = start_holding("");
    let count = open_and_cancel(&program, |frame| frame.kind == h2::PING);
    assert!((500..MAX_CANCELLED).contains(&count), "{count}");
    assert!(holding.wait_for_end().len() <= count + 1);
}

#[test]
fn requests_cancelled_during_their_response_are_limited() {
    let (program, holding, _other) = start_holding("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
    let count = open_and_cancel(&program, |frame| frame.kind == h2::HEADERS);
    assert!((500..MAX_CANCELLED).contains(&count), "{count}");
    assert!(holding.wait_for_end().len() <= count + 1);
}

#[test]
fn resets_provoked_by_the_client_are_limited() {
    let (program, holding, other) = start_holding("");
    let mut client = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    let mut made = 0;
    let reason = loop {
        let stream = 2 * made + 1;
        // The request reaches the backend. Then there is more data than Content-Length says, which is a stream error
        // (RFC 9113, 8.1.1).
        let head = [h2::request("POST", "a.test", "/"), vec![("content-length", b"1")]].concat();
        let _ = client.stream.write_all(&[h2::headers(stream, &head, false), h2::ping(1)].concat());
        let begun = std::iter::from_fn(|| client.frame()).find(|frame| matches!(frame.kind, h2::PING | h2::GOAWAY));
        match begun {
            Some(frame) if frame.kind == h2::PING => {}
            end => break end.map(|frame| frame.payload[4..8].to_vec()),
        }
        let _ = client.stream.write_all(&h2::data(stream, b"xx", false));
        made += 1;
        assert!(made < 1000, "the connection stays open");
    };
    println!("{reason:?} after {made} resets");
    assert_eq!(reason, Some(ENHANCE_YOUR_CALM.to_vec()));
    assert_eq!(Tls::trusting(&program).get(program.https(), "b.test", "b.test").status, 200);
    assert!(holding.wait_for_end().len() <= 200);
    assert_eq!(other.requests().len(), 1);
}
