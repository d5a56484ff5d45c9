//! Checks the settings for mistakes and likely mistakes, without serving.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, UdpSocket},
    sync::Arc,
};

use pmesh_layers::identity::{Authority, Secret};
use tower::BoxError;

use super::ways_around;
use crate::{
    certificates::{Certificates, Issuer},
    mesh,
    secret::{CONTEXT, Secrets},
    settings::{
        AcceptedCertificates, Hidden, JwtKeys, Listener, ListenerKind, Port, Route, SecretSource, Settings,
        endpoint::Endpoint, hidden,
    },
    upstream::{jwt_keys, trust::Trust},
};

/// Checks the secret and the certificates without changing anything, so no secret is created if there is none. Returns
/// likely mistakes, which would not keep the program from starting.
///
/// # Errors
///
/// The errors of [`Server::prepare`](super::run::Server::prepare), except for ports that cannot be bound.
pub fn check(settings: &Settings) -> Result<Vec<String>, BoxError> {
    let secrets = match &settings.secret {
        SecretSource::Home(path) if !path.exists() => Secrets::one(Secret::generate()?),
        source => Secrets::load(source)?,
    };
    let certificates = certificates(settings, secrets.public())?;
    mesh::identity(settings, secrets.iter())?;
    Trust::load(&settings.routes, None)?;
    jwt_keys::check(&settings.routes)?;
    Ok(doubts(settings, &certificates))
}

/// Likely mistakes that do not keep the program from starting.
pub(super) fn doubts(settings: &Settings, certificates: &Certificates) -> Vec<String> {
    let mut doubts = certificates.doubts();
    if settings.listeners().is_empty() {
        doubts.push(
            "http, https and internal are all off, so nobody can connect: give one of them a port, such as --http 80"
                .into(),
        );
    }
    if settings.routes.is_empty() {
        doubts.push("no routes, so nothing is served: add one, such as --route app.example.com=127.0.0.1:3000".into());
    }
    doubts.extend(unreached_routes(settings));
    doubts.extend(unverified(settings));
    doubts.extend(settings.routes.iter().filter_map(any_audience));
    doubts.extend(settings.routes.iter().filter_map(keys_in_clear_text));
    doubts.extend(never_reached(&settings.routes));
    doubts.extend(ways_around::doubts(settings));
    doubts.extend(redirected_to_nothing(settings));
    doubts.extend(unusable_sources(settings));
    doubts
}

/// Routes that do not verify their upstreams, or their authentication server.
fn unverified(settings: &Settings) -> impl Iterator<Item = String> {
    let upstreams = settings.routes.iter().filter(|route| route.all_endpoints().any(Endpoint::is_tls));
    let upstreams = upstreams.map(|route| (&route.tls, format!("of the upstreams of {}", route.name), "them"));
    let auth = settings.routes.iter().filter_map(|route| Some((route, route.middleware.forward_auth.as_ref()?)));
    let auth = auth.map(|(route, auth)| (&auth.tls, format!("of the authentication server of {}", route.name), "it"));
    upstreams.chain(auth).filter_map(|(tls, whose, whom)| {
        let AcceptedCertificates::Any(origin) = &tls.accepted else { return None };
        Some(format!(
            "{origin}: certificates {whose} are not verified, so another server can pose as {whom}; to accept only \
             certain certificates, set tls.ca instead"
        ))
    })
}

/// A route that accepts tokens made for other services.
fn any_audience(route: &Route) -> Option<String> {
    let jwt = route.middleware.jwt.as_ref()?;
    let is_shared = matches!(jwt.keys, JwtKeys::Url { .. }) && jwt.audience.is_empty();
    is_shared.then(|| {
        let (origin, name) = (&jwt.origin, &route.name);
        format!(
            "{origin}: jwt of {name} accepts tokens that the issuer has made for other services, too: set audience to the \
             name that the issuer knows this service by"
        )
    })
}

/// A route with keys that anybody on the network path could replace.
fn keys_in_clear_text(route: &Route) -> Option<String> {
    let jwt = route.middleware.jwt.as_ref()?;
    let JwtKeys::Url { url, .. } = &jwt.keys else { return None };
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let is_local = host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback());
    (url.scheme_str() == Some("http") && !is_local).then(|| {
        let origin = &jwt.origin;
        format!("{origin}: {url} has no TLS, so anybody on the network path can replace the keys: use https if you can")
    })
}

/// A route that redirects to https although no listener has TLS.
fn redirected_to_nothing(settings: &Settings) -> Option<String> {
    let has_tls = settings.listeners().iter().any(|(listener, _)| listener.kind() == ListenerKind::Tls);
    if has_tls || !settings.trusted_proxies.is_empty() {
        return None;
    }
    let route = settings.routes.iter().find(|route| route.redirect_https)?;
    Some(format!(
        "{}: redirect_https sends clients to https, but no listener has TLS: open a port with TLS, or list the proxy that \
         terminates TLS in trusted_proxies",
        route.origin
    ))
}

/// Routes that never get a request.
fn never_reached(routes: &[Route]) -> impl Iterator<Item = String> {
    hidden(routes).into_iter().map(|Hidden { route, place, by }| {
        format!(
            "{}: {place} never gets a request: `{by}` from {} is tried first and matches all of its requests",
            route.origin, by.origin
        )
    })
}

/// Routes whose listeners are all off. Routes that set no `listeners` are left out: http and https are off on a node
/// that serves only other nodes.
fn unreached_routes(settings: &Settings) -> Vec<String> {
    let is_off = |listener: &Listener| settings.port(listener) == Port::Off;
    let is_unreached = |route: &&Route| !route.has_default_listeners() && route.listeners.iter().all(is_off);
    let mut by_listeners: BTreeMap<_, Vec<&Route>> = BTreeMap::new();
    for route in settings.routes.iter().filter(is_unreached) {
        by_listeners.entry(&route.listeners).or_default().push(route);
    }
    let doubt = |(listeners, routes): (&Vec<Listener>, Vec<&Route>)| {
        let (which, whose) = match routes.len() {
            1 => ("this route".to_owned(), "its"),
            count => (format!("this route and {} more", count - 1), "their"),
        };
        let listeners: Vec<_> = listeners.iter().map(|listener| format!("`{}`", listener.name())).collect();
        let off = if listeners.len() == 1 { "listener is off" } else { "listeners are off" };
        format!("{}: no client can reach {which}, because {whose} {off}: {}", routes[0].origin, listeners.join(", "))
    };
    by_listeners.into_iter().map(doubt).collect()
}

/// Source addresses that cannot be used at present. This is not an error, because an address that moves between machines
/// may arrive later.
fn unusable_sources(settings: &Settings) -> impl Iterator<Item = String> {
    let doubt = |address: &IpAddr| {
        let error = UdpSocket::bind((*address, 0)).err()?;
        Some(match error.kind() {
            io::ErrorKind::AddrNotAvailable => format!(
                "source_addresses: this machine does not have {address}, so no connection uses it until the machine \
                 has it"
            ),
            _ => format!("source_addresses: no connection can use {address} at present: {error}"),
        })
    };
    settings.source_addresses.iter().filter_map(doubt)
}

fn certificates(settings: &Settings, secret: &Secret) -> Result<Certificates, BoxError> {
    let issuer = Issuer::new(Arc::new(Authority::derive(secret, CONTEXT)?))?;
    let patterns = settings.routes.iter().flat_map(|route| route.patterns.iter().cloned());
    Ok(Certificates::new(issuer, &settings.certificates, patterns, None)?)
}
