//! Which requests a route is for.

use pmesh_layers::{host::HostPattern, route::PathPrefix};

use super::{API_HOST, Scope};
use crate::config::{Problems, ROUTE_KEYS};

/// The hosts of a route; none if they could not be read, which is reported.
pub(super) fn patterns(scope: &Scope<'_>, problems: &mut Problems) -> Vec<HostPattern> {
    let Some(node) = scope.field("host") else {
        scope.own().lacks("no host: write host = \"example.com\", or a list", ROUTE_KEYS, problems);
        return Vec::new();
    };
    if node.is_empty_list() {
        problems.push(node.problem("no host: name at least one"));
    }
    let patterns: Vec<HostPattern> = node.read_one_or_more(problems);
    if patterns.iter().any(|pattern| matches!(pattern, HostPattern::Exact(name) if name.as_str() == API_HOST)) {
        problems.push(node.problem(format!("{API_HOST} is what nodes ask each other for: no route can serve it")));
    }
    patterns
}

/// The paths of a route; none if they could not be read, which is reported.
pub(super) fn prefixes(scope: &Scope<'_>, problems: &mut Problems) -> Vec<PathPrefix> {
    let Some(node) = scope.field("prefix") else { return vec![PathPrefix::root()] };
    if node.is_empty_list() {
        problems.push(node.problem("no prefix: name at least one, or leave this out"));
    }
    node.read_one_or_more(problems)
}
