use http::{HeaderValue, Method, Request, Version, header::HOST};

use super::HostRejected;
use crate::host_name::{HostName, Scratch};

/// The host that a request names, as found by a [`HostLayer`](super::HostLayer), or else by the same rules.
pub(crate) fn host_name<B>(request: &Request<B>) -> Result<HostName, HostRejected> {
    match request.extensions().get() {
        Some(name) => Ok(HostName::clone(name)),
        None => Ok(HostName::from_authority(authority(request)?.as_bytes())?),
    }
}

/// The authority that a request names, as written, and where it was found.
#[derive(Debug)]
pub(super) enum Authority<'a> {
    /// In the single `Host` header.
    Host(&'a HeaderValue),
    /// In the target: absolute form (RFC 9112, 3.2.2), the target of CONNECT, or `:authority`.
    Target(&'a http::uri::Authority),
}

impl Authority<'_> {
    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Host(value) => value.as_bytes(),
            Self::Target(authority) => authority.as_str().as_bytes(),
        }
    }
}

/// Returns the authority of `request`. Fails if there is none, or more than one.
pub(super) fn authority<B>(request: &Request<B>) -> Result<Authority<'_>, HostRejected> {
    let mut hosts = request.headers().get_all(HOST).iter();
    let host = hosts.next();
    if hosts.next().is_some() {
        return Err(HostRejected::SeveralHosts);
    }
    let uri = request.uri();
    let Some(target) = uri.authority() else {
        return host.map(Authority::Host).ok_or(HostRejected::NoHost);
    };
    if request.version() >= Version::HTTP_2 {
        if host.is_some_and(|host| differs(host, target)) {
            return Err(HostRejected::HostDiffers);
        }
    } else if uri.scheme().is_none() && request.method() != Method::CONNECT {
        // Only CONNECT may use the authority form (RFC 9112, 3.2.3).
        return Err(HostRejected::NoHost);
    }
    Ok(Authority::Target(target))
}

/// Whether a `Host` next to `:authority` names another host (RFC 9113, 8.3.1).
fn differs(host: &HeaderValue, authority: &http::uri::Authority) -> bool {
    let (mut left, mut right) = (Scratch::new(), Scratch::new());
    match (left.canonical(host.as_bytes()), right.canonical(authority.as_str().as_bytes())) {
        (Ok(left), Ok(right)) => left != right,
        _ => true,
    }
}
