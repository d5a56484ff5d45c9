//! The cost of parsing a host name, once per request, and of choosing a source address, once per connection.

use pmesh_layers::{connect::SourceSubnet, host::HostName};

use super::{
    cost::Cost,
    support::{arguments::Arguments, table::Table},
};

/// As in a `Host` header.
const HOSTS: [(&str, &str); 8] = [
    ("lower case", "www.example.com"),
    ("upper case", "WWW.EXAMPLE.COM"),
    ("dot at the end", "www.example.com."),
    ("with a port", "www.example.com:8443"),
    ("punycode", "xn--bcher-kva.xn--p1ai"),
    ("IPv4", "192.0.2.1"),
    ("IPv6 with a port", "[2001:DB8:0:0:0:0:0:1]:443"),
    ("refused", "www.example.com, other"),
];

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&["names and addresses", "ns", "allocations"]);
    for (case, host) in HOSTS {
        let name = format!("host name: {case}");
        if arguments.selects(&name) {
            row(&mut table, name, &Cost::of(|| HostName::from_authority(host.as_bytes())));
        }
    }
    let longest = format!("{}example.com", "a2345678.".repeat(26));
    if arguments.selects("host name: long") {
        row(&mut table, "host name: long".to_owned(), &Cost::of(|| HostName::from_authority(longest.as_bytes())));
    }
    if arguments.selects("source address") {
        let subnet: SourceSubnet = "127.2.0.0/16".parse().unwrap();
        row(&mut table, "source address".to_owned(), &Cost::of(|| subnet.next_address()));
    }
    table
}

fn row(table: &mut Table, name: String, cost: &Cost) {
    let [nanoseconds, allocations] = cost.cells();
    table.row(vec![name, nanoseconds, allocations]);
}
