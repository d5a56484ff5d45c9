//! The order in which routes are matched, and routes that are never reached.

use std::collections::HashMap;

use pmesh_layers::route::{RoutePath, RouteTable};

use super::{Place, Route};

/// Returns the places of all routes in the order in which they are matched. Several routes can have the same place on
/// different listeners.
pub fn in_matching_order(routes: &[Route]) -> Vec<(&Route, Place<'_>)> {
    let mut table = RouteTable::new();
    let mut by_place: HashMap<_, Vec<&Route>> = HashMap::new();
    for route in routes {
        for place in route.places() {
            let same_place = by_place.entry(place).or_default();
            if same_place.is_empty() {
                // This cannot be a duplicate.
                let _ = table.insert(place.host.clone(), place.rule(), place);
            }
            same_place.push(route);
        }
    }
    let listed = table.in_order().into_iter().map(|listed| *listed.target);
    let routes = |place| by_place.remove(&place).unwrap_or_default().into_iter().map(move |route| (route, place));
    listed.flat_map(routes).collect()
}

/// A place of a route that is never reached, and the route that gets its requests.
#[derive(Debug)]
pub struct Hidden<'a> {
    /// The route.
    pub route: &'a Route,
    /// The place that is never reached.
    pub place: Place<'a>,
    /// The route that is matched first.
    pub by: &'a Route,
}

/// Finds places that are never reached, because an earlier route matches all their requests.
pub fn hidden(routes: &[Route]) -> Vec<Hidden<'_>> {
    let order = in_matching_order(routes);
    let mut hidden = Vec::new();
    for same_path in order.chunk_by(|(_, one), (_, other)| one.host == other.host && one.path == other.path) {
        for (index, (route, place)) in same_path.iter().enumerate() {
            let matches_all = |(before, wider): &&(&Route, Place<'_>)| {
                wider.conditions.covers(place.conditions)
                    && route.listeners.iter().all(|listener| before.listeners.contains(listener))
            };
            if let Some((by, _)) = same_path[..index].iter().find(matches_all) {
                hidden.push(Hidden { route, place: *place, by });
            }
        }
    }
    for (index, (route, place)) in order.iter().enumerate() {
        let RoutePath::Regex(_, regex) = place.path else { continue };
        let Some(start) = literal_start(regex.as_str()) else { continue };
        // A longer prefix gets all paths below it, even if its conditions fail.
        let matches_all = |(before, longer): &&(&Route, Place<'_>)| {
            matches!(longer.path, RoutePath::Prefix(prefix) if is_below(start, prefix.as_str()))
                && route.listeners.iter().all(|listener| before.listeners.contains(listener))
        };
        let mut of_host = order[..index].iter().rev().take_while(|(_, before)| before.host == place.host);
        if let Some((by, _)) = of_host.find(matches_all) {
            hidden.push(Hidden { route, place: *place, by });
        }
    }
    hidden
}

/// The literal start of all paths that a regular expression matches, if the expression shows it.
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
    use pmesh_layers::route::{Conditions, PathPrefix, PathRegex};

    use super::*;
    use crate::{
        cli::Arguments,
        config::{Defaults, Source},
        settings::Listener,
    };

    fn route() -> Route {
        let arguments = Arguments::parse(["pmesh", "--route", "a=b:1"]).unwrap();
        let source = Source::new(arguments.flags, [("HOME".into(), "/x".into())], Defaults::none());
        source.load().unwrap().settings.routes.pop().unwrap()
    }

    fn listed(routes: &[Route]) -> Vec<String> {
        in_matching_order(routes).into_iter().map(|(_, place)| place.to_string()).collect()
    }

    #[test]
    fn routes_are_listed_in_the_order_of_the_route_table() {
        let route = route();
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
        assert_eq!(
            listed(&routes),
            [
                "x.a.b/x (exact)",
                "x.a.b/api/v1",
                "x.a.b/api [upgrade websocket]",
                "x.a.b/api [GET, HEAD]",
                "x.a.b/api [HEAD]",
                "x.a.b/api",
                "x.a.b/ ~ [.]php$",
                "x.a.b/ ~ [.]css$",
                "x.a.b/ ~ ^/api/[0-9]+$",
                "x.a.b/ ~ ^/apis/[0-9]+$",
                "x.a.b/ ~ ^/api/.*|^/b$",
                "x.a.b/",
                "*.a.b/",
                "*.b/"
            ]
        );
        let hidden: Vec<_> = hidden(&routes).into_iter().map(|hidden| hidden.place.to_string()).collect();
        assert_eq!(hidden, ["x.a.b/api [HEAD]", "x.a.b/ ~ ^/api/[0-9]+$"]);
    }

    #[test]
    fn routes_on_different_listeners_can_have_the_same_place() {
        let on = |listener| Route { listeners: vec![listener], ..route() };
        let routes = [on(Listener::Http), on(Listener::Https)];
        let order: Vec<_> = in_matching_order(&routes).into_iter().map(|(route, _)| &route.listeners).collect();
        assert_eq!(order, [&[Listener::Http], &[Listener::Https]]);
        assert!(hidden(&routes).is_empty());
    }
}
