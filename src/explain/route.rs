//! Which route a request takes, and why.

use std::collections::HashMap;

use http::Request;
use pmesh_layers::{
    host::HostName,
    route::{Candidate, Considered, NoRoute, RoutePath, Unmet, Verdict},
};

use super::{
    explanation::{ExplainedRoute, PassedOver},
    request::Asked,
};
use crate::{
    settings::{Listener, Place, Route, ServedPlace, Settings},
    upstream::Tables,
};

/// The result of looking for the route of a request.
#[derive(Debug)]
pub(super) struct Found<'a> {
    pub(super) result: Result<&'a Route, NoRoute>,
    pub(super) explained: Option<ExplainedRoute>,
    pub(super) passed_over: Vec<PassedOver>,
    /// How some backends would read an ambiguous path.
    pub(super) other_reading: Option<String>,
}

/// Looks up the route as the router does.
pub(super) fn find<'a>(
    request: &Request<()>,
    tables: &Tables,
    listener: &Listener,
    settings: &'a Settings,
    asked: &Asked,
) -> Found<'a> {
    let all = settings.served(listener);
    let host = request.extensions().get::<HostName>();
    let considered =
        tables.for_listener(listener).map(|table| table.consider(host.map_or("", HostName::as_str), request));
    let by_index: HashMap<_, _> = all.iter().map(|served| (served.index, *served)).collect();
    let Some(Considered { result, candidates, other_reading, .. }) = considered else {
        return Found { result: Err(NoRoute::NotFound), explained: None, passed_over: Vec::new(), other_reading: None };
    };
    let candidates: Vec<_> = candidates
        .into_iter()
        .filter_map(|Candidate { target, verdict, .. }| Some((*by_index.get(target)?, verdict)))
        .collect();
    let first = candidates.first().map(|(served, _)| served.place);
    let is_chosen = |verdict: &Verdict<'_>| result.is_ok() && *verdict == Verdict::Chosen;
    let chosen = candidates.iter().find(|(_, verdict)| is_chosen(verdict)).map(|(served, _)| *served);
    let rest = candidates.iter().filter(|(_, verdict)| !is_chosen(verdict));
    let mut passed_over: Vec<_> = rest
        .map(|(served, verdict)| passed_over_for(served, why_not(served.place, verdict, first, request, asked)))
        .collect();
    if candidates.is_empty() {
        let of_host = |served: &&ServedPlace<'_>| host.is_some_and(|host| served.place.host.matches(host));
        let others = all.iter().filter(of_host);
        passed_over.extend(others.map(|served| passed_over_for(served, "its path does not match".to_owned())));
    }
    let explained = chosen.map(|served| ExplainedRoute {
        name: served.route.name.clone(),
        place: served.place.to_string(),
        origin: served.route.origin.at().to_owned(),
        why: why(served.place, &candidates),
    });
    passed_over.extend(elsewhere(request, tables, listener, settings));
    let route = result.and_then(|_| chosen.map(|served| served.route).ok_or(NoRoute::NotFound));
    Found { result: route, explained, passed_over, other_reading }
}

/// Routes that would get the request on another listener.
fn elsewhere(request: &Request<()>, tables: &Tables, listener: &Listener, settings: &Settings) -> Vec<PassedOver> {
    let host = request.extensions().get::<HostName>().map_or("", HostName::as_str);
    let mut found: Vec<ServedPlace<'_>> = Vec::new();
    for other in settings.all_listeners().filter(|other| other != listener && *other != Listener::Internal) {
        let index = tables.for_listener(&other).and_then(|table| table.find_for(host, request).ok().copied());
        let served = settings.served(&other).into_iter().find(|served| Some(served.index) == index);
        let is_new = |served: &ServedPlace<'_>| found.iter().all(|other| other.index != served.index);
        found.extend(served.filter(|served| !served.route.listeners.contains(listener)).filter(is_new));
    }
    let on = |served: &ServedPlace<'_>| {
        let names: Vec<_> = served.route.listeners.iter().map(Listener::name).collect();
        passed_over_for(served, format!("it is only on {}", names.join(" and ")))
    };
    found.iter().map(on).collect()
}

fn passed_over_for(served: &ServedPlace<'_>, why: String) -> PassedOver {
    PassedOver { place: served.place.to_string(), origin: served.route.origin.at().to_owned(), why }
}

/// Why the route with this place is chosen among the candidates.
fn why(chosen: Place<'_>, candidates: &[(ServedPlace<'_>, Verdict<'_>)]) -> String {
    let mut places: Vec<_> = candidates.iter().map(|(served, _)| (served.place.host, served.place.path)).collect();
    places.dedup();
    let of_host = places.iter().filter(|(host, _)| *host == chosen.host).count();
    let mut why = match chosen.path {
        RoutePath::Regex(_, regex) => format!("because {regex} matches the path"),
        RoutePath::Prefix(prefix) if of_host > 1 => {
            format!("because its prefix {prefix} is the longest of {of_host} that match")
        }
        RoutePath::Prefix(prefix) => format!("because its prefix {prefix} matches"),
        path => format!("because its path is exactly {}", path.to_string().trim_start_matches('=')),
    };
    if let Some((wider, _)) = places.iter().find(|(host, _)| *host != chosen.host) {
        why += &format!(", and {} is more specific than {wider}", chosen.host);
    }
    if !chosen.conditions.is_empty() {
        why += &format!(", and its conditions hold: {}", chosen.conditions);
    }
    why
}

/// Why a route is not chosen.
fn why_not(
    place: Place<'_>,
    verdict: &Verdict<'_>,
    first: Option<Place<'_>>,
    request: &Request<()>,
    asked: &Asked,
) -> String {
    match verdict {
        Verdict::Chosen => "the path is ambiguous".to_owned(),
        Verdict::Unmet(Unmet::Method(_)) => format!("{} is not one of its methods", request.method()),
        Verdict::Unmet(unmet @ Unmet::Client(_)) if asked.from.is_none() => {
            format!("it is only for {unmet}; set the client with --from")
        }
        Verdict::Unmet(unmet) => format!("it is only for {unmet}"),
        Verdict::Later => "an earlier route for the same path gets it".to_owned(),
        Verdict::LessSpecific => first.map_or_else(String::new, |first| why_less_specific(place, first)),
        _ => String::new(),
    }
}

fn why_less_specific(place: Place<'_>, first: Place<'_>) -> String {
    if place.host != first.host {
        return format!("its host {} is less specific", place.host);
    }
    match (place.path, first.path) {
        (_, RoutePath::Exact(_)) => "an exact path comes first".to_owned(),
        (RoutePath::Regex(prefix, _), RoutePath::Regex(of_first, _)) if prefix == of_first => {
            "an earlier regular expression matches".to_owned()
        }
        (RoutePath::Prefix(prefix), RoutePath::Regex(of_first, _)) if prefix == of_first => {
            "a regular expression comes first".to_owned()
        }
        (RoutePath::Prefix(prefix) | RoutePath::Regex(prefix, _), _) => format!("its prefix {prefix} is shorter"),
        _ => "its path is less specific".to_owned(),
    }
}
