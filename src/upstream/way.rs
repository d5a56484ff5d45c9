//! What distinguishes connections to an endpoint.

use rustls::pki_types::ServerName;

use super::trust::{Trust, TrustId};
use crate::settings::{Route, endpoint::Endpoint};

/// An endpoint, and for TLS which certificates are accepted and presented there, and the name in that of the endpoint.
pub(super) type Way = (Endpoint, Option<(TrustId, Option<ServerName<'static>>)>);

/// How a route leads to one of its endpoints.
pub(super) fn way(endpoint: &Endpoint, route: &Route, trust: &Trust) -> Way {
    let tls = endpoint.is_tls().then(|| (trust.id(&route.tls), route.tls.server_name.clone()));
    (endpoint.clone(), tls)
}
