//! The route table, compared with a model that tries every route.
//!
//! Each line of the input is a route (`host/prefix`), and is skipped if it cannot be added. The last line is the request.

#![no_main]

use libfuzzer_sys::fuzz_target;
use pmesh_layers::{
    host::{HostName, HostPattern},
    route::{PathPrefix, RouteTable},
};

fuzz_target!(|text: &str| {
    let mut lines: Vec<_> = text.lines().take(32).collect();
    let Some(request) = lines.pop() else { return };
    let Some((host, path)) = split(request) else { return };
    let Ok(host) = host.parse::<HostName>() else { return };
    let mut table = RouteTable::new();
    let mut routes: Vec<(HostPattern, String)> = Vec::new();
    for line in lines {
        let Some((pattern, prefix)) = split(line) else { continue };
        let (Ok(pattern), Ok(prefix)) = (pattern.parse::<HostPattern>(), prefix.parse::<PathPrefix>()) else {
            continue;
        };
        let shown = prefix.to_string();
        let added = table.insert(pattern.clone(), prefix, routes.len()).is_ok();
        let is_new = !routes.iter().any(|other| *other == (pattern.clone(), shown.clone()));
        assert_eq!(added, is_new, "{line}");
        if added {
            routes.push((pattern, shown));
        }
    }
    let segments = segments(path);
    let best = routes
        .iter()
        .enumerate()
        .filter_map(|(index, (pattern, prefix))| {
            let host = rank_of_host(pattern, host.as_str())?;
            let length = prefix_of(&prefix_segments(prefix), &segments)?;
            Some(((host, length), index))
        })
        .max_by_key(|(rank, _)| *rank);
    let best = best.map(|(_, index)| index);
    assert_eq!(table.find_literal(host.as_str(), path).copied(), best, "{host} {path} of {routes:?}");
    // An error means that the path is ambiguous, or that there is no route.
    if let Ok(found) = table.find(host.as_str(), path) {
        assert_eq!(Some(*found), best, "{host} {path} of {routes:?}");
    }
});

fn split(line: &str) -> Option<(&str, &str)> {
    line.find('/').map(|slash| line.split_at(slash))
}

/// Exact names before wildcards, long wildcards before short ones.
fn rank_of_host(pattern: &HostPattern, host: &str) -> Option<(bool, usize)> {
    match pattern {
        HostPattern::Exact(name) => (name.as_str() == host).then_some((true, 0)),
        HostPattern::Below(parent) => {
            let below = host.strip_suffix(parent.as_str())?.strip_suffix('.')?;
            (!below.is_empty()).then_some((false, parent.as_str().len()))
        }
    }
}

/// The number of segments of the prefix, if the path begins with it.
fn prefix_of(prefix: &[&str], path: &[&str]) -> Option<usize> {
    path.starts_with(prefix).then_some(prefix.len())
}

fn prefix_segments(prefix: &str) -> Vec<&str> {
    if prefix == "/" { Vec::new() } else { segments(prefix) }
}

fn segments(path: &str) -> Vec<&str> {
    path.split('/').skip(1).collect()
}
