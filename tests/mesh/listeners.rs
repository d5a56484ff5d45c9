//! Other nodes can use the routes of a named listener.

use crate::{
    support::{Backend, Client, client::get},
    two,
};

#[test]
fn other_nodes_can_use_routes_of_a_named_listener() {
    let (backends, (a, b)) = (["https", "federation"].map(Backend::answering), two());
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b y.test=mesh://b"]).run();
    let route = |host: &str, listener: &str, backend: &Backend| {
        format!("[[routes]]\nhost = \"{host}\"\nlisteners = \"{listener}\"\nupstream = \"{}\"\n", backend.address)
    };
    let routes = [
        route("x.test", "federation", &backends[1]),
        route("y.test", "federation", &backends[1]),
        route("y.test", "https", &backends[0]),
    ];
    let text = format!("[listeners.federation]\nport = 0\ntls = true\n{}", routes.concat());
    let _b = b.start(&[]).config(&text).run();
    let mut client = Client::connect(a.http());
    assert_eq!(client.get("x.test", "/").text(), "federation");
    assert_eq!(client.get("y.test", "/").text(), "https");
    client.send(get("x.test", "/"));
    assert_eq!(client.response().text(), "federation");
}
