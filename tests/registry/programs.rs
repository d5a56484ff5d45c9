//! The built program, and what it logs about the registry.

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::Command,
    time::{Duration, SystemTime},
};

use nix::sys::signal::Signal;
use pmesh::mesh::Announcement;

use crate::{
    Nats, SECRET, announcement, put,
    support::{Backend, Client, Program, Start, program::PROGRAM},
};

/// A start of a node that finds others through this registry.
pub fn start(node: &str, registry: &str) -> Start {
    Start::new().workers(1).variable("PMESH_SECRET", SECRET).flags(&["--node", node, "--mesh-registry", registry])
}

fn count(program: &Program, text: &str) -> usize {
    program.log().iter().filter(|line| line.contains(text)).count()
}

#[test]
fn programs_find_each_other_and_log_it_once() {
    let Some(mut nats) = Nats::start(&[]) else { return };
    let backend = Backend::answering("");
    let a = start("a", &nats.url()).route("served.test", &backend).run();
    let mut b = start("b", &nats.url()).run();
    let line = a.wait_for_line("node b found in the registry");
    assert!(line.contains(&b.internal().to_string()) && line.contains("routes=0"), "{line}");
    assert!(b.wait_for_line("node a found in the registry").contains("routes=1"));

    b.signal(Signal::SIGTERM);
    assert!(b.wait().success());
    a.wait_for_line("node b left the registry");

    nats.kill();
    a.wait_for_line("the node registry is unavailable");
    assert_eq!(Client::connect(a.http()).get("served.test", "/").status, 200);
    assert_eq!(count(&a, "connected to the node registry"), 1);
    nats.restart();
    let c = start("c", &nats.url()).run();
    a.wait_for_line("node c found in the registry");
    c.wait_for_line("node a found in the registry");
    assert_eq!(count(&a, "the node registry is unavailable"), 1);
    assert_eq!(count(&a, "connected to the node registry"), 2);
    assert_eq!(count(&a, "event:") + count(&a, "ERROR"), 0, "{:#?}", a.log());
}

#[test]
fn a_node_starts_and_serves_while_the_registry_is_unavailable() {
    let Some(mut nats) = Nats::new(&[]) else { return };
    let backend = Backend::answering("");
    let mut a = start("a", &nats.url()).route("served.test", &backend).run();
    assert_eq!(Client::connect(a.http()).get("served.test", "/").status, 200);
    let line = a.wait_for_line("the node registry is unavailable");
    assert!(line.contains("WARN") && line.contains(&nats.url()), "{line}");
    nats.restart();
    a.wait_for_line("connected to the node registry");
    assert_eq!(count(&a, "the node registry is unavailable"), 1);
    nats.kill();
    a.signal(Signal::SIGTERM);
    assert!(a.wait().success());
}

#[test]
fn two_nodes_with_the_same_name_cause_a_warning() {
    let Some(nats) = Nats::start(&[]) else { return };
    let a = start("a", &nats.url()).run();
    a.wait_for_line("connected to the node registry");
    let b = start("a", &nats.url()).run();
    let text = "another node is also called a; rename one of them with --node or PMESH_NODE";
    let line = a.wait_for_line(text);
    assert!(line.contains("WARN") && line.contains(&b.internal().to_string()), "{line}");
    b.wait_for_line(text);
}

#[test]
fn a_node_that_restarts_after_a_crash_is_the_same_node() {
    let Some(nats) = Nats::start(&[]) else { return };
    let first = start("a", &nats.url()).run();
    first.wait_for_line("connected to the node registry");
    // Killed.
    drop(first);
    let again = start("a", &nats.url()).run();
    let b = start("b", &nats.url()).run();
    b.wait_for_line("node a found in the registry");
    again.wait_for_line("node b found in the registry");
    assert_eq!(count(&again, "another node"), 0);
}

