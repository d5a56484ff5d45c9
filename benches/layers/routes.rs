//! Tables of routes, small and large.

use pmesh_layers::route::{PathPrefix, RouteTable};

use super::{
    cost::{Cost, made},
    support::{arguments::Arguments, table::Table},
};

/// So many hosts with so many prefixes each.
const SIZES: [(u32, u32); 4] = [(1, 1), (100, 1), (10_000, 1), (10_000, 10)];

/// So many different requests take turns, from all over the table.
const REQUESTS: u32 = 4096;

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&[
        "route table",
        "hosts",
        "prefixes",
        "found (ns)",
        "not found (ns)",
        "bytes a route",
        "built (ms)",
    ]);
    for (kind, star) in [("exact", ""), ("wildcard", "*.")] {
        for (hosts, prefixes) in SIZES {
            if arguments.selects(&format!("route table {kind}")) {
                table.row(row(kind, star, hosts, prefixes));
            }
        }
    }
    table
}

fn row(kind: &str, star: &str, hosts: u32, prefixes: u32) -> Vec<String> {
    let routes: Vec<_> = (0..hosts)
        .flat_map(|host| (0..prefixes).map(move |prefix| (host, prefix)))
        .map(|(host, prefix)| (format!("{star}host-{host}.example.test"), format!("/part-{prefix}")))
        .collect();
    let (table, built, bytes) = made(|| {
        let mut table = RouteTable::new();
        for (number, (pattern, prefix)) in routes.iter().enumerate() {
            table.insert(pattern.parse().unwrap(), prefix.parse::<PathPrefix>().unwrap(), number).unwrap();
        }
        table
    });
    let below = star.replace('*', "www");
    // A step that has no factor in common with the number of hosts meets all of them, and neighbours never.
    let requests = |host: &str| -> Vec<_> {
        let name = |number: u32| format!("{below}{host}-{}.example.test", number * 7919 % hosts);
        (0..REQUESTS).map(|number| (name(number), format!("/part-{}/page", number % prefixes))).collect()
    };
    let cost = |requests: &[(String, String)], found: bool| {
        let mut turns = requests.iter().cycle();
        Cost::of(|| {
            let (host, path) = turns.next().unwrap();
            assert_eq!(table.find(host, path).is_ok(), found);
        })
    };
    vec![
        kind.to_owned(),
        hosts.to_string(),
        prefixes.to_string(),
        cost(&requests("host"), true).cells()[0].clone(),
        cost(&requests("other"), false).cells()[0].clone(),
        format!("{:.0}", bytes / f64::from(hosts * prefixes)),
        format!("{:.1}", built.as_secs_f64() * 1000.0),
    ]
}
