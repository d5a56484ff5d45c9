//! The destination of a connection. Connections can be shared by routes that have the same destination.

use rustls::pki_types::ServerName;

use super::trust::{Trust, TrustId};
use crate::settings::{Route, endpoint::Endpoint};

/// An endpoint and, for TLS, the certificates that are accepted and presented there, and the server name to verify.
pub(super) type Destination = (Endpoint, Option<(TrustId, Option<ServerName<'static>>)>);

/// The destination of requests of a route to one of its endpoints.
pub(super) fn destination(endpoint: &Endpoint, route: &Route, trust: &Trust) -> Destination {
    let tls = endpoint.is_tls().then(|| (trust.id(&route.tls), route.tls.server_name.clone()));
    (endpoint.clone(), tls)
}
