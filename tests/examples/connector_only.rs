use std::{collections::HashSet, net::Ipv4Addr};

use crate::program::Program;

#[test]
fn ten_connections_leave_from_ten_addresses() {
    let mut program = Program::start("connector_only");
    let mut sources = HashSet::new();
    while let Some(line) = program.next_line() {
        sources.insert(line.strip_prefix("a connection from ").unwrap().parse::<Ipv4Addr>().unwrap());
    }
    assert_eq!(sources.len(), 10, "{sources:?}");
    let in_subnet = |source: &Ipv4Addr| source.octets()[..2] == [127, 2];
    assert!(sources.iter().all(in_subnet), "{sources:?}");
}
