//! The route table beside a list that is searched from one end to the other.

use pmesh_layers::{
    host::{HostName, HostPattern},
    route::{PathPrefix, RouteTable},
};
use proptest::prelude::*;

fn host() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]", 1..4).prop_map(|labels| labels.join("."))
}

fn pattern() -> impl Strategy<Value = HostPattern> {
    (any::<bool>(), host()).prop_map(|(below, host)| {
        let star = if below { "*." } else { "" };
        format!("{star}{host}").parse().unwrap()
    })
}

fn path() -> impl Strategy<Value = String> {
    prop::collection::vec("[ab]{0,2}", 1..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn prefix() -> impl Strategy<Value = PathPrefix> {
    path().prop_map(|path| format!("{}/", path.trim_end_matches('/')).parse().unwrap())
}

/// By the rules: an exact host, then the longest wildcard, then the longest prefix.
fn naive(routes: &[(HostPattern, PathPrefix)], host: &HostName, path: &str) -> Option<usize> {
    let matching = routes
        .iter()
        .enumerate()
        .filter(|(_, (pattern, prefix))| pattern.matches(host) && prefix.strip(path).is_some());
    let most_specific = matching.max_by_key(|(_, (pattern, prefix))| {
        (matches!(pattern, HostPattern::Exact(_)), pattern.to_string().len(), prefix.to_string().len())
    });
    most_specific.map(|(index, _)| index)
}

proptest! {
    #[test]
    fn both_find_the_same(
        routes in prop::collection::vec((pattern(), prefix()), 0..12),
        requests in prop::collection::vec((host(), path()), 1..12),
    ) {
        let mut table = RouteTable::new();
        let mut list = Vec::new();
        for (pattern, prefix) in routes {
            let inserted = table.insert(pattern.clone(), prefix.clone(), list.len());
            prop_assert_eq!(inserted.is_err(), list.contains(&(pattern.clone(), prefix.clone())));
            if inserted.is_ok() {
                list.push((pattern, prefix));
            }
        }
        for (host, path) in requests {
            let expected = naive(&list, &host.parse().unwrap(), &path);
            prop_assert_eq!(table.find(&host, &path).copied(), expected, "{}{}", host, path);
        }
    }

    #[test]
    fn another_way_to_write_a_path_finds_the_same(path in path(), prefixes in prop::collection::vec(prefix(), 1..6)) {
        let mut table = RouteTable::new();
        for (index, prefix) in prefixes.into_iter().enumerate() {
            // A second route for the same prefix is refused, which is fine here.
            let _ = table.insert("a".parse().unwrap(), prefix, index);
        }
        let expected = table.find("a", &path);
        for written in [path.replace('a', "%61"), format!("/x/..{path}"), format!("/.{path}"), format!("/%2e{path}")] {
            prop_assert_eq!(table.find("a", &written), expected, "{}", written);
        }
    }
}
