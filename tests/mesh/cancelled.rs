//! Requests that their client gives up.

use crate::{
    messages::nodes,
    support::{Backend, Client, client::get},
};

#[test]
fn a_client_that_leaves_takes_its_request_along() {
    let backend = Backend::start(|connection| {
        connection.request();
        connection.drain();
    });
    let (a, _b) = nodes(&backend);
    let mut client = Client::connect(a.http());
    client.send(get("x.test", "/"));
    backend.wait_for_bytes(b"\r\n\r\n");
    drop(client);
    backend.wait_for_end();
}

#[test]
fn many_that_leave_do_not_disturb_others() {
    let backend = Backend::start(|connection| {
        while let Some(request) = connection.request() {
            if request.target == "/slow" {
                return connection.drain();
            }
            connection.send(crate::support::backend::ok("hello"));
        }
    });
    let (a, b) = nodes(&backend);
    for _ in 0..10 {
        let clients: Vec<_> = (0..60)
            .map(|_| {
                let mut client = Client::connect(a.http());
                client.send(get("x.test", "/slow"));
                client
            })
            .collect();
        assert_eq!(Client::connect(a.http()).get("x.test", "/").text(), "hello");
        drop(clients);
    }
    assert!(!b.log().iter().any(|line| line.contains("WARN")), "{:#?}", b.log());
}
