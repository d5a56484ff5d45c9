//! Combinations of settings that cannot work together.

use std::collections::HashMap;

use super::{Listener, Port, ServiceListen, Settings, endpoint::Endpoint, listener};
use crate::config::{Merged, Node, Problem, Problems, names};

/// Reports all such combinations.
pub(super) fn all(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    ports(settings, merged, problems);
    subnets(settings, merged, problems);
    addresses(settings, merged, problems);
    service_ports(settings, problems);
    mesh(settings, merged, problems);
}

fn ports(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    let mut by_port: HashMap<Port, Vec<Listener>> = HashMap::new();
    for one in settings.all_listeners() {
        let port = settings.port(&one);
        if !matches!(port, Port::Number(1..)) {
            continue;
        }
        let same_port = by_port.entry(port).or_default();
        for other in &*same_port {
            let Some(on) = common_address(settings, &one, other) else { continue };
            let [one, other] = [&one, other].map(|listener| port_of(merged, listener));
            report_clash(one, other, &format!("are both port {port}{on}"), problems);
        }
        same_port.push(one);
    }
}

/// The addresses on which two listeners clash, for a message. Empty if all their addresses are the same.
fn common_address(settings: &Settings, one: &Listener, other: &Listener) -> Option<String> {
    let (ones, others) = (settings.bind(one), settings.bind(other));
    if ones == others {
        return Some(String::new());
    }
    let pairs = ones.iter().flat_map(|one| others.iter().map(move |other| (*one, *other)));
    let (one, other) = pairs.into_iter().find(|(one, other)| listener::overlap(*one, *other).is_some())?;
    Some(if one == other { format!(" on {one}") } else { format!(", on {one} and on {other}") })
}

fn port_of<'a>(merged: &'a Merged, listener: &Listener) -> Option<Node<'a>> {
    match listener {
        Listener::Named { name, .. } => merged.node("listeners")?.field(name)?.field("port"),
        listener => merged.node(listener.name()),
    }
}

fn subnets(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    let (dialer, service) = (settings.subnet_dialer, settings.subnet_service);
    // The placeholder for an invalid network contains all addresses.
    let readable = dialer.addr().is_loopback() && service.addr().is_loopback();
    if readable && (dialer.contains(&service) || service.contains(&dialer)) {
        let [one, other] = ["subnet_dialer", "subnet_service"].map(|key| merged.node(key));
        report_clash(one, other, &format!("overlap: {dialer} and {service}"), problems);
    }
}

/// Reports services that need more addresses than there are.
fn addresses(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    let with_address = settings.services.iter().filter(|service| service.listen == ServiceListen::Address);
    let instances: u64 = with_address.map(|service| u64::from(service.instances)).sum();
    let subnet = settings.subnet_service;
    // The backend of the demo has the first one.
    let available = u64::from(u32::MAX.checked_shr(subnet.prefix_len().into()).unwrap_or(0)).saturating_sub(2);
    let needed = 2 * instances;
    let (Some(services), Some(range)) = (merged.node("services"), merged.node("subnet_service")) else { return };
    if needed > available && subnet.addr().is_loopback() {
        problems.push(services.problem(format!(
            "{instances} instances need {needed} addresses, two each, because a new one starts before the old one \
             stops, but `subnet_service` ({subnet}, {}) has {available}: choose a larger network or fewer instances",
            range.origin()
        )));
    }
}

/// Reports services with the port of a listener on all addresses, which include those of the instances.
fn service_ports(settings: &Settings, problems: &mut Problems) {
    for service in settings.services.iter().filter(|service| service.listen == ServiceListen::Address) {
        let Some((listener, ip)) = settings.on_all_addresses(service.port) else { continue };
        let (name, port, listener) = (&service.name, service.port, listener.name());
        problems.push(Problem::new(
            service.origin.to_string(),
            format!(
                "the instances of `{name}` cannot use port {port}, because `{listener}` has it on all addresses ({ip}): \
                 remove `port` or write another one, or bind `{listener}` to an address"
            ),
        ));
    }
}

fn mesh(settings: &Settings, merged: &Merged, problems: &mut Problems) {
    let mesh = &settings.mesh;
    let is_open = settings.internal != Port::Off;
    if let Some(node) = merged.node("mesh_advertise").filter(|_| !is_open) {
        problems.push(
            node.problem("this is the address of the internal port, which is off: turn on `internal`, or remove this"),
        );
    }
    if let Some(node) = merged.node("mesh_registry").filter(|_| is_open && settings.advertised().is_none()) {
        problems.push(node.problem(format!(
            "other nodes cannot find this one, because `bind` is {}, which means every address of the machine: set {}, or \
             set `internal` to \"off\" if they need not reach it",
            settings.bind.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "),
            names("mesh_advertise")
        )));
    }
    // A value may seem to be missing only because it is invalid.
    if !problems.is_empty() {
        return;
    }
    for route in &settings.routes {
        for upstream in route.endpoints() {
            let impossible = match upstream {
                Endpoint::Mesh(name) if *name == settings.node => "that is the name of this node itself".to_owned(),
                Endpoint::Mesh(name) if mesh.registry.is_none() && !mesh.peers.contains_key(name) => {
                    format!(
                        "the address of that node is not known: set {} or {}",
                        names("mesh_peers"),
                        names("mesh_registry")
                    )
                }
                Endpoint::MeshAny if !mesh.is_used() => {
                    format!("no other node is known: set {} or {}", names("mesh_peers"), names("mesh_registry"))
                }
                _ => continue,
            };
            problems.push(Problem::new(route.origin.to_string(), format!("`{route}`: {upstream}: {impossible}")));
        }
    }
}

/// Reports two settings that clash, at the place of one that the user set.
fn report_clash(one: Option<Node<'_>>, other: Option<Node<'_>>, clash: &str, problems: &mut Problems) {
    let (Some(mut at), Some(mut against)) = (one, other) else { return };
    if at.is_default() {
        std::mem::swap(&mut at, &mut against);
    }
    let origin = against.origin();
    problems.push(at.problem(format!("`{}` and `{}` ({origin}) {clash}", at.dotted_path(), against.dotted_path())));
}
