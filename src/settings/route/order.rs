//! The order in which routes are tried, and routes that are never reached.

use std::cmp::Reverse;

use pmesh_layers::{
    host::HostPattern,
    route::{Conditions, RoutePath},
};

use super::{Place, Route};

/// The places of all routes in the order in which they are tried: exact hosts before wildcards, and longer wildcards
/// first. For a host, exact paths before prefixes, and longer prefixes first. For a prefix, regular expressions first,
/// in the order of the file. For a path, routes with conditions first.
pub fn in_matching_order(routes: &[Route]) -> Vec<(&Route, Place<'_>)> {
    let mut places: Vec<_> = routes.iter().flat_map(|route| route.places().map(move |place| (route, place))).collect();
    // Stable: what compares equal is tried in the order of the file.
    places.sort_by(|(_, one), (_, other)| key(one).cmp(&key(other)));
    places
}

type Key<'a> = (bool, Reverse<usize>, &'a HostPattern, u8, Reverse<usize>, &'a str, bool, u8);

fn key<'a>(place: &Place<'a>) -> Key<'a> {
    let (is_wildcard, labels) = match place.host {
        HostPattern::Exact(_) => (false, 0),
        HostPattern::Below(parent) => (true, parent.as_str().split('.').count()),
    };
    let (kind, prefix, is_plain) = match place.path {
        RoutePath::Exact(path) => (0, path.as_str(), false),
        RoutePath::Regex(prefix, _) => (1, prefix.as_str(), false),
        RoutePath::Prefix(prefix) => (1, prefix.as_str(), true),
        _ => (2, "", true),
    };
    let depth = if kind == 0 || prefix == "/" { 0 } else { prefix.split('/').count() };
    (is_wildcard, Reverse(labels), place.host, kind, Reverse(depth), prefix, is_plain, rank(place.conditions))
}

/// Routes with conditions other than methods come first, those without conditions last.
fn rank(conditions: &Conditions) -> u8 {
    match (conditions.has_others(), conditions.is_empty()) {
        (true, _) => 0,
        (_, false) => 1,
        (_, true) => 2,
    }
}

/// A route with a place that is never reached, and the route that takes its requests.
#[derive(Debug)]
pub struct Hidden<'a> {
    /// The route.
    pub route: &'a Route,
    /// The place that is never reached.
    pub place: Place<'a>,
    /// The route that is tried first.
    pub by: &'a Route,
}

/// Finds routes that are never reached, because a route that is tried before them takes all their requests.
pub fn hidden(routes: &[Route]) -> Vec<Hidden<'_>> {
    let order = in_matching_order(routes);
    let mut hidden = Vec::new();
    for same_path in order.chunk_by(|(_, one), (_, other)| one.host == other.host && one.path == other.path) {
        for (index, (route, place)) in same_path.iter().enumerate() {
            let takes_all = |(before, wider): &&(&Route, Place<'_>)| {
                wider.conditions.covers(place.conditions)
                    && route.listeners.iter().all(|listener| before.listeners.contains(listener))
            };
            if let Some((by, _)) = same_path[..index].iter().find(takes_all) {
                hidden.push(Hidden { route, place: *place, by });
            }
        }
    }
    for (index, (route, place)) in order.iter().enumerate() {
        let RoutePath::Regex(_, regex) = place.path else { continue };
        let Some(start) = literal_start(regex.as_str()) else { continue };
        // A longer prefix takes all paths below it, even if its conditions fail.
        let takes_all = |(before, longer): &&(&Route, Place<'_>)| {
            matches!(longer.path, RoutePath::Prefix(prefix) if is_below(start, prefix.as_str()))
                && route.listeners.iter().all(|listener| before.listeners.contains(listener))
        };
        let mut of_host = order[..index].iter().rev().take_while(|(_, before)| before.host == place.host);
        if let Some((by, _)) = of_host.find(takes_all) {
            hidden.push(Hidden { route, place: *place, by });
        }
    }
    hidden
}

/// The literal start of all paths that a regular expression matches, if it is easy to see.
fn literal_start(regex: &str) -> Option<&str> {
    let literal = regex.strip_prefix('^').filter(|rest| rest.starts_with('/') && !rest.contains('|'))?;
    let end = literal.find(['\\', '.', '+', '*', '?', '(', '[', '{', '$']).unwrap_or(literal.len());
    // Whole segments only: a quantifier may apply to the last letter.
    Some(&literal[..literal[..end].rfind('/')?])
}

fn is_below(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use pmesh_layers::route::{PathPrefix, PathRegex, RouteTable};

    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
    };

    #[test]
    fn the_order_is_that_of_the_route_table() {
        let arguments = Arguments::parse(["pmesh", "--route", "a=b:1"]).unwrap();
        let source = Source::new(arguments.flags, [("HOME".into(), "/x".into())], Defaults::none());
        let route = source.load().unwrap().settings.routes.pop().unwrap();
        let with = |host: &str, path: RoutePath, conditions: &Conditions| Route {
            patterns: vec![host.parse().unwrap()],
            paths: vec![path],
            conditions: conditions.clone(),
            ..route.clone()
        };
        let prefix = |text: &str| RoutePath::from(text.parse::<PathPrefix>().unwrap());
        let regex = |text: &str| RoutePath::from(text.parse::<PathRegex>().unwrap());
        let any = Conditions::new();
        let [get, head] = ["GET", "HEAD"].map(|method| any.clone().methods([method.parse().unwrap()]));
        let upgrade = any.clone().upgrade("websocket");
        let routes = [
            with("*.b", prefix("/"), &any),
            with("*.a.b", prefix("/"), &any),
            with("x.a.b", prefix("/"), &any),
            with("x.a.b", regex("[.]php$"), &any),
            with("x.a.b", regex("[.]css$"), &any),
            with("x.a.b", regex("^/api/[0-9]+$"), &any),
            with("x.a.b", regex("^/apis/[0-9]+$"), &any),
            with("x.a.b", regex("^/api/.*|^/b$"), &any),
            with("x.a.b", prefix("/api"), &any),
            with("x.a.b", prefix("/api"), &get),
            with("x.a.b", prefix("/api"), &head),
            with("x.a.b", prefix("/api"), &upgrade),
            with("x.a.b", prefix("/api/v1"), &any),
            with("x.a.b", RoutePath::Exact("/x".parse().unwrap()), &any),
        ];
        let mut table = RouteTable::new();
        for (index, route) in routes.iter().enumerate() {
            for place in route.places() {
                table.insert(place.host.clone(), place.rule(), index).unwrap();
            }
        }
        let of_table: Vec<_> = table.in_order().into_iter().map(|listed| &routes[*listed.target]).collect();
        let listed: Vec<_> = in_matching_order(&routes).into_iter().map(|(route, _)| route).collect();
        assert_eq!(
            listed.iter().map(ToString::to_string).collect::<Vec<_>>(),
            of_table.iter().map(ToString::to_string).collect::<Vec<_>>()
        );
        let hidden: Vec<_> = hidden(&routes).into_iter().map(|hidden| hidden.place.to_string()).collect();
        assert_eq!(hidden, ["x.a.b/api [HEAD]", "x.a.b/ ~ ^/api/[0-9]+$"]);
    }
}
