//! A node whose machine vanishes, without a FIN or RST.

use std::thread;

use crate::{
    messages::nodes_with,
    support::{Backend, Client, End, network::isolated},
};

/// Long enough that no request times out: only the connection itself can reveal that the other node is gone.
const PATIENT: &[&str] = &["--stall-timeout", "1h", "--response-timeout", "1h"];

#[test]
fn requests_to_a_vanished_node_fail() {
    isolated(|network| {
        let backend = Backend::start(|connection| {
            let request = connection.request().unwrap();
            if request.target == "/half" {
                connection.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf ");
            }
            thread::park();
        });
        let (a, b) = nodes_with(&backend, PATIENT);
        let mut half = Client::connect(a.http());
        half.send("GET /half HTTP/1.1\r\nHost: x.test\r\n\r\n");
        assert_eq!(half.head().status, 200);
        let mut waiting = Client::connect(a.http());
        waiting.send("POST /wait HTTP/1.1\r\nHost: x.test\r\nContent-Length: 9\r\n\r\nlast word");
        backend.wait_for_bytes(b"last word");

        network.cut(b.internal().ip());
        assert_eq!(waiting.response().status, 502);
        let (rest, end) = half.end();
        assert!(b"half ".ends_with(&rest[..]), "{rest:?}");
        assert_ne!(end, End::Open);
        // New requests do not wait for the node.
        assert_eq!(Client::connect(a.http()).get("x.test", "/").status, 502);
    });
}
