//! A summary of what is served, in a few lines.

use std::fmt::Write;

use super::{Listener, Port, Settings};

/// The maximum number of routes or files that are listed. The rest is only counted.
pub(super) const LISTED: usize = 20;

/// Returns a summary of what is served: the listeners, other nodes if there are any, the services, and the routes.
pub fn summary(settings: &Settings) -> String {
    let mut lines = listeners(settings);
    services(settings, &mut lines);
    for route in settings.routes.iter().take(LISTED) {
        line(&mut lines, format_args!("{route}"));
    }
    match settings.routes.len().saturating_sub(LISTED) {
        0 => {}
        more => line(&mut lines, format_args!("and {more} more")),
    }
    lines
}

/// Returns the lines for the listeners, and for other nodes if there are any.
pub fn listeners(settings: &Settings) -> String {
    let mut lines = String::new();
    let listeners: Vec<_> = settings.all_listeners().collect();
    let width = listeners.iter().map(|listener| listener.name().len()).max().unwrap_or_default();
    for listener in &listeners {
        line(&mut lines, format_args!("{:width$}  {}", listener.name(), addresses(settings, listener)));
    }
    if settings.mesh.is_used() {
        let node = &settings.node;
        let note = match settings.advertised() {
            Some(address) => format!(", at {address}"),
            None if settings.port(&Listener::Internal) == Port::Off => {
                ", without an internal port: it can send requests to other nodes, but gets none from them".to_owned()
            }
            // Other nodes have the address in their own mesh_peers.
            None => String::new(),
        };
        line(&mut lines, format_args!("{:width$}  {node}{note}", "node"));
    }
    for (name, address) in &settings.mesh.peers {
        line(&mut lines, format_args!("{:width$}  {name}={address}", "peer"));
    }
    if let Some(registry) = &settings.mesh.registry {
        line(&mut lines, format_args!("{:width$}  {registry}", "registry"));
    }
    lines
}

/// Adds a line for each service, or only their number if there are many.
fn services(settings: &Settings, lines: &mut String) {
    const LONGEST: usize = 80;

    let services = &settings.services;
    if services.len() > LISTED {
        let instances: u64 = services.iter().map(|service| u64::from(service.instances)).sum();
        return line(lines, format_args!("{} services with {instances} instances", services.len()));
    }
    for service in services {
        let text = service.to_string();
        match text.char_indices().nth(LONGEST) {
            Some((end, _)) => line(lines, format_args!("service   {}…", &text[..end])),
            None => line(lines, format_args!("service   {text}")),
        }
    }
}

fn addresses(settings: &Settings, listener: &Listener) -> String {
    let joined = |addresses: Vec<String>| addresses.join(", ");
    match settings.port(listener) {
        Port::Off => "off".to_owned(),
        Port::Number(0) => {
            joined(settings.bind(listener).iter().map(ToString::to_string).collect()) + ", a port the kernel picks"
        }
        Port::Number(_) => joined(settings.addresses(listener).map(|address| address.to_string()).collect()),
    }
}

fn line(lines: &mut String, text: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(lines, "{text}");
}
