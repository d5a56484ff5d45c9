//! WebSockets across two nodes.

use tungstenite::Message;

use crate::{
    messages::nodes,
    support::{Backend, Client, tls::Tls},
};

#[test]
fn a_websocket_crosses_nodes() {
    let backend = Backend::start(|connection| {
        let mut socket = tungstenite::accept(connection).unwrap();
        while let Ok(message) = socket.read() {
            if !message.is_close() {
                socket.send(message).unwrap();
            }
        }
    });
    let (a, _b) = nodes(&backend);
    let stream = Tls::trusting(&a).connect(a.https(), "x.test").unwrap().stream;
    let (mut socket, response) = tungstenite::client("wss://x.test/chat", stream).unwrap();
    assert_eq!(response.status().as_u16(), 101);
    for number in 0..100 {
        let text = format!("message {number} {}", "x".repeat(number * 100));
        socket.send(Message::text(text.clone())).unwrap();
        assert_eq!(socket.read().unwrap(), Message::text(text));
    }
    socket.close(None).unwrap();
    assert!(socket.read().unwrap().is_close());
    backend.wait_for_end();
}

#[test]
fn a_tunnel_is_closed_at_both_nodes_when_the_client_vanishes() {
    let backend = Backend::start(|connection| {
        let mut socket = tungstenite::accept(connection).unwrap();
        while socket.read().is_ok() {}
    });
    let (a, _b) = nodes(&backend);
    let (socket, _) = tungstenite::client("ws://x.test/chat", Client::connect(a.http()).stream).unwrap();
    drop(socket);
    backend.wait_for_end();
}
