//! `bind`: the addresses to listen on, at the top level and for a listener.

use std::net::IpAddr;

use figment::value::Value;

use super::listener;
use crate::config::{Node, Parse, Problems, Reason};

/// Reads one address, or a list of addresses. `OF_LISTENER` is for a table in `[listeners]`.
pub(super) fn read<const OF_LISTENER: bool>(node: &Node<'_>, problems: &mut Problems) -> Vec<IpAddr> {
    let elements = node.elements().unwrap_or_else(|_| vec![node.clone()]);
    if elements.is_empty() {
        problems
            .push(node.problem("expected at least one IP address; 0.0.0.0 means all IPv4 addresses, :: all addresses"));
    }
    let mut addresses: Vec<IpAddr> = Vec::new();
    for element in elements {
        let Some(Bind::<OF_LISTENER>(address)) = element.read(problems) else { continue };
        match addresses.iter().find_map(|other| listener::overlap(*other, address)) {
            Some(overlap) => problems.push(element.problem(overlap)),
            None => addresses.push(address),
        }
    }
    addresses
}

struct Bind<const OF_LISTENER: bool>(IpAddr);

impl<const OF_LISTENER: bool> Parse for Bind<OF_LISTENER> {
    const EXPECTED: &'static str = IpAddr::EXPECTED;

    fn parse(value: &Value) -> Result<Self, Reason> {
        IpAddr::parse(value)
            .map(Self)
            .map_err(|reason| reason.or_else(|| instead(value.as_str()?, if OF_LISTENER { "port" } else { "http" })))
    }
}

/// Advice for users of other programs, in which the port is part of the address.
fn instead(text: &str, port_key: &str) -> Reason {
    let (address, port) = text.rsplit_once(':')?;
    let address = if address.is_empty() { "0.0.0.0" } else { address.trim_matches(['[', ']']) };
    let (address, port): (IpAddr, u16) = (address.parse().ok()?, port.parse().ok()?);
    Some(format!("the port is a separate setting: write bind = \"{address}\" and {port_key} = {port}"))
}
