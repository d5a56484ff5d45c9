//! Upstreams and clients whose machines vanish, without a FIN or RST.

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};

use socket2::{Domain, Socket, Type};

use crate::support::{Backend, Client, Start, backend::ok, client::get, network::isolated};

#[test]
fn requests_to_a_vanished_upstream_fail() {
    isolated(|network| {
        let backend = Backend::on(TcpListener::bind("127.0.5.1:0").unwrap(), |connection| {
            while connection.request().is_some() {
                connection.send(ok("here"));
            }
        });
        let program = Start::new().route("a.test", &backend).flags(&["--response-timeout", "1s"]).run();
        let mut client = Client::connect(program.http());
        assert_eq!(client.get("a.test", "/").text(), "here");
        network.cut(backend.address.ip());
        // Over the existing connection, which was never closed.
        client.send("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 1\r\n\r\nx");
        assert_eq!(client.response().status, 504);
        assert_eq!(backend.connections().len(), 1);
        // Over a new connection, which cannot be opened.
        assert_eq!(client.get("a.test", "/").status, 502);
    });
}

#[test]
fn the_backend_connection_of_a_vanished_client_is_closed() {
    isolated(|network| {
        let backend = Backend::start(|connection| {
            connection.request();
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
            while connection.try_send("400\r\n".to_owned() + &"x".repeat(0x400) + "\r\n").is_ok() {}
        });
        let program = Start::new().route("a.test", &backend).flags(&["--stall-timeout", "1s"]).run();
        let mut client = connect_from([127, 0, 7, 1], program.http());
        client.write_all(get("a.test", "/").as_bytes()).unwrap();
        let mut reader = client.try_clone().unwrap();
        thread::spawn(move || io::copy(&mut reader, &mut io::sink()));
        backend.wait_for_bytes(b"\r\n\r\n");
        network.cut(client.local_addr().unwrap().ip());
        backend.wait_for_end();
    });
}

fn connect_from(source: [u8; 4], address: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    socket.bind(&SocketAddr::from((source, 0)).into()).unwrap();
    socket.connect(&address.into()).unwrap();
    socket.into()
}
