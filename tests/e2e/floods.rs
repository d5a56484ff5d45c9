//! HTTP/2 floods: the connection is closed or held back, other clients are served, and the backend is spared.

use std::io::Write;

use nix::sys::signal::Signal;

use crate::support::{
    Backend, Client, Program, Start,
    client::get,
    h2,
    tls::{Tls, TlsStream},
};

fn start() -> (Program, Backend) {
    let backend = Backend::answering("ok");
    (Start::new().workers(1).route("a.test", &backend).run(), backend)
}

fn connect(program: &Program) -> Client<TlsStream> {
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    client
}

/// Sends as much as the program reads.
fn flood(client: &mut Client<TlsStream>, pieces: impl Iterator<Item = Vec<u8>>) {
    for piece in pieces {
        if client.stream.write_all(&piece).is_err() {
            return;
        }
    }
    let _ = client.stream.flush();
}

fn assert_serves(program: &Program) {
    assert_eq!(Client::connect(program.http()).get("a.test", "/").status, 200);
    assert_eq!(Tls::trusting(program).get(program.https(), "a.test", "a.test").status, 200);
}

/// Lets two clients acknowledge PINGs that were never sent: a stranger, and a client that has named a served host. Returns the
/// number of log lines.
fn lines_of_ping_acks(log: &str) -> usize {
    let backend = Backend::answering("ok");
    let flags = ["--http-h2c", "silent", "--silence-deadline", "500ms", "--log", log];
    let mut program = Start::new().workers(1).route("a.test", &backend).flags(&flags).run();
    let acks = || std::iter::repeat_n(h2::frame(h2::PING, 1, 0, &[7; 8]).repeat(100), 50);
    let mut stranger = Client::connect(program.http());
    stranger.send(h2::opening());
    for piece in acks() {
        // It may have been rejected by then.
        let _ = stranger.stream.write_all(&piece);
    }
    let mut client = connect(&program);
    flood(&mut client, acks());
    // Processed after all of them.
    client.send(h2::headers(1, &h2::get("a.test", "/"), true));
    assert_eq!(client.answer(1), h2::Answer::Status(200));
    let _ = stranger.end();
    let before = program.log().iter().position(|line| line.contains("a.test/ -> ")).unwrap() + 1;
    program.signal(Signal::SIGTERM);
    program.wait();
    let is_counted = |line: &&String| !line.contains("shutting down") && !line.contains("stopped");
    program.log()[before..].iter().filter(is_counted).count()
}

#[test]
fn unsolicited_ping_acks_do_not_fill_the_log() {
    assert_eq!(lines_of_ping_acks("info"), 0);
    // They are logged if the filter asks for them.
    assert!(lines_of_ping_acks("info,h2=warn") >= 5000);
}

#[test]
fn rapid_resets_close_the_connection() {
    let (program, backend) = start();
    let mut client = connect(&program);
    let pair = |stream: u32| {
        [h2::headers(stream, &h2::get("a.test", "/"), true), h2::frame(h2::RST_STREAM, 0, stream, &8_u32.to_be_bytes())]
    };
    // No more than the program still discards after closing, because this client only reads afterwards.
    flood(&mut client, (0..2000).map(|number| pair(2 * number + 1).concat()));
    let ended = std::iter::from_fn(|| client.frame()).any(|frame| frame.kind == h2::GOAWAY);
    assert!(ended);
    assert_serves(&program);
    assert!(backend.connections().len() < 1000, "{}", backend.connections().len());
}

#[test]
fn an_endless_head_closes_the_connection() {
    let (program, backend) = start();
    let mut client = connect(&program);
    // HEADERS and CONTINUATION (9) without END_HEADERS.
    let block = h2::headers(1, &[("x", &[b'x'; 16_000])], false)[9..].to_vec();
    flood(&mut client, std::iter::once(h2::frame(h2::HEADERS, 0, 1, &block)));
    flood(&mut client, (0..2000).map(|_| h2::frame(9, 0, 1, &block)));
    while client.frame().is_some() {}
    assert_serves(&program);
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn a_small_block_that_decompresses_to_a_large_head_is_rejected() {
    let (program, backend) = start();
    let mut client = connect(&program);
    // A header that is added to the dynamic table (RFC 7541, 6.2.1), then references to it.
    let mut block = h2::headers(1, &h2::get("a.test", "/"), false)[9..].to_vec();
    block.extend(
        h2::headers(1, &[("x", &[b'x'; 4000])], false)[9..]
            .iter()
            .enumerate()
            .map(|(index, byte)| if index == 0 { 0x40 } else { *byte }),
    );
    block.extend([0xbe; 8000]);
    client.send(h2::frame(h2::HEADERS, 5, 1, &block));
    let answer = client.answer(1);
    assert_ne!(answer, h2::Answer::Status(200));
    assert_serves(&program);
    assert_eq!(backend.requests().len(), 2);
}

#[test]
fn replies_that_are_never_read_do_not_affect_other_clients() {
    let (program, backend) = start();
    for (name, frame) in [
        ("PING", h2::ping(1)),
        ("SETTINGS", h2::frame(h2::SETTINGS, 0, 0, &[])),
        ("WINDOW_UPDATE", h2::frame(8, 0, 0, &1_u32.to_be_bytes())),
        ("PRIORITY", h2::frame(2, 0, 1, &[0, 0, 0, 3, 1])),
        ("an unknown kind", h2::frame(99, 0, 0, &[0; 100])),
    ] {
        let mut client = connect(&program);
        // Sends until the program stops reading, which it does if the client does not read.
        client.stream.sock.set_nonblocking(true).unwrap();
        flood(&mut client, std::iter::repeat_n(frame.repeat(100), 500));
        assert_serves(&program);
        drop(client);
        assert_serves(&program);
        assert!(!backend.requests().is_empty(), "{name}");
    }
}

#[test]
fn a_flood_of_empty_data_frames_does_not_affect_other_clients() {
    let (program, backend) = start();
    let mut client = connect(&program);
    client.send(h2::headers(1, &h2::request("POST", "a.test", "/"), false));
    flood(&mut client, std::iter::repeat_n(h2::data(1, b"", false).repeat(100), 500));
    assert_serves(&program);
    drop(client);
    assert_eq!(backend.connections().iter().filter(|record| record.bytes.starts_with(b"GET")).count(), 1);
}

#[test]
fn streams_over_the_limit_are_refused() {
    // Holds all requests.
    let backend = Backend::start(crate::support::Connection::drain);
    let other = Backend::answering("ok");
    let program = Start::new().workers(1).route("a.test", &backend).route("b.test", &other).run();
    let mut client = connect(&program);
    flood(&mut client, (0..1000).map(|number| h2::headers(2 * number + 1, &h2::get("a.test", "/"), true)));
    // The last one is refused, or the connection is closed.
    let refused = client.answer(1999);
    assert!(matches!(refused, h2::Answer::StreamReset | h2::Answer::GoAway | h2::Answer::End), "{refused:?}");
    let mut next = Client::connect(program.http());
    next.send(get("b.test", "/"));
    assert_eq!(next.response().status, 200);
    assert!(backend.connections().len() <= 200, "{}", backend.connections().len());
}