#[test]
fn wrong_clocks_and_foreign_entries_are_reported() {
    let Some(nats) = Nats::start(&[]) else { return };
    let a = start("a", &nats.url()).run();
    a.wait_for_line("connected to the node registry");
    let two_minutes = Duration::from_secs(120);
    put(&nats, &announcement("b"), SystemTime::now() + two_minutes, SECRET);
    let line = a.wait_for_line("the clock of node b is 1");
    assert!(line.contains("WARN") && line.contains(" s ahead of ours"), "{line}");
    put(&nats, &announcement("c"), SystemTime::now() - two_minutes, SECRET);
    assert!(a.wait_for_line("the clock of node c is 12").contains(" s behind ours"));
    put(&nats, &announcement("d"), SystemTime::now(), &SECRET.replace("00", "ff"));
    let line = a.wait_for_line("ignoring an entry in the registry: it is not sealed with this node's secret");
    assert!(line.contains("key=\"d\""), "{line}");
}

#[test]
fn the_log_says_that_a_silent_node_has_a_wrong_clock() {
    let Some(nats) = Nats::start(&[]) else { return };
    // It is silent like a node with a wrong clock.
    let silent = Start::new().run();
    let a = start("a", &nats.url()).run();
    a.wait_for_line("connected to the node registry");
    let address = silent.internal().to_string().parse().unwrap();
    let b = Announcement { address, ..announcement("b") };
    put(&nats, &b, SystemTime::now() + Duration::from_secs(86_400), SECRET);
    let line = a.wait_for_line("node b does not respond");
    assert!(line.contains("its clock is 86") && line.contains(" s ahead of ours"), "{line}");
}

#[test]
fn a_secret_is_rotated_without_losing_nodes() {
    let Some(nats) = Nats::start(&[]) else { return };
    let with_home = |node: &str, secret: &str| {
        let start = Start::new().workers(1).flags(&["--node", node, "--mesh-registry", &nats.url()]);
        set_secret(start.home(), secret);
        start.run()
    };
    let (a, b) = (with_home("a", SECRET), with_home("b", SECRET));
    a.wait_for_line("node b found in the registry");
    b.wait_for_line("node a found in the registry");
    for (node, arguments) in [(&a, &[][..]), (&b, &["--set", "-"]), (&a, &["--finish"]), (&b, &["--finish"])] {
        let mut command = Command::new(PROGRAM);
        command.args(["secret", "rotate"]).args(arguments).arg("--home").arg(node.home());
        if arguments.contains(&"--set") {
            command.stdin(File::open(a.home().join("secret")).unwrap());
        }
        assert!(command.output().unwrap().status.success());
        let is_over = arguments == ["--finish"];
        node.wait_for_line(if is_over {
            "the old secret is no longer accepted"
        } else {
            "connections to other nodes now try the new secret first"
        });
    }
    let new = fs::read_to_string(a.home().join("secret")).unwrap();
    let c = with_home("c", new.trim());
    c.wait_for_line("node a found in the registry");
    c.wait_for_line("node b found in the registry");
    a.wait_for_line("node c found in the registry");
    for node in [&a, &b, &c] {
        assert_eq!(count(node, "ignoring an entry") + count(node, "is gone"), 0, "{:#?}", node.log());
    }
}

fn set_secret(home: &Path, secret: &str) {
    fs::write(home.join("secret"), secret).unwrap();
    fs::set_permissions(home.join("secret"), fs::Permissions::from_mode(0o600)).unwrap();
}

#[test]
fn a_password_is_used_and_not_logged() {
    let Some(nats) = Nats::start(&["--user", "pmesh", "--pass", "hunter2"]) else { return };
    let with = |password: &str| format!("nats://pmesh:{password}@{}", nats.address);
    let a = start("a", &with("hunter2")).flags(&["--log", "trace,async_nats=trace"]).run();
    let b = start("b", &with("hunter2")).run();
    b.wait_for_line("node a found in the registry");
    let line = b.wait_for_line("connected to the node registry");
    assert!(line.contains("pmesh:***@127."), "{line}");
    let c = start("c", &with("hunter3")).run();
    assert!(c.wait_for_line("the node registry is unavailable").contains("authorization violation"));
    assert_eq!([count(&a, "hunter2"), count(&b, "hunter2"), count(&c, "hunter3")], [0; 3]);
}
