//! Copies of requests in the reports.

use crate::{
    eventually, printed,
    support::{Backend, Client, Start, backend::Refusing},
};

#[test]
fn copies_are_counted() {
    let (backend, mirror) = (Backend::answering("hello"), Backend::answering("ok"));
    let refusing = Refusing::new();
    let config = format!(
        "[[routes]]\nhost = \"a.test\"\nupstream = \"{}\"\nmirror = {{ upstream = \"{}\", max_body = 3 }}\n\
         [[routes.routes]]\nprefix = \"/down\"\nmirror = \"{}\"\n",
        backend.address,
        mirror.address,
        refusing.address()
    );
    let program = Start::new().config(&config).run();
    assert!(!printed(&program, &["status"]).contains("mirrored"));
    let mut client = Client::connect(program.http());
    for _ in 0..4 {
        assert_eq!(client.get("a.test", "/").status, 200);
    }
    for path in ["/long", "/down", "/down"] {
        client.send(format!("POST {path} HTTP/1.1\r\nHost: a.test\r\nContent-Length: 4\r\n\r\nbody"));
        assert_eq!(client.response().status, 200);
    }
    eventually("all copies have ended", || {
        let status = printed(&program, &["status"]);
        status.lines().any(|line| line.starts_with("mirrored ") && line.ends_with(" answered 4, failed 2, skipped 1"))
    });
    let upstreams = printed(&program, &["upstreams"]);
    let row = |address: String| upstreams.lines().find(|line| line.starts_with(&address)).unwrap().to_owned();
    assert!(row(mirror.address.to_string()).ends_with("  a.test/ (mirror)"), "{upstreams}");
    assert!(row(refusing.address().to_string()).contains("  failed for "), "{upstreams}");
    assert!(printed(&program, &["routes"]).contains("mirror"));
}
