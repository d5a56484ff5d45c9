//! Runs a request through the middleware of a route, one part after the other.

use http::Request;

use super::{
    answer,
    effects::Ran,
    explanation::ExplainedPart,
    parts::{Part, parts},
    request::{Asked, declared_body},
};
use crate::{
    settings::{Route, endpoint::Endpoint},
    upstream::{Sent, StandInRoute, Surroundings},
};

/// Runs a request through each part of the middleware, until one answers it.
pub(super) async fn explain(
    route: &Route,
    request: &Request<()>,
    around: Surroundings<'_>,
    asked: &Asked,
) -> Vec<ExplainedPart> {
    let mut explained = Vec::new();
    let mut request = request.clone();
    for Part { key, alone, effect } in parts(route, &request, asked, around.running.is_some()) {
        let part = StandInRoute::only_middleware(&alone, around);
        let sent = request.clone().map(|()| declared_body(request.headers()));
        // An error is the end of the connection, which no part of the middleware causes.
        let Ok(response) = answer::answered(part.service.clone(), sent).await else { break };
        let passed = part.sent().map(|sent| sent.nodes);
        let answers = passed.is_none();
        let effect = effect(&Ran { request: &request, passed: passed.as_ref(), response: &response });
        explained.push(ExplainedPart { key: key.to_owned(), effect, answers });
        match passed {
            Some(passed) => request = Request::from_parts(passed, ()),
            None => break,
        }
    }
    explained
}

/// The changes of path and Host for the endpoints of a route.
pub(super) fn prepared(route: &Route, request: &Request<()>, sent: &Sent) -> Vec<ExplainedPart> {
    let part = |key: &str, effect| ExplainedPart { key: key.to_owned(), effect, answers: false };
    let mut parts = Vec::new();
    // Otherwise, they are middleware.
    if route.endpoints().iter().any(Endpoint::is_mesh) && !route.path_edits().is_empty() {
        let (before, after) = (answer::path(&request.clone().into_parts().0), answer::path(&sent.own));
        let effect = if before == after { "nothing".to_owned() } else { format!("{before} → {after}") };
        let is_set = |key: &&str| *key == "strip_prefix" && route.strip_prefix || route.middleware.keys.contains(key);
        let keys: Vec<_> = ["rewrite", "strip_prefix", "add_prefix"].into_iter().filter(is_set).collect();
        parts.push(part(&keys.join(", "), format!("for endpoints of this node, {effect}")));
    }
    if route.host_header.is_some() {
        parts.push(part("host_header", format!("sends Host {}", answer::host(&sent.own))));
    }
    parts
}
