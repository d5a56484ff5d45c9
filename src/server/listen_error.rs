//! The error for a listener that cannot be bound, with advice.

use std::{fmt, io, net::SocketAddr};

use crate::settings::Listener;

/// A listener that cannot be bound.
#[derive(Debug)]
pub struct ListenError {
    listener: Listener,
    address: SocketAddr,
    /// A port to suggest instead.
    spare_port: u16,
    error: io::Error,
}

impl ListenError {
    /// Creates the error. `all` are the listeners that were to be bound, including this one.
    pub(super) fn new(
        listener: Listener,
        address: SocketAddr,
        error: io::Error,
        all: &[(Listener, SocketAddr)],
    ) -> Self {
        let spare_port = spare_port(address.port(), all);
        Self { listener, address, spare_port, error }
    }
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { listener, address, spare_port, .. } = self;
        let port = address.port();
        let (other_port, off) = (setting(listener, &spare_port.to_string()), setting(listener, "off"));
        write!(f, "cannot listen on {address} ({}): ", listener.name())?;
        match self.error.kind() {
            io::ErrorKind::AddrInUse => write!(
                f,
                "the port is in use\n  find the program with `ss -ltnp 'sport = :{port}'`; choose another port with \
                 {other_port}, or turn this listener off with {off}"
            ),
            io::ErrorKind::PermissionDenied => write!(
                f,
                "ports below 1024 need permission\n  grant it with `setcap cap_net_bind_service=+ep` on the program or \
                 `sysctl net.ipv4.ip_unprivileged_port_start={port}`; or choose a higher port with \
                 {other_port}; or turn this listener off with {off}"
            ),
            io::ErrorKind::AddrNotAvailable => {
                f.write_str("this machine does not have the address\n  set another with ")?;
                if let Listener::Named { name, .. } = listener {
                    write!(f, "`bind` in [listeners.{name}], or for all listeners with ")?;
                }
                f.write_str("--bind or PMESH_BIND; 0.0.0.0 means every IPv4 address")
            }
            _ => write!(f, "{}", self.error),
        }
    }
}

/// How to write the port of a listener as a setting.
fn setting(listener: &Listener, port: &str) -> String {
    let name = listener.name();
    match listener {
        Listener::Named { .. } if port == "off" => format!("port = \"off\" in [listeners.{name}]"),
        Listener::Named { .. } => format!("port = {port} in [listeners.{name}]"),
        _ => format!("--{name} {port}"),
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.error)
    }
}

/// A port to suggest instead: one that no other listener has.
fn spare_port(port: u16, listeners: &[(Listener, SocketAddr)]) -> u16 {
    let mut ports = match port {
        0..1024 => [8000, 9000, 10_000, 11_000].map(|offset| port + offset),
        _ => [1, 2, 3, 4].map(|offset| port.wrapping_add(offset).max(1024)),
    }
    .into_iter();
    let is_free = |port: &u16| listeners.iter().all(|(_, address)| address.port() != *port);
    ports.find(is_free).unwrap_or(port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_how_to_move_the_listener_or_turn_it_off() {
        let said = |listener, port, kind: io::ErrorKind| {
            let address = SocketAddr::from(([0, 0, 0, 0], port));
            let all = [(Listener::clone(&listener), address)];
            ListenError::new(listener, address, kind.into(), &all).to_string()
        };
        assert_eq!(
            said(Listener::Internal, 8443, io::ErrorKind::AddrInUse),
            "cannot listen on 0.0.0.0:8443 (internal): the port is in use\n  find the program with `ss -ltnp 'sport = \
             :8443'`; choose another port with --internal 8444, or turn this listener off with --internal off"
        );
        let federation = || Listener::Named { name: "federation".into(), tls: true };
        assert_eq!(
            said(federation(), 8448, io::ErrorKind::AddrInUse),
            "cannot listen on 0.0.0.0:8448 (federation): the port is in use\n  find the program with `ss -ltnp 'sport = \
             :8448'`; choose another port with port = 8449 in [listeners.federation], or turn this listener off with \
             port = \"off\" in [listeners.federation]"
        );
        assert_eq!(
            said(federation(), 8448, io::ErrorKind::AddrNotAvailable),
            "cannot listen on 0.0.0.0:8448 (federation): this machine does not have the address\n  set another with \
             `bind` in [listeners.federation], or for all listeners with --bind or PMESH_BIND; 0.0.0.0 means every \
             IPv4 address"
        );
        assert_eq!(
            said(Listener::Http, 80, io::ErrorKind::PermissionDenied),
            "cannot listen on 0.0.0.0:80 (http): ports below 1024 need permission\n  grant it with `setcap \
             cap_net_bind_service=+ep` on the program or `sysctl net.ipv4.ip_unprivileged_port_start=80`; or choose a \
             higher port with --http 8080; or turn this listener off with --http off"
        );
    }

    #[test]
    fn an_error_suggests_a_port_that_no_other_listener_has() {
        let on = |listener, port| (listener, SocketAddr::from(([0, 0, 0, 0], port)));
        let listeners = [on(Listener::Http, 80), on(Listener::Https, 443), on(Listener::Internal, 8443)];
        for (port, expected) in [(80, 8080), (443, 9443), (8443, 8444), (u16::MAX, 1024)] {
            assert_eq!(spare_port(port, &listeners), expected);
        }
    }
}
