//! What is wrong with settings, or may be, found without serving.

use std::{
    collections::BTreeMap,
    io,
    net::{IpAddr, UdpSocket},
    sync::Arc,
};

use pmesh_layers::identity::{Authority, Secret};
use tower::BoxError;

use crate::{
    certificates::{Certificates, Issuer},
    mesh,
    secret::{CONTEXT, Secrets},
    settings::{
        AcceptedCertificates, Hidden, Listener, ListenerKind, Port, Route, SecretSource, Settings, endpoint::Endpoint,
        hidden,
    },
    upstream::trust::Trust,
};

/// Finds what is wrong with the secret and the certificates, and changes nothing: a secret that the first start would
/// make is not made. Gives what may be wrong, but would not keep the program from starting.
///
/// # Errors
///
/// Those that [`Server::prepare`](super::run::Server::prepare) would end in, but for the ports.
pub fn check(settings: &Settings) -> Result<Vec<String>, BoxError> {
    let secrets = match &settings.secret {
        SecretSource::Home(path) if !path.exists() => Secrets::one(Secret::generate()?),
        source => Secrets::load(source)?,
    };
    let certificates = certificates(settings, secrets.public())?;
    mesh::identity(settings, secrets.iter())?;
    Trust::load(&settings.routes, None)?;
    Ok(doubts(settings, &certificates))
}

/// Possible mistakes that do not keep the program from starting.
pub(super) fn doubts(settings: &Settings, certificates: &Certificates) -> Vec<String> {
    let mut doubts = certificates.doubts();
    if settings.listeners().is_empty() {
        doubts.push(
            "http, https and internal are all off: nobody can connect; give one of them a port, as in --http 80".into(),
        );
    }
    if settings.routes.is_empty() {
        doubts.push("no routes: nothing is served; add one, as in --route app.example.com=127.0.0.1:3000".into());
    }
    doubts.extend(unreached_routes(settings));
    doubts.extend(unverified(settings));
    doubts.extend(never_reached(&settings.routes));
    doubts.extend(redirected_to_nothing(settings));
    doubts.extend(unusable_sources(settings));
    doubts
}

/// Routes that do not verify their upstreams.
fn unverified(settings: &Settings) -> impl Iterator<Item = String> {
    settings.routes.iter().filter(|route| route.endpoints().iter().any(Endpoint::is_tls)).filter_map(|route| {
        let AcceptedCertificates::Any(origin) = &route.tls.accepted else { return None };
        Some(format!(
            "{origin}: certificates of the upstreams of {} are not verified, so others can pose as them; to accept only \
             some, set tls.ca instead",
            route.name
        ))
    })
}

/// Redirects to https, where no listener has TLS.
fn redirected_to_nothing(settings: &Settings) -> Option<String> {
    let has_tls = settings.listeners().iter().any(|(listener, _)| listener.kind() == ListenerKind::Tls);
    if has_tls || !settings.trusted_proxies.is_empty() {
        return None;
    }
    let route = settings.routes.iter().find(|route| route.redirect_https)?;
    Some(format!(
        "{}: redirect_https sends clients to https, which is off: open a port with TLS, or name the proxy that ends TLS in \
         trusted_proxies",
        route.origin
    ))
}

/// Routes that never get a request.
fn never_reached(routes: &[Route]) -> impl Iterator<Item = String> {
    hidden(routes).into_iter().map(|Hidden { route, place, by }| {
        format!(
            "{}: {place} never gets a request: `{by}` from {} is tried first and takes them all",
            route.origin, by.origin
        )
    })
}

/// Routes whose listeners are all off. Routes without `listeners` are left out: a node that serves only other nodes has
/// http and https off.
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
        format!("{}: no client reaches {which}, because {whose} {off}: {}", routes[0].origin, listeners.join(", "))
    };
    by_listeners.into_iter().map(doubt).collect()
}

/// Source addresses that cannot be used now: an address that moves between machines may come later.
fn unusable_sources(settings: &Settings) -> impl Iterator<Item = String> {
    let doubt = |address: &IpAddr| {
        let error = UdpSocket::bind((*address, 0)).err()?;
        Some(match error.kind() {
            io::ErrorKind::AddrNotAvailable => format!(
                "source_addresses: this machine does not have {address}: as long as that is so, no connection leaves \
                 from there"
            ),
            _ => format!("source_addresses: no connection can leave from {address} now: {error}"),
        })
    };
    settings.source_addresses.iter().filter_map(doubt)
}

fn certificates(settings: &Settings, secret: &Secret) -> Result<Certificates, BoxError> {
    let issuer = Issuer::new(Arc::new(Authority::derive(secret, CONTEXT)?))?;
    let patterns = settings.routes.iter().flat_map(|route| route.patterns.iter().cloned());
    Ok(Certificates::new(issuer, &settings.certificates, patterns, None)?)
}
