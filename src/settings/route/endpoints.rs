//! Reads the upstream of a route.

use std::collections::BTreeSet;

use super::Scope;
use crate::{
    config::{Node, Problem, Problems, did_you_mean},
    settings::{endpoint::Endpoint, service::ServiceName},
};

/// The names of all services, valid or not; `None` if they were not read.
pub(in crate::settings) type Names = Option<BTreeSet<String>>;

/// Reads an address, or a list. Returns `None` if all are invalid, and reports each invalid one.
pub(super) fn read(
    scope: &Scope<'_>,
    node: &Node<'_>,
    services: &Names,
    problems: &mut Problems,
) -> Option<Vec<Endpoint>> {
    if node.is_empty_list() {
        problems.push(node.problem(format!("no upstream{}: name at least one address", for_host(scope))));
    }
    let elements = node.one_or_more();
    let mut endpoints: Vec<Endpoint> = Vec::new();
    for element in &elements {
        let endpoint = element.parse().map_err(|problem| with_advice(problem, element, services));
        let endpoint = endpoint.and_then(|endpoint| match &endpoint {
            Endpoint::Service(name) => check(name, element, elements.len(), services).map(|()| endpoint),
            _ => Ok(endpoint),
        });
        endpoints.extend(problems.note(endpoint));
    }
    (!endpoints.is_empty()).then_some(endpoints)
}

fn with_advice(mut problem: Problem, node: &Node<'_>, services: &Names) -> Problem {
    if let Some(name) = node.value.as_str().filter(|name| is_name(name) && node.references().is_none()) {
        problem.message += &match services.as_ref().is_some_and(|services| services.contains(name)) {
            true => format!("; for [services.{name}], write service://{name}"),
            false => "; groups below [upstreams] are planned, but not available in this version".to_owned(),
        };
    }
    problem
}

/// Checks that the service exists and that it is the only upstream.
fn check(name: &ServiceName, node: &Node<'_>, count: usize, services: &Names) -> Result<(), Problem> {
    if count > 1 {
        return Err(node.problem(format!(
            "a service cannot be one of several upstreams, because it has instances of its own: write upstream = \
             \"service://{name}\", and `instances` in [services.{name}]"
        )));
    }
    let Some(services) = services.as_ref().filter(|services| !services.contains(name.as_str())) else { return Ok(()) };
    let advice = match did_you_mean(name.as_str(), services.iter().map(String::as_str)) {
        nearest if !nearest.is_empty() => nearest,
        _ => match services.iter().take(5).map(|name| format!("[services.{name}]")).collect::<Vec<_>>() {
            known if known.is_empty() => ": add it, with the command to run".to_owned(),
            known if services.len() > known.len() => format!("; there are {} and others", known.join(", ")),
            known => format!("; there is only {}", known.join(" and ")),
        },
    };
    Err(node.problem(format!("there is no [services.{name}]{advice}")))
}

/// Whether this looks like the name of an upstream group, not like an address.
fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphabetic())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Names the route in a message, because a flag or variable can contain several.
pub(super) fn for_host(scope: &Scope<'_>) -> String {
    let host = scope.field("host").filter(|host| host.references().is_none());
    host.and_then(|host| Some(format!(" for {:?}", host.value.as_str()?))).unwrap_or_default()
}
