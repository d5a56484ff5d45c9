//! `pmesh status` and `pmesh peers`.

use crate::{
    Place, command, eventually, failed, json, printed,
    support::{Backend, Client, Program, Start},
    with_secret,
};

fn row<'a>(table: &'a str, key: &str) -> &'a str {
    let line = table.lines().find(|line| line.split("  ").next() == Some(key));
    line.unwrap_or_else(|| panic!("no {key} in {table}")).trim_start_matches(key).trim()
}

#[test]
fn status_shows_the_state_of_a_node() {
    let backend = Backend::answering("");
    let program = with_secret(Start::new()).route("served.test", &backend).flags(&["--node", "berlin"]).run();
    assert_eq!(Client::connect(program.http()).get("served.test", "/").status, 200);

    let table = printed(&program, &["status"]);
    assert!(row(&table, "node").starts_with("berlin, serving for "), "{table}");
    assert_eq!(row(&table, "http"), program.http().to_string());
    assert_eq!(row(&table, "internal"), program.internal().to_string());
    assert_eq!(
        [row(&table, "serves"), row(&table, "registry"), row(&table, "requests")],
        ["served.test/", "none", "1"]
    );
    assert_eq!(row(&table, "peers"), "0: 0 alive, 0 dead");

    let report = json(&printed(&program, &["status", "--json"]));
    assert_eq!(report["node"]["name"], "berlin");
    assert_eq!(report["node"]["serves"][0]["host"], "served.test");
    assert_eq!(report["health"]["serving"], true);
    assert_eq!(report["counters"]["requests"], 1);
    assert_eq!(printed(&program, &["peers"]), "no other nodes are known\n");
}

#[test]
fn another_node_is_queried_by_name() {
    let backend = Backend::answering("");
    let (a, b) = (Place::new("a"), Place::new("b"));
    let second = with_secret(b.start(&[&a])).route("served.test", &backend).run();
    let first = with_secret(a.start(&[&b])).run();
    let peer = |program: &Program| json(&printed(program, &["peers", "--json"]))["peers"][0].clone();
    eventually("a knows that b is alive", || peer(&first)["state"] == "alive");
    eventually("b knows that a is alive", || peer(&second)["state"] == "alive");

    let known = peer(&first);
    assert_eq!(
        [&known["name"], &known["source"], &known["failures"]],
        [&json("\"b\""), &json("\"static\""), &json("0")]
    );
    assert_eq!(known["addresses"][0], format!("{}:8443", b.ip));
    assert_eq!(known["serves"][0]["host"], "served.test");
    assert!(known["rtt"].as_u64().is_some() && known["last_seen"].as_u64().is_some(), "{known}");

    let table = printed(&first, &["peers"]);
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("NAME  STATE  ADDRESS") && lines.len() == 2, "{table}");
    assert!(lines[1].starts_with("b     alive  127.") && lines[1].ends_with("  served.test/"), "{table}");

    assert_eq!(json(&printed(&first, &["status", "--node", "b", "--json"]))["node"]["name"], "b");
    assert_eq!(json(&printed(&first, &["peers", "--node", "b", "--json"]))["peers"][0]["name"], "a");
    let (status, error) = failed(&mut command(first.home(), &["peers", "--node", "c"]));
    assert_eq!((status, error.as_str()), (Some(1), "pmesh: node a does not know node c; it knows: b\n"));
}

#[test]
fn without_a_running_node_commands_say_so() {
    let start = with_secret(Start::new());
    let output = start.flags(&["status"]).output();
    let error = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(error.contains("no node is running in the home") && error.contains("--home"), "{error}");
}

#[test]
fn another_node_is_reached_only_with_its_secret() {
    let (a, b) = (Place::new("a"), Place::new("b"));
    let _second = with_secret(b.start(&[])).run();
    let first = with_secret(a.start(&[&b])).run();
    let other = crate::SECRET.replace('0', "f");
    let (status, error) = failed(command(first.home(), &["status", "--node", "b"]).env("PMESH_SECRET", other));
    assert_eq!(status, Some(1));
    assert!(error.contains("holds another secret"), "{error}");
}
