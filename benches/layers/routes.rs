//! Small and large route tables.

use http::Method;
use pmesh_layers::route::{Conditions, ExactPath, PathPrefix, PathRegex, RouteTable, Rule};

use super::{
    cost::{Cost, made},
    support::{arguments::Arguments, table::Table},
};

/// Number of hosts, and of prefixes per host.
const SIZES: [(u32, u32); 4] = [(1, 1), (100, 1), (10_000, 1), (10_000, 10)];

/// Number of different requests, from all over the table, used in turn.
const REQUESTS: u32 = 4096;

/// The rule for each prefix of the requested hosts, and whether 100 other hosts have routes of all kinds.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    star: &'static str,
    rule: fn(&str) -> Rule,
    among_others: bool,
}

const KINDS: [Kind; 7] = [
    Kind { name: "exact", star: "", rule: by_prefix, among_others: false },
    Kind { name: "wildcard", star: "*.", rule: by_prefix, among_others: false },
    Kind { name: "exact, among others", star: "", rule: by_prefix, among_others: true },
    Kind { name: "wildcard, among others", star: "*.", rule: by_prefix, among_others: true },
    Kind { name: "exact path", star: "", rule: exact_path, among_others: false },
    Kind { name: "methods", star: "", rule: for_methods, among_others: false },
    Kind { name: "regex", star: "", rule: by_regex, among_others: false },
];

fn by_prefix(prefix: &str) -> Rule {
    Rule::new(prefix.parse::<PathPrefix>().unwrap())
}

fn exact_path(prefix: &str) -> Rule {
    Rule::new(format!("{prefix}/page").parse::<ExactPath>().unwrap())
}

fn for_methods(prefix: &str) -> Rule {
    by_prefix(prefix).when(Conditions::new().methods([Method::GET]))
}

fn by_regex(prefix: &str) -> Rule {
    let regex: PathRegex = "^/part-[0-9]+/page$".parse().unwrap();
    Rule::new((prefix.parse::<PathPrefix>().unwrap(), regex))
}

pub fn table(arguments: &Arguments) -> Table {
    let mut table = Table::new(&[
        "route table",
        "hosts",
        "prefixes",
        "found (ns)",
        "not found (ns)",
        "bytes per route",
        "built (ms)",
    ]);
    for kind in KINDS {
        for (hosts, prefixes) in SIZES {
            if arguments.selects(&format!("route table {}", kind.name)) {
                table.row(row(kind, hosts, prefixes));
            }
        }
    }
    table
}

fn row(kind: Kind, hosts: u32, prefixes: u32) -> Vec<String> {
    let star = kind.star;
    let routes: Vec<_> = (0..hosts)
        .flat_map(|host| (0..prefixes).map(move |prefix| (host, prefix)))
        .map(|(host, prefix)| (format!("{star}host-{host}.example.test"), format!("/part-{prefix}")))
        .collect();
    let (mut table, built, bytes) = made(|| {
        let mut table = RouteTable::new();
        for (number, (pattern, prefix)) in routes.iter().enumerate() {
            table.insert(pattern.parse().unwrap(), (kind.rule)(prefix), number).unwrap();
        }
        table
    });
    if kind.among_others {
        add_others(&mut table);
    }
    let below = star.replace('*', "www");
    // A step that is coprime to the number of hosts visits all of them, and never two neighbours in a row.
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
        kind.name.to_owned(),
        hosts.to_string(),
        prefixes.to_string(),
        cost(&requests("host"), true).cells()[0].clone(),
        cost(&requests("other"), false).cells()[0].clone(),
        format!("{:.0}", bytes / f64::from(hosts * prefixes)),
        format!("{:.1}", built.as_secs_f64() * 1000.0),
    ]
}

/// Routes of all kinds, for hosts that are never requested.
fn add_others(table: &mut RouteTable<usize>) {
    for pattern in (0..100).flat_map(|host| [format!("busy-{host}.example.org"), format!("*.busy-{host}.example.org")])
    {
        for rule in [exact_path, for_methods, by_regex] {
            table.insert(pattern.parse().unwrap(), rule("/part-0"), 0).unwrap();
        }
    }
}
