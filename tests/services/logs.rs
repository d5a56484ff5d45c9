//! `pmesh services logs`.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use nix::sys::signal::Signal;
use serde_json::json;

use crate::{Node, command, eventually};

#[test]
fn the_last_lines_are_printed() {
    let Some(node) = Node::ready("instances = 2") else { return };
    for text in ["one", "two", "three"] {
        assert_eq!(node.get(&format!("/say/{text}")).status, 200);
    }
    eventually("all lines have arrived", || node.printed(&["services", "logs"]).lines().count() == 5);
    let all = node.printed(&["services", "logs", "web"]);
    assert!(all.contains("web/1 | version 1\n") && all.contains("web/2 | version 1\n"), "{all}");
    let last = node.printed(&["services", "logs", "-n", "1"]);
    assert!(last.ends_with(" | three\n") && last.lines().count() == 1, "{last}");
    let of_second = node.printed(&["services", "logs", "web/2"]);
    assert!(!of_second.contains("web/1") && of_second.contains("web/2"), "{of_second}");
    assert_eq!(node.printed(&["services", "logs", "web", "-n", "0"]), "");
    let line: serde_json::Value =
        serde_json::from_str(&node.printed(&["services", "logs", "-n", "1", "--json"])).unwrap();
    assert_eq!([&line["service"], &line["text"], &line["is_stderr"]], [&json!("web"), &json!("three"), &json!(false)]);
}

#[test]
fn further_lines_are_printed_until_the_node_stops() {
    let Some(node) = Node::ready("") else { return };
    let mut follow = command(node.home(), &["services", "logs", "web", "--follow"]);
    let mut follow = follow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(follow.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "web/1 | version 1");
    assert_eq!(node.get("/say/hello").status, 200);
    assert_eq!(lines.next().unwrap(), "web/1 | hello");
    node.program.signal(Signal::SIGTERM);
    assert_eq!(lines.next(), None);
    let output = follow.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}

#[test]
fn a_reader_that_leaves_ends_the_command() {
    let Some(node) = Node::ready("") else { return };
    let mut follow = command(node.home(), &["services", "logs", "-f"]);
    let mut follow = follow.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(follow.stdout.take().unwrap()).read_line(&mut line).unwrap();
    eventually("it has noticed", || {
        assert_eq!(node.get("/say/again").status, 200);
        follow.try_wait().unwrap().is_some()
    });
    let output = follow.wait_with_output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{output:?}");
}
