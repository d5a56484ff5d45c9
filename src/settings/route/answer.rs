//! The answer of a route: an upstream, files, a redirect or a fixed response.

use std::fmt;

use super::{
    Files, Redirection, Respond, Scope,
    endpoints::{self, Names, for_host},
};
use crate::{
    config::{Node, Problems, ROUTE_KEYS, Role},
    settings::endpoint::Endpoint,
};

/// How requests of a route are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By one of these endpoints. There is at least one.
    Upstream(Vec<Endpoint>),
    /// With a file. If it does not exist, by one of these endpoints, if there are any.
    Files(Files, Vec<Endpoint>),
    /// With a redirect.
    Redirect(Redirection),
    /// With a fixed response, or silence.
    Respond(Respond),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(endpoints) => list(endpoints, f),
            Self::Files(files, endpoints) => {
                write!(f, "files {files}")?;
                if !endpoints.is_empty() {
                    f.write_str(", else ")?;
                }
                list(endpoints, f)
            }
            Self::Redirect(redirection) => redirection.fmt(f),
            Self::Respond(respond) => respond.fmt(f),
        }
    }
}

fn list(endpoints: &[Endpoint], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (index, endpoint) in endpoints.iter().enumerate() {
        let comma = if index == 0 { "" } else { ", " };
        write!(f, "{comma}{endpoint}")?;
    }
    Ok(())
}

/// The keys for an answer. A table that has one of them inherits none of them.
pub(super) fn keys() -> Vec<&'static str> {
    ROUTE_KEYS.iter().filter(|key| key.role == Role::Answer).map(|key| key.name).collect()
}

/// Reads the answer of a route. Returns `None` if it is missing or invalid, and reports that. A route with children
/// needs no answer.
pub(super) fn read(scope: &Scope<'_>, has_children: bool, services: &Names, problems: &mut Problems) -> Option<Answer> {
    let known = keys();
    let Some(table) = scope.nearest_with(&known) else {
        if !has_children {
            let example = "write where requests go, as in upstream = \"127.0.0.1:3000\"";
            scope.own().lacks(format!("no answer{}: {example}", for_host(scope)), ROUTE_KEYS, problems);
        }
        return None;
    };
    let is_set = |key: &'static str| Some((key, table.field(key).filter(|node| !node.is_false())?));
    let written: Vec<_> = known.iter().copied().filter_map(is_set).collect();
    if let [("upstream", upstream), ("files", files)] = &written[..] {
        return files_then(scope, upstream, files, services, problems);
    }
    if let [(one, _), (other, node), ..] = &written[..] {
        problems.push(node.problem(format!("a route can only have one answer: remove `{one}` or `{other}`")));
        return None;
    }
    let (key, node) = written.first()?;
    match *key {
        "upstream" => Some(Answer::Upstream(endpoints::read(scope, node, services, problems)?)),
        "files" => Some(Answer::Files(Files::read(node, problems)?, Vec::new())),
        "redirect" => Some(Answer::Redirect(Redirection::read(node, problems)?)),
        _ => Some(Answer::Respond(Respond::read(node, problems)?)),
    }
}

/// Reads files with an upstream for missing files.
fn files_then(
    scope: &Scope<'_>,
    then: &Node<'_>,
    files: &Node<'_>,
    services: &Names,
    problems: &mut Problems,
) -> Option<Answer> {
    let spa = files.field("spa");
    let (endpoints, files) = (endpoints::read(scope, then, services, problems), Files::read(files, problems));
    if let (Some(spa), Some(Files { spa: true, .. })) = (spa, &files) {
        let advice = "write a child route for the upstream, such as prefix = \"/api\"";
        problems.push(spa.problem(format!("with spa = true, no page would ever reach `upstream`: {advice}")));
        return None;
    }
    Some(Answer::Files(files?, endpoints?))
}
