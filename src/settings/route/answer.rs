//! How requests of a route are answered.

use std::fmt;

use super::Scope;
use crate::{
    config::{Key, Node, Part, Problems, ROUTE_KEYS},
    settings::endpoint::Endpoint,
};

/// How requests of a route are answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// By one of these endpoints, of which there is at least one.
    Upstream(Vec<Endpoint>),
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upstream(endpoints) => {
                for (index, endpoint) in endpoints.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{endpoint}")?;
                }
                Ok(())
            }
        }
    }
}

fn keys() -> impl Iterator<Item = &'static str> {
    ROUTE_KEYS.iter().filter(|key| key.part == Part::Answer).map(|key: &Key| key.name)
}

/// Reads the answer of a route. `None` if it has none, which is reported unless it has children.
pub(super) fn read(scope: &Scope<'_>, has_children: bool, problems: &mut Problems) -> Option<Answer> {
    let known: Vec<_> = keys().collect();
    let Some(table) = scope.nearest_with(&known) else {
        if !has_children {
            let message =
                format!("no answer{}: write where requests go, as in upstream = \"127.0.0.1:3000\"", for_host(scope));
            scope.own().lacks(message, ROUTE_KEYS, problems);
        }
        return None;
    };
    let written: Vec<_> = known.iter().filter_map(|key| Some((*key, table.field(key)?))).collect();
    if let [(one, _), (other, node), ..] = &written[..] {
        problems.push(node.problem(format!("a route has one answer: leave out `{one}` or `{other}`")));
        return None;
    }
    match &written[..] {
        [("upstream", node)] => Some(Answer::Upstream(upstream(scope, node, problems)?)),
        _ => None,
    }
}

fn upstream(scope: &Scope<'_>, node: &Node<'_>, problems: &mut Problems) -> Option<Vec<Endpoint>> {
    let endpoints: Vec<Endpoint> = node.read_one_or_more(problems);
    if node.is_empty_list() {
        problems.push(node.problem(format!("no upstream{}: name at least one address", for_host(scope))));
    }
    (!endpoints.is_empty()).then_some(endpoints)
}

/// Tells routes of one flag or variable apart.
fn for_host(scope: &Scope<'_>) -> String {
    let host = scope.field("host").filter(|host| host.references().is_none());
    host.and_then(|host| Some(format!(" for {:?}", host.value.as_str()?))).unwrap_or_default()
}
