//! Upstreams on Unix sockets.

use std::{
    io::{BufRead, BufReader, Write},
    os::{fd::OwnedFd, unix::net::UnixListener},
    thread,
};

use socket2::{Domain, SockAddr, Socket, Type};

use crate::support::{Client, Start, backend::ok, client::get};

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
    // Both requests use the same connection.
    for path in ["/1", "/2"] {
        assert_eq!(client.get("a.test", path).text(), "unix");
    }
    let heads = backend.join().unwrap();
    assert_eq!(heads.iter().map(|head| &*head[0]).collect::<Vec<_>>(), ["GET /1 HTTP/1.1", "GET /2 HTTP/1.1"]);
    assert!(heads[0].contains(&"host: a.test".to_owned()), "{heads:?}");
}

#[test]
fn requests_wait_while_the_backlog_is_full() {
    const COUNT: usize = 20;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.sock");
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).unwrap();
    socket.bind(&SockAddr::unix(&path).unwrap()).unwrap();
    socket.listen(1).unwrap();
    let listener = UnixListener::from(OwnedFd::from(socket));
    let program =
        Start::new().flags(&["--route", &format!("a.test=unix:{}", path.display()), "--connect-timeout", "60s"]).run();
    let mut clients: Vec<_> = (0..COUNT).map(|_| Client::connect(program.http())).collect();
    for client in &mut clients {
        client.send(get("a.test", "/"));
    }
    thread::spawn(move || {
        for stream in listener.incoming().map(Result::unwrap) {
            thread::spawn(move || {
                let mut lines = BufReader::new(&stream).lines();
                while !lines.next().unwrap().unwrap().is_empty() {}
                (&stream).write_all(ok("unix").as_bytes()).unwrap();
                // Until the pool closes it.
                let _ = lines.next();
            });
        }
    });
    for client in &mut clients {
        assert_eq!(client.response().text(), "unix");
    }
}
