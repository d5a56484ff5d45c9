//! Rotates the secret while nodes and clients are served.

use std::{
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    thread,
};

use crate::{
    Place, command, eventually, failed, fed, full, json, printed, succeeded,
    support::{Backend, Client, End, Program, tls::Tls},
    with_secret,
};

/// Sets the flag when dropped.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Queries `from` and, through it, `to`, over new connections. Returns whether `to` responded.
fn asks(from: &Program, to: &str) -> bool {
    let name = json(&printed(from, &["status", "--node", to, "--json"]))["node"]["name"].clone();
    name == to
}

#[test]
fn nodes_rotate_the_secret_while_serving() {
    let backend = Backend::answering("hello");
    let (a, b) = (Place::new("a"), Place::new("b"));
    let second = with_secret(b.start(&[&a])).route("served.test", &backend).run();
    let first = with_secret(a.start(&[&b])).flags(&["--route", "served.test=mesh://b"]).run();
    let nodes = [(&first, "b"), (&second, "a")];
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        // Set even if an assertion fails, or the requests would never stop.
        let _over = Over(&is_over);
        let requests = scope.spawn(|| {
            let mut client = Client::connect(first.http());
            while !is_over.load(Ordering::Relaxed) {
                let response = client.get("served.test", "/");
                assert_eq!((response.status, &response.body[..]), (200, &b"hello"[..]));
                answered.fetch_add(1, Ordering::Relaxed);
            }
        });
        let next_requests = || {
            let before = answered.load(Ordering::Relaxed);
            eventually("requests are answered", || {
                answered.load(Ordering::Relaxed) > before + 10 || requests.is_finished()
            });
        };
        next_requests();
        printed(&first, &["secret", "rotate"]);
        first.wait_for_line("connections to other nodes now try the new secret first");
        // Each still reaches the other, although one has only the old secret and the other tries the new one first.
        assert!(nodes.iter().all(|(from, to)| asks(from, to)));
        next_requests();
        let new = printed(&first, &["secret", "show"]);
        succeeded(&fed(command(second.home(), &["secret", "rotate", "--set", "-"]), &new));
        second.wait_for_line("connections to other nodes now try the new secret first");
        assert!(nodes.iter().all(|(from, to)| asks(from, to)));
        next_requests();
        for (node, _) in nodes {
            printed(node, &["secret", "rotate", "--finish"]);
            node.wait_for_line("the old secret is no longer accepted");
            assert!(nodes.iter().all(|(from, to)| asks(from, to)));
            next_requests();
        }
    });
    let with_old = failed(command(first.home(), &["status", "--node", "b"]).env("PMESH_SECRET", crate::SECRET));
    assert!(with_old.1.contains("another secret"), "{with_old:?}");
}

#[test]
fn finishing_on_either_node_closes_connections_of_the_old_secret() {
    for finishing in ["a", "b"] {
        let (a, b, backend) = (Place::new("a"), Place::new("b"), full::backend());
        let grace = ["--shutdown-timeout", "1s"];
        let second = with_secret(b.start(&[&a])).flags(&grace).route("served.test", &backend).run();
        let first = with_secret(a.start(&[&b])).flags(&grace).flags(&["--route", "served.test=mesh://b"]).run();
        let mut tunnel = full::tunnel(&first);
        printed(&first, &["secret", "rotate"]);
        let new = printed(&first, &["secret", "show"]);
        succeeded(&fed(command(second.home(), &["secret", "rotate", "--set", "-"]), &new));
        for node in [&first, &second] {
            node.wait_for_line("connections to other nodes now try the new secret first");
        }
        tunnel.send("echo");
        assert_eq!(tunnel.take(4), b"echo");
        let node = if finishing == "a" { &first } else { &second };
        printed(node, &["secret", "rotate", "--finish"]);
        let (rest, end) = tunnel.end();
        assert!(rest.is_empty() && end != End::Open, "{finishing}: {end:?}");
        let mut client = Client::connect(first.http());
        assert_eq!(client.get("served.test", "/").status, 200, "{finishing}");
    }
}

#[test]
fn clients_see_the_new_authority_once_the_rotation_is_finished() {
    let backend = Backend::answering("");
    let program = with_secret(Place::new("a").start(&[])).route("served.test", &backend).run();
    let get = |tls: &Tls| tls.get(program.https(), "served.test", "served.test").status;
    // `Tls::trusting` runs `pmesh ca` in this home.
    let old = Tls::trusting(&program);
    assert_eq!(get(&old), 200);
    printed(&program, &["secret", "rotate"]);
    program.wait_for_line("connections to other nodes now try the new secret first");
    assert_eq!(get(&Tls::trusting(&program)), 200);
    printed(&program, &["secret", "rotate", "--finish"]);
    program.wait_for_line("the old secret is no longer accepted");
    assert_eq!(get(&Tls::trusting(&program)), 200);
}

#[test]
fn an_invalid_secret_changes_nothing() {
    let program = with_secret(Place::new("a").start(&[])).run();
    let path = program.home().join("secret");
    std::fs::write(&path, "nothing").unwrap();
    let line = program.wait_for_line("the secret has changed and cannot be used");
    assert!(line.contains("WARN") && line.contains("64 hexadecimal digits"), "{line}");
    printed(&program, &["status"]);
    // The log says when the file has been repaired.
    std::fs::write(&path, crate::SECRET).unwrap();
    program.wait_for_line("the secret file can be used again");
}
