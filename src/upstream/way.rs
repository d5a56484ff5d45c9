//! What tells connections to an endpoint from others.

use rustls::pki_types::ServerName;

use super::trust::{Trust, TrustId};
use crate::settings::{Route, endpoint::Endpoint};

/// An endpoint, and for TLS the authorities that are trusted there and the name in the certificate.
pub(super) type Way = (Endpoint, Option<(TrustId, Option<ServerName<'static>>)>);

/// How a route leads to one of its endpoints.
pub(super) fn way(endpoint: &Endpoint, route: &Route, trust: &Trust) -> Way {
    let tls = endpoint.is_tls().then(|| (trust.id(route.tls.ca.as_ref()), route.tls.server_name.clone()));
    (endpoint.clone(), tls)
}
