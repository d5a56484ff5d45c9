//! Upstreams on Unix sockets.

use std::{
    io::{BufRead, BufReader, Write},
    os::unix::net::UnixListener,
    thread,
};

use crate::support::{Client, Start, backend::ok};

#[test]
fn a_unix_socket_is_an_upstream() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let program = Start::new().flags(&["--route", &format!("a.test=unix:{}", path.display())]).run();
    let mut client = Client::connect(program.http());
    assert_eq!(client.get("a.test", "/").status, 502);
    program.wait_for_line(&format!("cannot connect to {}: No such file or directory", path.display()));

    let listener = UnixListener::bind(&path).unwrap();
    let backend = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        let mut lines = BufReader::new(&stream).lines();
        let mut heads = Vec::new();
        for _ in 0..2 {
            heads.push(lines.by_ref().map(Result::unwrap).take_while(|line| !line.is_empty()).collect::<Vec<_>>());
            (&stream).write_all(ok("unix").as_bytes()).unwrap();
        }
        heads
    });
    // The second over the same connection.
    for path in ["/1", "/2"] {
        assert_eq!(client.get("a.test", path).text(), "unix");
    }
    let heads = backend.join().unwrap();
    assert_eq!(heads.iter().map(|head| &*head[0]).collect::<Vec<_>>(), ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"]);
    assert!(heads[0].contains(&"host: a.test".to_owned()), "{heads:?}");
}
