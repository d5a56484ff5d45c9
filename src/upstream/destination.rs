//! The destination of a connection. Connections can be shared by routes that have the same destination.

use rustls::pki_types::ServerName;

use super::trust::{Trust, TrustId};
use crate::settings::{ConnectsTo, endpoint::Endpoint};

/// An endpoint and, for TLS, the certificates that are accepted and presented there, and the server name to verify.
pub(super) type Destination = (Endpoint, Option<(TrustId, Option<ServerName<'static>>)>);

/// The destination of connections to an address of a route.
pub(super) fn destination(to: ConnectsTo<'_>, trust: &Trust) -> Destination {
    let tls = to.endpoint.is_tls().then(|| (trust.id(to.tls), to.tls.server_name.clone()));
    (to.endpoint.clone(), tls)
}
