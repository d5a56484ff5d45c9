//! The name of this node.

use nix::unistd::gethostname;
use pmesh_layers::identity::NodeName;

use crate::config::{Merged, Parse, Problem, Problems, Reason, text};

/// The maximum length of a label (RFC 1035, 2.3.4).
const MAX: usize = 63;

/// Returns the name that was set, or else a name derived from the host name of the machine.
pub(super) fn read(merged: &Merged, problems: &mut Problems) -> NodeName {
    let name = match merged.node("node") {
        Some(node) => node.read(problems),
        None => problems.note(from_hostname()),
    };
    name.unwrap_or_else(placeholder)
}

/// A placeholder for an invalid name, which has been reported.
#[expect(clippy::expect_used, reason = "it is a label")]
fn placeholder() -> NodeName {
    "node".parse().expect("a label")
}

fn from_hostname() -> Result<NodeName, Problem> {
    let host = gethostname().unwrap_or_default();
    let host = host.to_string_lossy();
    label(&host).parse().map_err(|error| {
        let message = format!("the machine's host name {host:?} cannot be used as the name of this node: {error}");
        Problem::new("node", message + "; set --node or PMESH_NODE")
    })
}

/// The first label of a host name. Hyphens replace characters that are not allowed in the name of a node.
fn label(host: &str) -> String {
    let first = host.split('.').next().unwrap_or_default();
    let label: String = first.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).take(MAX).collect();
    label.trim_matches('-').to_owned()
}

impl Parse for NodeName {
    const EXPECTED: &'static str = "the name of a node, such as berlin-1";

    fn parse(value: &figment::value::Value) -> Result<Self, Reason> {
        text(value)?.parse().map_err(|error| Some(format!("{error}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_nodes_are_derived_from_host_names() {
        let long = format!("{}-x", "a".repeat(62));
        for (host, expected) in [
            ("Berlin-1.example.com", "berlin-1"),
            ("my_laptop", "my-laptop"),
            ("_x_", "x"),
            ("büro", "b-ro"),
            (long.as_str(), &long[..62]),
        ] {
            assert_eq!(label(host).parse::<NodeName>().expect(host).as_str(), expected);
        }
        for host in ["", "___", ".x", "10.0.0.1", "ü"] {
            assert!(label(host).parse::<NodeName>().is_err(), "{host}");
        }
    }
}
