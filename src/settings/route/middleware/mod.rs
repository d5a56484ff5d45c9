//! The middleware of a route.

mod basic_auth;
mod buffer;
mod clients;
mod cors;
mod forward_auth;
mod headers;
mod in_flight;
mod jwt;
mod mirror;
mod pages;
mod path;
mod rate_limit;

use std::path::PathBuf;

use pmesh_layers::{
    client_filter::ClientFilterLayer, edit_headers::HeaderEdits, rate_limit::RateLimit, route::PathPrefix,
};

use self::headers::Message;
pub(in crate::settings) use self::pages::ReadPages;
pub use self::{
    basic_auth::BasicAuth,
    cors::{Allowed, Cors},
    forward_auth::ForwardAuth,
    jwt::{Jwt, JwtKeys},
    mirror::Mirror,
    pages::ErrorPages,
    path::Rewriting,
};
use super::Scope;
use crate::config::Problems;

/// The keys of middleware, in the order in which requests pass it.
const KEYS: [&str; 17] = [
    "response_headers",
    "error_pages",
    "compress",
    "allow",
    "deny",
    "maintenance",
    "cors",
    "rate_limit",
    "max_in_flight",
    "basic_auth",
    "forward_auth",
    "jwt",
    "rewrite",
    "add_prefix",
    "request_headers",
    "buffer",
    "mirror",
];

/// The middleware of a route. [`middleware`](crate::middleware) has the order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Middleware {
    /// The keys that set it, in the order in which requests pass it.
    pub keys: Vec<&'static str>,
    /// Whether to compress responses.
    pub compress: bool,
    /// Pages for errors of pmesh, by status.
    pub error_pages: ErrorPages,
    /// The file that makes the route answer 503 while it exists.
    pub maintenance: Option<PathBuf>,
    /// Which clients are allowed, if not all.
    pub clients: Option<ClientFilterLayer>,
    /// How many requests pass in a span of time, if that is limited.
    pub rate_limit: Option<RateLimit>,
    /// How many requests can be in flight, if that is limited.
    pub max_in_flight: Option<usize>,
    /// Which pages of other origins may read the responses, if pmesh decides that.
    pub cors: Option<Cors>,
    /// Which users get in, if not everybody.
    pub basic_auth: Option<BasicAuth>,
    /// The authentication server to ask, if there is one.
    pub forward_auth: Option<ForwardAuth>,
    /// Which tokens get in, if not everybody.
    pub jwt: Option<Jwt>,
    /// How to replace the path, if at all.
    pub rewrite: Option<Rewriting>,
    /// What to put before the path, if anything.
    pub add_prefix: Option<PathPrefix>,
    /// Removes the headers by which other routes tell the same upstream who the user is.
    pub foreign_identity: HeaderEdits,
    /// Changes to the headers of requests.
    pub request_headers: HeaderEdits,
    /// How long request bodies can be that are read before the request is forwarded, if any are.
    pub buffer: Option<usize>,
    /// Where copies of requests go, if they are copied.
    pub mirror: Option<Mirror>,
    /// Changes to the headers of responses.
    pub response_headers: HeaderEdits,
}

impl Middleware {
    /// Reads it. Returns `None` if it is invalid, and reports that.
    pub(super) fn read(scope: &Scope<'_>, pages: &ReadPages, problems: &mut Problems) -> Option<Self> {
        let compress = scope.switch("compress").map_or(Some(false), |node| node.read(problems));
        let clients = clients::read(scope, problems);
        let rate_limit = rate_limit::read(scope, problems);
        let max_in_flight = in_flight::read(scope, problems);
        let error_pages = pages::error_pages(scope, pages, problems);
        let maintenance = pages::maintenance(scope, problems);
        let cors = Cors::read(scope, problems);
        let basic_auth = basic_auth::read(scope, problems);
        let forward_auth = forward_auth::read(scope, problems);
        let buffer = buffer::read(scope, problems);
        let jwt = Jwt::read(scope, problems);
        let mirror = Mirror::read(scope, problems);
        let rewrite = Rewriting::read(scope, problems);
        let add_prefix = path::add_prefix(scope, problems);
        let request_headers = headers::read(scope, Message::Request, problems);
        let response_headers = headers::read(scope, Message::Response, problems);
        Some(Self {
            keys: KEYS.into_iter().filter(|key| is_set(scope, key)).collect(),
            compress: compress?,
            clients: clients?,
            rate_limit: rate_limit?,
            max_in_flight: max_in_flight?,
            cors: cors?,
            error_pages: error_pages?,
            maintenance: maintenance?,
            basic_auth: basic_auth?,
            forward_auth: forward_auth?,
            jwt: jwt?,
            rewrite: rewrite?,
            add_prefix: add_prefix?,
            // Known only once all routes have been read.
            foreign_identity: HeaderEdits::default(),
            request_headers: request_headers?,
            buffer: buffer?,
            mirror: mirror?,
            response_headers: response_headers?,
        })
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Whether a key is set to anything else than `false`.
fn is_set(scope: &Scope<'_>, key: &str) -> bool {
    scope.field(key).is_some_and(|node| node.value.as_dict().is_none_or(|table| !table.is_empty()))
}
