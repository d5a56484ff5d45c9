//! Loops: routes of nodes that lead to each other.

use crate::{Node, support::Client, two};

#[test]
fn a_loop_between_two_nodes_is_a_508() {
    let (a, b) = two();
    let b_runs = b.start(&[&a]).flags(&["--route", "x.test=mesh://a"]).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b"]).run();
    assert_eq!(Client::connect(a.http()).get("x.test", "/").status, 508);
    let line = b_runs.wait_for_line("the request goes in circles");
    assert!(line.contains("it came through a,"), "{line}");
}

#[test]
fn a_loop_between_three_nodes_is_a_508() {
    let (a, b) = two();
    let c = Node::new("c");
    let _c = c.start(&[&a]).flags(&["--route", "x.test=mesh://a"]).run();
    let _b = b.start(&[&c]).flags(&["--route", "x.test=mesh://c"]).run();
    let a = a.start(&[&b]).flags(&["--route", "x.test=mesh://b"]).run();
    assert_eq!(Client::connect(a.http()).get("x.test", "/").status, 508);
}
