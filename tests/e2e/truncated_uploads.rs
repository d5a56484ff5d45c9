//! Truncated HTTP/2 uploads: no backend mistakes a part for the whole (RFC 9113, 8.1).

use std::sync::{Mutex, mpsc};

use crate::support::{
    Backend, Client, PATIENCE, Program, Start,
    h2::{self, DATA, HEADERS, RST_STREAM, SETTINGS},
    tls::{Tls, TlsStream},
};

const ACK: u8 = 1;
const UPLOADS: u32 = 20;

fn client(program: &Program) -> Client<TlsStream> {
    let mut client = Tls::trusting(program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    client.send(h2::opening());
    client
}

fn head(stream: u32) -> Vec<u8> {
    h2::headers(stream, &h2::request("POST", "a.test", "/"), false)
}

/// A part of the body and, in the same packet, a reset with NO_ERROR, as if the stream had ended normally.
fn rest(stream: u32) -> Vec<u8> {
    const NO_ERROR: [u8; 4] = [0; 4];
    [h2::data(stream, b"piece", false), h2::frame(RST_STREAM, 0, stream, &NO_ERROR)].concat()
}

#[test]
fn an_http1_backend_gets_no_last_chunk_of_a_truncated_upload() {
    let (started, starts) = mpsc::channel();
    let backend = Backend::start(move |connection| {
        connection.head();
        started.send(()).unwrap();
        connection.drain();
    });
    let program = Start::new().workers(1).route("a.test", &backend).run();
    let mut client = client(&program);
    for stream in (0..UPLOADS).map(|number| 2 * number + 1) {
        client.send(head(stream));
        starts.recv_timeout(PATIENCE).unwrap();
        client.send(rest(stream));
        for record in backend.wait_for_end() {
            assert!(!record.bytes.ends_with(b"0\r\n\r\n"), "{}", record.bytes.escape_ascii());
        }
    }
}

#[test]
fn an_http2_backend_gets_a_reset_for_a_truncated_upload() {
    let ((started, starts), (end, ends)) = (mpsc::channel(), mpsc::channel());
    let (started, end) = (Mutex::new(started), Mutex::new(end));
    let backend = Backend::start(move |connection| {
        connection.take(h2::PREFACE.len());
        let mut peer = Client::new(connection);
        peer.send([h2::frame(SETTINGS, 0, 0, &[]), h2::frame(SETTINGS, ACK, 0, &[])].concat());
        while let Some(frame) = peer.frame() {
            match frame.kind {
                HEADERS => started.lock().unwrap().send(()).unwrap(),
                RST_STREAM => end.lock().unwrap().send(frame).unwrap(),
                DATA if frame.ends_stream() => end.lock().unwrap().send(frame).unwrap(),
                _ => {}
            }
        }
    });
    let route = format!("a.test=h2c://{}", backend.address);
    let program = Start::new().workers(1).flags(&["--route", &route]).run();
    let mut client = client(&program);
    for stream in (0..UPLOADS).map(|number| 2 * number + 1) {
        client.send(head(stream));
        starts.recv_timeout(PATIENCE).unwrap();
        client.send(rest(stream));
        let last = ends.recv_timeout(PATIENCE).unwrap();
        assert!(last.kind == RST_STREAM && last.payload != [0; 4], "{last:?}");
    }
}
