//! What tells connections to the same endpoint apart.

use rustls::pki_types::ServerName;

use super::trust::{Trust, TrustId};
use crate::settings::{Route, endpoint::Endpoint};

/// An endpoint and, for TLS, the certificates that are accepted and presented there, and the server name to verify.
pub(super) type Way = (Endpoint, Option<(TrustId, Option<ServerName<'static>>)>);

/// The way from a route to one of its endpoints.
pub(super) fn way(endpoint: &Endpoint, route: &Route, trust: &Trust) -> Way {
    let tls = endpoint.is_tls().then(|| (trust.id(&route.tls), route.tls.server_name.clone()));
    (endpoint.clone(), tls)
}
