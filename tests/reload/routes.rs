//! Requests follow the routes of the file, even on connections opened before a reload.

use std::collections::BTreeMap;

use serde_json::json;

use crate::{
    assert_silent, reload, route, served, start,
    support::{
        Backend, Client, End,
        client::get,
        h2::{self, Answer},
        tls::Tls,
    },
};

#[test]
fn open_connections_serve_the_new_routes() {
    let [one, two] = ["one", "two"].map(Backend::answering);
    let prefixed = |host, prefix, backend: &Backend| {
        format!("[[routes]]\nhost = \"{host}\"\nprefix = \"{prefix}\"\nupstream = [\"{}\"]\n", backend.address)
    };
    let program = start(&[route("a.test", one.address), route("old.test", one.address)].concat());
    let mut client = Client::connect(program.http());
    let mut secured = Tls::trusting(&program).connect(program.https(), "a.test").unwrap();
    let mut http2 = Tls::trusting(&program).alpn(&["h2"]).connect(program.https(), "a.test").unwrap();
    http2.send([h2::opening(), h2::headers(1, &h2::get("a.test", "/x"), true)].concat());
    assert_eq!(http2.answer(1), Answer::Status(200));
    for host in ["a.test", "old.test"] {
        assert_eq!(client.get(host, "/x").text(), "one");
    }
    assert_eq!(secured.get("a.test", "/x").text(), "one");

    let after = [prefixed("a.test", "/x", &two), route("new.test", one.address)].concat();
    let report = reload(&program, &after);
    assert_eq!(
        report["routes"],
        json!({ "added": ["a.test/x", "new.test/"], "changed": [], "removed": ["a.test/", "old.test/"] })
    );
    assert_eq!(client.get("a.test", "/x").text(), "two");
    assert_eq!(client.get("a.test", "/").status, 404);
    assert_eq!(client.get("new.test", "/").text(), "one");
    assert_eq!([secured.get("a.test", "/x").status, secured.get("a.test", "/").status], [200, 404]);
    http2
        .send([h2::headers(3, &h2::get("a.test", "/x"), true), h2::headers(5, &h2::get("a.test", "/"), true)].concat());
    assert_eq!([http2.answer(3), http2.answer(5)], [Answer::Status(200), Answer::Status(404)]);
    assert_silent(program.http(), "old.test");
    client.send(get("old.test", "/"));
    assert_eq!(client.end(), (Vec::new(), End::Fin));

    // Once a host has no routes, connections that were made for it are closed without a response.
    let report = reload(&program, &route("new.test", two.address));
    assert_eq!(report["routes"], json!({ "added": [], "changed": ["new.test/"], "removed": ["a.test/x"] }));
    secured.send(get("a.test", "/x"));
    assert_eq!(secured.end().0, b"");
    http2.send(h2::headers(7, &h2::get("a.test", "/x"), true));
    assert!(matches!(http2.answer(7), Answer::GoAway | Answer::End));
    assert_eq!(served(&program, "new.test"), "two");
}

#[test]
fn hosts_that_move_between_lists_are_the_same_routes() {
    let backend = Backend::answering("ok");
    let together = format!("[[routes]]\nhost = [\"a.test\", \"b.test\"]\nupstream = [\"{}\"]\n", backend.address);
    let apart = [route("b.test", backend.address), route("a.test", backend.address)].concat();
    let program = start(&together);
    for text in [&apart, &together, &apart] {
        let report = reload(&program, text);
        assert_eq!(report["routes"], json!({ "added": [], "changed": [], "removed": [] }));
    }
}

/// Pseudorandom numbers from a fixed seed (Marsaglia's xorshift).
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        for shift in [-13_i32, 7, -17] {
            let count = shift.unsigned_abs();
            self.0 ^= if shift < 0 { self.0 << count } else { self.0 >> count };
        }
        usize::try_from(self.0 >> 33).unwrap() % end
    }
}

const HOSTS: [&str; 6] = ["a.test", "b.test", "c.test", "d.test", "*.w.test", "x.w.test"];
const PREFIXES: [&str; 3] = ["/", "/p", "/p/q"];

/// Maps host and prefix to a backend.
type Table = BTreeMap<(usize, usize), usize>;

fn file(table: &Table, backends: &[Backend; 3]) -> String {
    let route = |(&(host, prefix), &backend): (&(usize, usize), &usize)| {
        format!(
            "[[routes]]\nhost = \"{}\"\nprefix = \"{}\"\nupstream = [\"{}\"]\n",
            HOSTS[host], PREFIXES[prefix], backends[backend].address
        )
    };
    table.iter().map(route).collect()
}

/// The expected result of a request: silence, or a status and the index of a backend.
fn expected(table: &Table, host: &str, path: &str) -> Option<(u16, usize)> {
    let is_of = |index: &usize| HOSTS[*index] == host || HOSTS[*index] == "*.w.test" && host.ends_with(".w.test");
    let hosts: Vec<_> = (0..HOSTS.len()).rev().filter(is_of).collect();
    if !table.keys().any(|(index, _)| hosts.contains(index)) {
        return None;
    }
    let matches = |prefix: &usize| {
        let rest = path.strip_prefix(PREFIXES[*prefix].trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let prefixes = || (0..PREFIXES.len()).rev().filter(matches);
    // An exact host, which is later in the list, wins over the wildcard; then the longest prefix wins.
    let mut places = hosts.iter().flat_map(|host| prefixes().map(move |prefix| (*host, prefix)));
    Some(places.find_map(|place| table.get(&place)).map_or((404, 0), |backend| (200, *backend)))
}

#[test]
fn after_random_changes_exactly_the_current_routes_are_served() {
    const SEED: u64 = 0x9e37_79b9_7f4a_7c15;

    let backends = ["0", "1", "2"].map(Backend::answering);
    let (mut random, mut table) = (Random(SEED), Table::new());
    let program = start("");
    let asked = ["a.test", "b.test", "c.test", "d.test", "x.w.test", "y.w.test", "w.test", "never.test"];
    for step in 0..40 {
        let before = table.clone();
        for _ in 0..=random.below(4) {
            let place = (random.below(6), random.below(3));
            match random.below(3) {
                0 => drop(table.remove(&place)),
                _ => drop(table.insert(place, random.below(3))),
            }
        }
        let report = reload(&program, &file(&table, &backends));
        let count = |kind: &str| report["routes"][kind].as_array().unwrap().len();
        let is_changed =
            |(place, backend): &(&(usize, usize), &usize)| before.get(place).is_some_and(|old| old != *backend);
        let counts = [
            table.keys().filter(|place| !before.contains_key(place)).count(),
            table.iter().filter(is_changed).count(),
            before.keys().filter(|place| !table.contains_key(place)).count(),
        ];
        assert_eq!(["added", "changed", "removed"].map(count), counts, "step {step}: {before:?} {table:?} {report}");
        let mut client = Client::connect(program.http());
        for host in asked {
            for path in ["/", "/p", "/p/q/r", "/px"] {
                let context = format!("step {step}: {host}{path} with {table:?}");
                match expected(&table, host, path) {
                    None => assert_silent(program.http(), host),
                    Some((404, _)) => assert_eq!(client.get(host, path).status, 404, "{context}"),
                    Some((_, backend)) => {
                        assert_eq!(client.get(host, path).text(), backend.to_string(), "{context}");
                    }
                }
            }
        }
    }
}
