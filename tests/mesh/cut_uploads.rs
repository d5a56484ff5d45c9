//! Uploads that are cut off before the other node has all of them.

use std::sync::mpsc;

use crate::{
    messages::nodes,
    support::{Backend, Client, PATIENCE, h2, tls::Tls},
};

#[test]
fn the_backend_of_the_other_node_gets_no_last_chunk() {
    let (begun, begins) = mpsc::channel();
    let backend = Backend::start(move |connection| {
        connection.head();
        begun.send(()).unwrap();
        connection.drain();
    });
    let (a, _b) = nodes(&backend);
    let check = || {
        for record in backend.wait_for_end() {
            assert!(!record.bytes.ends_with(b"0\r\n\r\n"), "{}", record.bytes.escape_ascii());
        }
    };

    let mut http2 = Tls::trusting(&a).alpn(&["h2"]).connect(a.https(), "x.test").unwrap();
    http2.send([h2::opening(), h2::headers(1, &h2::request("POST", "x.test", "/"), false)].concat());
    begins.recv_timeout(PATIENCE).unwrap();
    // NO_ERROR, which some implementations treat as a normal end of the body.
    http2.send([h2::data(1, b"piece", false), h2::frame(h2::RST_STREAM, 0, 1, &[0; 4])].concat());
    check();

    let mut http1 = Client::connect(a.http());
    http1.send("POST / HTTP/1.1\r\nHost: x.test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\npiece\r\n");
    begins.recv_timeout(PATIENCE).unwrap();
    drop(http1);
    check();
}
