//! A route that asks for a password on both nodes.

use crate::{
    support::{Backend, Client},
    two,
};

/// For the password "secret".
const USERS: &str =
    "basic_auth = { users = { bob = \"$2y$04$abcdefghijklmnopqrstuu2r9OfJnfCsdneAXAGHnS4UpFFP8WIrW\" } }\n";

#[test]
fn the_next_node_gets_the_password_and_the_backend_does_not() {
    let backend = Backend::answering("hello");
    let (a, b) = two();
    let route = |upstream: &str| format!("[[routes]]\nhost = \"x.test\"\nupstream = \"{upstream}\"\n{USERS}");
    let _b = b.start(&[]).config(&route(&backend.address.to_string())).run();
    let a = a.start(&[&b]).config(&route("mesh://b")).run();
    let mut client = Client::connect(a.http());
    for (password, status) in [("bm9uZQ==", 401), ("secret", 401), ("Ym9iOnNlY3JldA==", 200)] {
        client.send(format!(
            "GET / HTTP/1.1\r\nHost: x.test\r\nRemote-User: root\r\nAuthorization: Basic {password}\r\n\r\n"
        ));
        assert_eq!(client.response().status, status, "{password}");
    }
    let request = backend.request();
    assert_eq!(request.all("remote-user"), ["bob"]);
    assert!(request.all("authorization").is_empty());
}
