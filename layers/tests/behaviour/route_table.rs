//! The route table, compared with a list that is searched from start to end.

use pmesh_layers::{
    host::{HostName, HostPattern},
    route::{NoRoute, PathPrefix, RouteTable, Rule},
};
use proptest::prelude::*;

use crate::support::readings::{folded, odd_path, readings};

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
    prop::collection::vec("[ab]{1,2}", 0..4).prop_map(|segments| format!("/{}", segments.join("/")))
}

fn short_prefix() -> impl Strategy<Value = PathPrefix> {
    let segment = prop::sample::select(&["a", "a", "b", "b", "A", "%C3%89", "%C3%A9"][..]);
    prop::collection::vec(segment, 0..4).prop_map(|segments| format!("/{}", segments.join("/")).parse().unwrap())
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

/// The most specific routes if case is ignored.
fn naive_in_any_case(routes: &[(HostPattern, PathPrefix)], host: &HostName, path: &str) -> Vec<usize> {
    let fold = |prefix: &PathPrefix| folded(&prefix.to_string()).parse::<PathPrefix>().unwrap();
    let all: Vec<_> = routes.iter().map(|(pattern, prefix)| (pattern.clone(), fold(prefix))).collect();
    let most_specific = naive(&all, host, &folded(path)).map(|route| all[route].clone());
    (0..all.len()).filter(|route| Some(&all[*route]) == most_specific.as_ref()).collect()
}

proptest! {
    #[test]
    fn table_and_list_find_the_same_route(
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
            prop_assert_eq!(table.find(&host, &path).ok().copied(), expected, "{}{}", host, path);
        }
    }

    #[test]
    fn a_path_that_could_mean_another_route_is_ambiguous(
        path in odd_path(),
        routes in prop::collection::vec((prop::sample::select(&["a.b", "a.b", "*.b"][..]), short_prefix()), 1..6),
    ) {
        let host = "a.b";
        let (mut table, mut literal, mut list) = (RouteTable::new(), RouteTable::new(), Vec::new());
        for (pattern, prefix) in routes {
            let pattern: HostPattern = pattern.parse().unwrap();
            // A second route for the same prefix is rejected, which is fine here.
            if table.insert(pattern.clone(), prefix.clone(), list.len()).is_ok() {
                literal.insert(pattern.clone(), Rule::new(prefix.clone()).literal(), list.len()).unwrap();
                list.push((pattern, prefix));
            }
        }
        let name = host.parse().unwrap();
        let written = naive(&list, &name, &path);
        // The rest without the prefix counts too, because backends may not see the prefix.
        let prefix = written.map_or(0, |route| list[route].1.to_string().trim_end_matches('/').len());
        let (whole, rest) = (readings(&path), readings(&path[prefix..]));
        // A path with more readings is always ambiguous.
        prop_assume!(whole.len() <= 64 && rest.len() <= 64);
        let rest = rest.iter().map(|reading| format!("{}{reading}", &path[..prefix]));
        let others = whole.iter().cloned().chain(rest).any(|reading| {
            let in_any_case = naive_in_any_case(&list, &name, &reading);
            naive(&list, &name, &reading) != written || written.is_some_and(|route| !in_any_case.contains(&route))
        });
        let expected = match written {
            None => Err(NoRoute::NotFound),
            Some(_) if others => Err(NoRoute::Ambiguous),
            Some(route) => Ok(route),
        };
        prop_assert_eq!(table.find(host, &path).copied(), expected, "{}", path);
        prop_assert_eq!(literal.find(host, &path).ok().copied(), written, "{}", path);
        prop_assert_eq!(table.find_literal(host, &path).copied(), written, "{}", path);
    }
}
