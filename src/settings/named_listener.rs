//! `[listeners.NAME]`: listeners in addition to http, https and internal.

use std::{fmt, net::IpAddr};

use super::{H2c, Listener, Port, bind};
use crate::config::{LISTENER_KEYS, Merged, Node, Problems};

/// A listener with a table in `[listeners]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedListener {
    /// Its name, and whether its clients use TLS.
    pub listener: Listener,
    /// Its port.
    pub port: Port,
    /// The addresses that it listens on. There is at least one, and they do not overlap.
    pub bind: Vec<IpAddr>,
    /// Whether it supports HTTP/2 without TLS.
    pub h2c: H2c,
}

impl fmt::Display for NamedListener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listener, port, bind, h2c } = self;
        write!(f, "{}: ", listener.name())?;
        if *port == Port::Off {
            return f.write_str("off");
        }
        write!(f, "port {port} on {}", bind.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))?;
        match (listener, h2c) {
            (Listener::Named { tls: true, .. }, _) => f.write_str(", TLS"),
            (_, H2c::Off) => Ok(()),
            (_, H2c::Silent) => f.write_str(", h2c silent"),
            (_, H2c::Open) => f.write_str(", h2c open"),
        }
    }
}

/// Reads all tables, sorted by name, because the keys of a TOML table have no order. `root` is the default of `bind`.
pub(super) fn read(merged: &Merged, root: &[IpAddr], problems: &mut Problems) -> Vec<NamedListener> {
    let Some(node) = merged.node("listeners") else { return Vec::new() };
    let Some(tables) = node.value.as_dict() else {
        problems.push(node.unexpected("a table for each listener, as in [listeners.NAME]"));
        return Vec::new();
    };
    let named = |name: &String| named(name, &node.field(name)?, root, problems);
    tables.keys().filter_map(named).collect()
}

fn named(name: &str, node: &Node<'_>, root: &[IpAddr], problems: &mut Problems) -> Option<NamedListener> {
    let is_table = node.value.as_dict().is_some();
    let port = if is_table { node.field("port") } else { Some(node.clone()) };
    let written = port.as_ref().and_then(|port| port.parse::<Port>().ok());
    if matches!(name, "http" | "https" | "internal") {
        let port = match written {
            Some(Port::Number(port)) => port.to_string(),
            Some(Port::Off) => "\"off\"".to_owned(),
            None => "PORT".to_owned(),
        };
        problems.push(node.problem(format!(
            "`{name}` is a top-level setting: write {name} = {port} above the first [table] of the file"
        )));
        return None;
    }
    if !is_name(name) {
        let better = name.to_ascii_lowercase().replace(['_', '.', ' '], "-");
        let better = if is_name(&better) { format!(": write [listeners.{better}]") } else { String::new() };
        problems.push(node.problem(format!(
            "a listener's name has at most 63 lower-case letters, digits and hyphens, and begins with a \
             letter{better}"
        )));
        return None;
    }
    if !is_table {
        let mut problem = node.unexpected("a table");
        if let Some(Port::Number(port)) = written {
            problem.message += &format!(": write [listeners.{name}], and port = {port} below");
        }
        problems.push(problem);
        return None;
    }
    if port.is_none() {
        node.lacks("no port: set `port` to a number, or to \"off\"", LISTENER_KEYS, problems);
    }
    let port = port.and_then(|port| port.read(problems));
    let tls = node.field("tls").map_or(Some(false), |tls| tls.read(problems));
    let bind = node.field("bind").map_or_else(|| root.to_vec(), |bind| bind::read::<true>(&bind, problems));
    let h2c = node.field("h2c").map_or(Some(H2c::Off), |h2c| {
        let spoken = h2c.read(problems)?;
        if tls == Some(true) && spoken != H2c::Off {
            problems.push(h2c.problem("h2c is HTTP/2 without TLS; this listener uses TLS, where HTTP/2 is always on"));
        }
        Some(spoken)
    });
    Some(NamedListener { listener: Listener::Named { name: name.into(), tls: tls? }, port: port?, bind, h2c: h2c? })
}

/// Whether this is a DNS label (RFC 1123, 2.1) that begins with a letter, so that it cannot be confused with an index.
fn is_name(text: &str) -> bool {
    text.len() <= 63
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && !text.ends_with('-')
        && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_like_dns_labels() {
        for name in ["federation", "a", "a1-b", &"a".repeat(63)] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "A", "a_b", "a.b", "-a", "a-", "1", "8448", "é", &"a".repeat(64)] {
            assert!(!is_name(name), "{name}");
        }
    }
}
