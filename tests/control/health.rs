//! Nodes that fail and recover.

use crate::{
    Place, eventually, json, printed,
    support::{Backend, Client, Program},
    with_secret,
};

fn state(program: &Program) -> String {
    let report = json(&printed(program, &["peers", "--json"]));
    report["peers"][0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn a_node_fails_and_recovers() {
    let (a, b) = (Place::new("a"), Place::new("b"));
    let watching = with_secret(a.start(&[&b])).run();
    eventually("b, which has never run, is dead", || state(&watching) == "dead");
    let line = watching.wait_for_line("node b");
    assert!(line.contains("WARN") && line.contains("does not respond") && line.contains(b.ip), "{line}");

    let second = with_secret(b.start(&[])).run();
    eventually("b is alive", || state(&watching) == "alive");
    watching.wait_for_line("node b responds again");
    drop(second);
    eventually("b is dead", || state(&watching) == "dead");
    let _third = with_secret(b.start(&[])).run();
    eventually("b is alive again", || state(&watching) == "alive");
    let count = |text: &str| watching.log().iter().filter(|line| line.contains(text)).count();
    assert_eq!([count("node b does not respond"), count("node b responds again")], [2, 2]);
}

#[test]
fn a_node_with_another_secret_is_dead() {
    let (a, b) = (Place::new("a"), Place::new("b"));
    let _other = b.start(&[]).variable("PMESH_SECRET", &crate::SECRET.replace('0', "f")).run();
    let watching = with_secret(a.start(&[&b])).run();
    let line = watching.wait_for_line("node b does not respond");
    assert!(line.contains("closed the connection without a byte: it holds another secret"), "{line}");
    assert_eq!(state(&watching), "dead");
}

#[test]
fn health_checks_do_not_count_as_requests() {
    let backend = Backend::answering("");
    let (a, b) = (Place::new("a"), Place::new("b"));
    let asked = with_secret(b.start(&[])).route("served.test", &backend).run();
    let watching = with_secret(a.start(&[&b])).run();
    eventually("b is alive", || state(&watching) == "alive");
    let report = json(&printed(&asked, &["status", "--json"]));
    assert_eq!(report["counters"]["requests"], 0);
    assert!(backend.connections().is_empty());
}

#[test]
fn routes_of_a_configured_node_are_learned_from_it() {
    let backend = Backend::answering("hello");
    let (a, b) = (Place::new("a"), Place::new("b"));
    let _serving = with_secret(b.start(&[])).route("served.test", &backend).run();
    let asking = with_secret(a.start(&[&b])).flags(&["--route", "served.test=mesh://*"]).run();
    eventually("b is alive", || state(&asking) == "alive");
    assert_eq!(Client::connect(asking.http()).get("served.test", "/").text(), "hello");
}
