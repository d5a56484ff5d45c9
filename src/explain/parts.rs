//! The parts of a route's middleware, each alone.

use http::Request;
use pmesh_layers::{
    client_filter::{ClientFilterLayer, ClientVerdict},
    forwarded::ClientAddr,
};

use super::{effects, request::Asked};
use crate::settings::{Answer, Jwt, JwtKeys, Middleware, Route, endpoint::Endpoint};

/// A part of the middleware of a route.
pub(super) struct Part<'a> {
    /// The key that sets it.
    pub(super) key: &'static str,
    /// The route with only this part.
    pub(super) alone: Route,
    /// Says what the part did.
    pub(super) effect: Effect<'a>,
}

pub(super) type Effect<'a> = Box<dyn Fn(&effects::Ran<'_>) -> String + Send + 'a>;

/// The parts of the middleware of a route, in the order in which requests pass them. `is_live` if the state is that of the
/// running node.
pub(super) fn parts<'a>(route: &'a Route, request: &Request<()>, asked: &Asked, is_live: bool) -> Vec<Part<'a>> {
    // A new part needs its description here.
    let Middleware {
        keys: _,
        compress,
        error_pages,
        maintenance,
        clients,
        rate_limit,
        max_in_flight,
        cors,
        basic_auth,
        forward_auth,
        jwt,
        rewrite,
        add_prefix,
        foreign_identity,
        request_headers,
        response_headers,
        buffer,
        mirror,
    } = &route.middleware;
    let none = Middleware::default();
    let only = |middleware: Middleware| Route {
        middleware,
        redirect_https: false,
        hsts: None,
        strip_prefix: false,
        ..route.clone()
    };
    let part = |key, middleware: Middleware, effect: Effect<'a>| Part { key, alone: only(middleware), effect };
    let mut parts = Vec::new();
    if let Some(hsts) = route.hsts {
        let part = part("hsts", none.clone(), Box::new(effects::hsts));
        parts.push(Part { alone: Route { hsts: Some(hsts), ..part.alone }, ..part });
    }
    if !response_headers.is_empty() {
        let middleware = Middleware { response_headers: response_headers.clone(), ..none.clone() };
        parts.push(part("response_headers", middleware, Box::new(|_| effects::edits(response_headers, "response"))));
    }
    if !error_pages.is_empty() {
        let middleware = Middleware { error_pages: error_pages.clone(), ..none.clone() };
        parts.push(part("error_pages", middleware, Box::new(|_| effects::pages(error_pages))));
    }
    if *compress {
        let middleware = Middleware { compress: true, ..none.clone() };
        parts.push(part("compress", middleware, Box::new(effects::compress)));
    }
    if route.redirect_https {
        let redirects_itself = matches!(route.answer, Answer::Redirect(_));
        let effect = move |ran: &effects::Ran<'_>| effects::redirect_https(ran, redirects_itself);
        let part = part("redirect_https", none.clone(), Box::new(effect));
        parts.push(Part { alone: Route { redirect_https: true, ..part.alone }, ..part });
    }
    if let Some(clients) = clients {
        // Without an address, the effect is unknown.
        let known = asked.from.and(Some(clients.clone()));
        let is_known = known.is_some();
        let middleware = Middleware { clients: known, ..none.clone() };
        let effect = move |ran: &effects::Ran<'_>| effects::clients(clients, ran, is_known);
        parts.push(part(clients_key(clients, request), middleware, Box::new(effect)));
    }
    if let Some(file) = maintenance {
        let middleware = Middleware { maintenance: Some(file.clone()), ..none.clone() };
        parts.push(part("maintenance", middleware, Box::new(|ran| effects::maintenance(file, ran))));
    }
    if let Some(cors) = cors {
        let middleware = Middleware { cors: Some(cors.clone()), ..none.clone() };
        parts.push(part("cors", middleware, Box::new(effects::cors)));
    }
    if let Some(limit) = rate_limit {
        let middleware = Middleware { rate_limit: Some(limit.clone()), ..none.clone() };
        parts.push(part("rate_limit", middleware, Box::new(|_| effects::RATE_LIMIT.to_owned())));
    }
    if let Some(max) = *max_in_flight {
        let middleware = Middleware { max_in_flight: Some(max), ..none.clone() };
        parts.push(part(
            "max_in_flight",
            middleware,
            Box::new(move |_| format!("503 while {max} others are in flight")),
        ));
    }
    if let Some(auth) = basic_auth {
        let middleware = Middleware { basic_auth: Some(auth.clone()), ..none.clone() };
        parts.push(part("basic_auth", middleware, Box::new(effects::basic_auth)));
    }
    if let Some(auth) = forward_auth {
        let middleware = Middleware { forward_auth: Some(auth.clone()), ..none.clone() };
        parts.push(part("forward_auth", middleware, Box::new(|_| effects::forward_auth(auth))));
    }
    if let Some(jwt) = jwt {
        // Without the keys, the effect is unknown.
        let is_known = is_live || !is_fetched(jwt);
        let middleware = Middleware { jwt: Some(jwt.clone()).filter(|_| is_known), ..none.clone() };
        parts.push(part("jwt", middleware, Box::new(move |ran| effects::jwt(ran, is_known))));
    }
    // Other nodes get the path unchanged.
    if !route.endpoints().iter().any(Endpoint::is_mesh) {
        if let Some(rewrite) = rewrite {
            let middleware = Middleware { rewrite: Some(rewrite.clone()), ..none.clone() };
            parts.push(part("rewrite", middleware, Box::new(|ran| effects::path(ran, "the path does not match"))));
        }
        if route.strip_prefix {
            let effect: Effect<'_> = Box::new(|ran| effects::path(ran, "no prefix to remove"));
            let part = part("strip_prefix", none.clone(), effect);
            parts.push(Part { alone: Route { strip_prefix: true, ..part.alone }, ..part });
        }
        if let Some(prefix) = add_prefix {
            let middleware = Middleware { add_prefix: Some(prefix.clone()), ..none.clone() };
            parts.push(part("add_prefix", middleware, Box::new(|ran| effects::path(ran, "no path to change"))));
        }
    }
    if !foreign_identity.is_empty() {
        let middleware = Middleware { foreign_identity: foreign_identity.clone(), ..none.clone() };
        parts.push(part("request_headers", middleware, Box::new(|_| effects::foreign_identity(foreign_identity))));
    }
    if !request_headers.is_empty() {
        let middleware = Middleware { request_headers: request_headers.clone(), ..none.clone() };
        parts.push(part("request_headers", middleware, Box::new(|_| effects::edits(request_headers, "request"))));
    }
    if let Some(size) = *buffer {
        let middleware = Middleware { buffer: Some(size), ..none.clone() };
        parts.push(part(
            "buffer",
            middleware,
            Box::new(move |_| format!("reads bodies of up to {size} bytes before forwarding")),
        ));
    }
    if let Some(mirror) = mirror {
        // The explanation itself copies nothing.
        let effect = move |_: &effects::Ran<'_>| format!("copies {} % to {}", mirror.percent, mirror.upstream);
        parts.push(part("mirror", none, Box::new(effect)));
    }
    parts
}

/// The key that decides about a client.
fn clients_key(clients: &ClientFilterLayer, request: &Request<()>) -> &'static str {
    match ClientAddr::from_extensions(request.extensions()).map(|client| clients.verdict(client.ip())) {
        Some(ClientVerdict::DeniedIn(_) | ClientVerdict::Allowed) => "deny",
        _ => "allow",
    }
}

/// The route without the parts that would act outside of this process, or that lack the data to decide.
pub(super) fn harmless(route: &Route, asked: &Asked, is_live: bool) -> Route {
    let mut route = route.clone();
    if !is_live {
        route.middleware.jwt = route.middleware.jwt.filter(|jwt| !is_fetched(jwt));
    }
    if asked.from.is_none() {
        route.middleware.clients = None;
    }
    route
}

/// Whether only the running node has the keys.
fn is_fetched(jwt: &Jwt) -> bool {
    matches!(jwt.keys, JwtKeys::Url { .. })
}
