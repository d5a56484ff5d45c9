//! Headers that tell an upstream who the user is.

use std::collections::HashMap;

use http::HeaderName;
use pmesh_layers::edit_headers::HeaderEdits;

use super::{Middleware, Route};

/// Removes these headers from the requests of all other routes to the same upstream. An upstream that trusts them trusts them
/// on every path.
pub(super) fn protect(routes: &mut [Route]) {
    let mut trusted: HashMap<String, Vec<HeaderName>> = HashMap::new();
    for route in &*routes {
        let headers = identity(&route.middleware);
        if !headers.is_empty() {
            for endpoint in route.all_endpoints() {
                trusted.entry(endpoint.to_string()).or_default().extend(headers.iter().cloned());
            }
        }
    }
    if trusted.is_empty() {
        return;
    }
    for route in routes {
        let own = identity(&route.middleware);
        let of_others = route.all_endpoints().filter_map(|endpoint| trusted.get(&endpoint.to_string())).flatten();
        let mut foreign: Vec<_> = of_others.filter(|header| !own.contains(header)).cloned().collect();
        foreign.sort_unstable_by(|one, other| one.as_str().cmp(other.as_str()));
        foreign.dedup();
        route.middleware.foreign_identity = foreign.into_iter().fold(HeaderEdits::new(), HeaderEdits::remove);
    }
}

/// The headers that the route sets itself, and that never come from its clients.
fn identity(middleware: &Middleware) -> Vec<HeaderName> {
    let Middleware { basic_auth, forward_auth, jwt, .. } = middleware;
    let mut headers = Vec::new();
    if basic_auth.is_some() {
        headers.extend(["remote-user", "x-forwarded-user"].map(HeaderName::from_static));
    }
    headers.extend(forward_auth.iter().flat_map(|auth| auth.copy_headers.iter().cloned()));
    headers.extend(jwt.iter().flat_map(|jwt| jwt.claim_headers.iter().map(|(header, _)| header.clone())));
    headers
}
