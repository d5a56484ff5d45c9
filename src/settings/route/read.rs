//! Reads routes, with the settings they inherit.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    path::Path,
    time::Duration,
};

use pmesh_layers::route::{PathRegex, RoutePath};

use super::{
    Answer, Hsts, Middleware, Names, ReadPages, Redirection, Rewriting, Route, Scope, answer, identity,
    redirection::From,
    requests,
    scope::{redirects, scopes},
    tls,
};
use crate::{
    config::{Merged, Node, Parse, Problem, Problems, SizeLimit},
    settings::{NamedListener, endpoint::Endpoint},
};

/// Top-level settings, for values that neither the route, nor its parent, nor `[defaults]` sets.
#[derive(Debug, Clone, Copy)]
pub(in crate::settings) struct RootDefaults<'a> {
    pub(in crate::settings) named_listeners: &'a [NamedListener],
    pub(in crate::settings) redirect_https: bool,
    pub(in crate::settings) connect_timeout: Duration,
    pub(in crate::settings) response_timeout: Duration,
    pub(in crate::settings) stall_timeout: Duration,
    pub(in crate::settings) stream_timeout: Duration,
    pub(in crate::settings) max_body: Option<u64>,
    /// The names of all services.
    pub(in crate::settings) services: &'a Names,
    /// The pages that have been read so far.
    pub(in crate::settings) pages: &'a ReadPages,
    /// The home folder; empty if there is none.
    pub(in crate::settings) home: &'a Path,
}

/// Reads all routes, then all redirects.
pub(in crate::settings) fn read(merged: &Merged, root: RootDefaults<'_>, problems: &mut Problems) -> Vec<Route> {
    let mut routes = Vec::new();
    for scope in scopes(merged, problems) {
        routes.extend(written(&scope, root, problems));
    }
    for (from, scope) in redirects(merged, problems) {
        routes.extend(redirect(&from, &scope, root, problems));
    }
    report_alike(&routes, problems);
    identity::protect(&mut routes);
    routes
}

/// Reads a table of `[[routes]]`.
fn written(scope: &Scope<'_>, root: RootDefaults<'_>, problems: &mut Problems) -> Option<Route> {
    let own = scope.own();
    if own.value.as_dict().is_none() {
        let expected =
            if own.is_from_file() { "a table with host and upstream" } else { "HOST[/PREFIX]=UPSTREAM[,UPSTREAM…]" };
        problems.push(own.unexpected(expected));
        return None;
    }
    let patterns = requests::patterns(scope, problems);
    let paths = requests::paths(scope, problems);
    let conditions = requests::conditions(scope, problems);
    let has_children = own.field("routes").is_some();
    let answer = answer::read(scope, has_children, root.services, problems);
    let tls = tls::read(scope, answer.as_ref(), problems);
    let name = own.field("name").map(|node| node.read::<String>(problems));
    // Read even if the rest is invalid, to report all problems.
    let settings = settings(scope, root, problems);
    let (paths, answer, settings) = (paths?, answer?, settings?);
    let mut route = Route { patterns, paths, conditions: conditions?, answer, tls: tls?, ..settings };
    report_useless(scope, &route, problems);
    if let (Answer::Files(files, _), Some(node)) = (&route.answer, scope.field("files"))
        && files.would_serve(root.home)
    {
        problems.push(node.problem(format!(
            "clients could read {}, which has pmesh's secret: name a folder without it",
            root.home.display()
        )));
    }
    route.name = match name {
        Some(name) => name?,
        None => route.places().next().map(|place| place.to_string()).unwrap_or_default(),
    };
    Some(route)
}

/// Reads an entry of `[redirects]`.
fn redirect(from: &str, scope: &Scope<'_>, root: RootDefaults<'_>, problems: &mut Problems) -> Option<Route> {
    let node = scope.own();
    let place = node.read_key::<From>(from, problems);
    let redirection = Redirection::read(node, problems);
    let settings = settings(scope, root, problems);
    let (From { host, path }, answer) = (place?, Answer::Redirect(redirection?));
    let route = Route { name: from.to_owned(), patterns: vec![host], paths: vec![path], answer, ..settings? };
    report_useless(scope, &route, problems);
    Some(route)
}

/// Reads everything that a route can inherit from `[defaults]`.
fn settings(scope: &Scope<'_>, root: RootDefaults<'_>, problems: &mut Problems) -> Option<Route> {
    let listeners = requests::listeners(scope, root.named_listeners, problems);
    let hsts = Hsts::read(scope, problems);
    let middleware = Middleware::read(scope, root.pages, problems);
    let host_header = scope.field("host_header").map(|node| node.read(problems));
    let switch = |key: &str, root, problems: &mut Problems| or(scope.switch(key), root, problems);
    let redirect_https = switch("redirect_https", root.redirect_https, problems);
    let strip_prefix = switch("strip_prefix", false, problems);
    let allow_ambiguous_paths = switch("allow_ambiguous_paths", false, problems);
    let duration = |key: &str, root, problems: &mut Problems| or(scope.field(key), root, problems);
    let connect_timeout = duration("connect_timeout", root.connect_timeout, problems);
    let response_timeout = duration("response_timeout", root.response_timeout, problems);
    let stall_timeout = duration("stall_timeout", root.stall_timeout, problems);
    let stream_timeout = duration("stream_timeout", root.stream_timeout, problems);
    let max_body = or(scope.field("max_body"), SizeLimit(root.max_body), problems);
    Some(Route {
        name: String::new(),
        patterns: Vec::new(),
        paths: Vec::new(),
        conditions: Default::default(),
        listeners: listeners?,
        answer: Answer::Upstream(Vec::new()),
        redirect_https: redirect_https?,
        hsts: hsts?,
        middleware: middleware?,
        strip_prefix: strip_prefix?,
        allow_ambiguous_paths: allow_ambiguous_paths?,
        // `None` if it is set but invalid.
        host_header: host_header.map_or(Some(None), |host| host.map(Some))?,
        tls: Default::default(),
        connect_timeout: connect_timeout?,
        response_timeout: response_timeout?,
        stall_timeout: stall_timeout?,
        stream_timeout: stream_timeout?,
        max_body: max_body?.0,
        origin: scope.own().into(),
    })
}

/// Reads a value, or returns the default if it is not set. Returns `None` if it is invalid, and reports that.
fn or<T: Parse>(node: Option<Node<'_>>, default: T, problems: &mut Problems) -> Option<T> {
    node.map_or(Some(default), |node| node.read(problems))
}

/// Reports files with nodes as the upstream, if the two would need different paths.
fn report_files_before_nodes(own: &Node<'_>, route: &Route, problems: &mut Problems) {
    let leads_to_nodes = route.endpoints().iter().any(Endpoint::is_mesh);
    if !leads_to_nodes || !matches!(route.answer, Answer::Files(..)) || route.path_edits().is_empty() {
        return;
    }
    let Middleware { rewrite, add_prefix, .. } = &route.middleware;
    let keys =
        [("rewrite", rewrite.is_some()), ("strip_prefix", route.strip_prefix), ("add_prefix", add_prefix.is_some())];
    let advice = "write one route for the files and one for the node";
    for (key, _) in keys.into_iter().filter(|(_, is_set)| *is_set) {
        own.field("upstream").into_iter().for_each(|node| {
            problems.push(node.problem(format!(
                "other nodes get the path as the client sent it, so `{key}` cannot apply to `files` here: {advice}"
            )));
        });
    }
}

/// Reports keys that have no effect on the paths of the route.
fn report_useless(scope: &Scope<'_>, route: &Route, problems: &mut Problems) {
    let own = scope.own();
    let has_prefix = route.prefixes().next().is_some();
    if let Some(node) = own.field("strip_prefix").filter(|_| route.strip_prefix && !has_prefix) {
        problems.push(node.problem("the route has exact paths only, and no prefix to strip"));
    }
    report_files_before_nodes(own, route, problems);
    let answer = match &route.answer {
        Answer::Redirect(redirection) => {
            let to = &redirection.to;
            let target = Target { text: to, has_rest: to.contains_rest(), highest_capture: to.highest_capture() };
            target.check(own, route, None, problems);
            "redirect"
        }
        Answer::Respond(_) => "respond",
        Answer::Upstream(_) | Answer::Files(..) => {
            if let (Some(Rewriting { regex, to }), Some(node)) = (&route.middleware.rewrite, scope.field("rewrite")) {
                let target = Target { text: to, has_rest: to.contains_rest(), highest_capture: to.highest_capture() };
                target.check(&node, route, regex.as_ref(), problems);
            }
            return;
        }
    };
    for key in ["rewrite", "strip_prefix", "add_prefix"] {
        if let Some(node) = own.field(key).filter(|node| !node.is_false()) {
            problems.push(node.problem(format!(
                "`{answer}` forwards no requests, so there is no path to change: remove `{key}`{}",
                if answer == "redirect" { ", and write the new path in the target of `redirect`" } else { "" }
            )));
        }
    }
}

/// A target with placeholders, of a redirect or a rewrite.
struct Target<'a> {
    text: &'a dyn fmt::Display,
    has_rest: bool,
    highest_capture: Option<usize>,
}

impl Target<'_> {
    /// Reports placeholders that the paths of the route have no value for. `own` is the regex of the target itself.
    fn check(&self, node: &Node<'_>, route: &Route, own: Option<&PathRegex>, problems: &mut Problems) {
        let Self { text, has_rest, highest_capture } = self;
        if *has_rest && route.prefixes().next().is_none() {
            problems.push(node.problem(format!(
                "{{*}} in {text} stands for the path after a prefix, but the route has exact paths only: write {{path}}, or use a prefix (in [redirects], a path that ends in /*)"
            )));
        }
        let Some(wanted) = *highest_capture else { return };
        let groups = |path: &RoutePath| if let RoutePath::Regex(_, regex) = path { regex.group_count() } else { 0 };
        let (name, groups) = match own {
            Some(regex) => ("regex", Some(regex.group_count())),
            None => ("path_regex", route.paths.iter().map(groups).min()),
        };
        if let Some(fewer) = groups.filter(|groups| *groups < wanted) {
            problems.push(node.problem(format!(
                "{{{wanted}}} in {text} refers to a group of {name}, which has {}",
                match fewer {
                    0 => format!("none: write a {name} with the part it stands for in parentheses"),
                    1 => "only one".to_owned(),
                    _ => format!("only {fewer}"),
                }
            )));
        }
    }
}

/// Reports routes that have the same place on the same listener.
fn report_alike(routes: &[Route], problems: &mut Problems) {
    let mut taken: HashMap<_, &Route> = HashMap::new();
    for route in routes {
        let on_each = route.places().flat_map(|place| route.listeners.iter().map(move |listener| (place, listener)));
        for (place, listener) in on_each {
            match taken.entry((place, listener)) {
                Entry::Vacant(free) => drop(free.insert(route)),
                Entry::Occupied(first) => {
                    let other = first.get();
                    let is_child = route.origin.to_string().contains("].routes[");
                    let advice = if is_child && route.answer == other.answer {
                        ": a child needs a path, methods or match of its own"
                    } else {
                        ""
                    };
                    problems.push(Problem::new(
                        route.origin.to_string(),
                        format!("{place} has two routes: `{route}` here and `{other}` from {}{advice}", other.origin),
                    ));
                    break;
                }
            }
        }
    }
}
