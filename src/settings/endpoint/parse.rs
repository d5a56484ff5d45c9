//! Parses endpoints.

use std::{
    net::{IpAddr, Ipv6Addr},
    str::FromStr,
};

use pmesh_layers::host::HostName;

use super::{Endpoint, EndpointHost, InvalidEndpoint, Protocol, ServiceName, host_port};

const SCHEMES: &str = "the scheme must be http, https, h2c, h2, mesh, service or unix";

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.contains('\\') {
            return Err(invalid(format!("use / instead of \\: write {}", text.replace('\\', "/"))));
        }
        if let Some(path) = text.strip_prefix("unix:") {
            return socket(path);
        }
        let Some((scheme, rest)) = text.split_once("://") else { return port(None, text) };
        if scheme.eq_ignore_ascii_case("mesh") {
            return node(rest);
        }
        if scheme.eq_ignore_ascii_case("service") || scheme.eq_ignore_ascii_case("services") {
            return service(scheme, rest);
        }
        let protocol = scheme.parse()?;
        match rest.strip_prefix("unix:") {
            Some(path) => Err(invalid(format!("a Unix socket has no second scheme: write unix:{path}"))),
            None => port(Some(protocol), rest),
        }
    }
}

fn socket(text: &str) -> Result<Endpoint, InvalidEndpoint> {
    // Other programs write unix:///run/app.sock, with an empty host.
    let path = text.strip_prefix("//").unwrap_or(text);
    match path {
        "" | "/" => Err(invalid("the path of the socket is missing: write unix:/run/app.sock")),
        _ if path.starts_with('/') => Ok(Endpoint::Unix(path.into())),
        _ if path.len() < text.len() => {
            Err(invalid(format!("write unix:/{path}, or unix:///{path} with three slashes")))
        }
        _ => Err(invalid(format!("the path of a socket must start with a slash: write unix:/{path}"))),
    }
}

fn node(name: &str) -> Result<Endpoint, InvalidEndpoint> {
    match name {
        "*" => Ok(Endpoint::MeshAny),
        _ if name.contains(':') => {
            Err(invalid("write the node without a port; its address comes from mesh_peers or mesh_registry"))
        }
        _ => name.parse().map(Endpoint::Mesh).map_err(invalid),
    }
}

fn service(scheme: &str, text: &str) -> Result<Endpoint, InvalidEndpoint> {
    let (authority, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    let (name, port) = host_port::split(authority);
    let parsed = name.to_ascii_lowercase().parse::<ServiceName>();
    let reason = match &parsed {
        Err(error) => return Err(invalid(error)),
        Ok(name) if path.len() > 1 => {
            return Err(invalid(format!(
                "an upstream cannot have a path; requests keep their own path, without the route's prefix if \
                 strip_prefix is true: write service://{name}"
            )));
        }
        Ok(_) if port.is_some() => "pmesh knows the addresses of its services",
        Ok(found) if found.as_str() != name => "the names of services are in lower case",
        Ok(_) if !path.is_empty() => "a service has no path",
        Ok(_) if !scheme.eq_ignore_ascii_case("service") => "the scheme has no s at the end",
        Ok(name) => return Ok(Endpoint::Service(name.clone())),
    };
    Err(invalid(format!("{reason}: write service://{}", parsed.map_err(invalid)?)))
}

fn port(protocol: Option<Protocol>, text: &str) -> Result<Endpoint, InvalidEndpoint> {
    let (authority, path) = text.split_at(text.find(['/', '?', '#']).unwrap_or(text.len()));
    // For advice, which repeats the scheme.
    let scheme = protocol.map(|protocol| format!("{protocol}://")).unwrap_or_default();
    if protocol.is_none() && path.starts_with('/') {
        if let Some(scheme) = authority.strip_suffix(':').filter(|scheme| scheme.parse::<Protocol>().is_ok()) {
            return Err(invalid(format!("write {scheme}://{}", path.trim_start_matches('/'))));
        }
        if matches!(authority, "service:" | "service") {
            return Err(invalid(format!("write service://{}", path.trim_matches('/'))));
        }
        if authority == "unix" {
            return Err(invalid(format!("write unix:/{}", path.trim_start_matches('/'))));
        }
    }
    if let Some((_, address)) = authority.rsplit_once('@') {
        return Err(invalid(format!(
            "an upstream cannot have a user or password; the backend gets the client's Authorization header: \
             write {scheme}{address}"
        )));
    }
    if !matches!(path, "" | "/") {
        return Err(invalid(format!(
            "an upstream cannot have a path; requests keep their own path, without the route's prefix if strip_prefix is true: \
             write {scheme}{authority}"
        )));
    }
    if let Ok(address) = authority.parse::<Ipv6Addr>() {
        let example = match authority.rsplit_once(':') {
            Some((host, port)) if host.parse::<Ipv6Addr>().is_ok() && port.parse::<u16>().is_ok() => {
                format!("[{host}]:{port}")
            }
            _ => format!("[{address}]:80"),
        };
        return Err(invalid(format!("an IPv6 address needs brackets: write {scheme}{example}")));
    }
    let (host, port) = host_port::split(authority);
    let port = match (port, protocol) {
        (Some(port), _) if host.is_empty() => {
            return Err(invalid(format!("the host is missing: write {scheme}127.0.0.1:{port}")));
        }
        (Some(port), _) => host_port::port(port),
        (None, Some(protocol)) => Ok(protocol.default_port()),
        (None, None) => return Err(no_port(host)),
    };
    let host = host.parse()?;
    let port = port?;
    Ok(Endpoint::Port { protocol: protocol.unwrap_or(Protocol::Http), host, port })
}

fn no_port(host: &str) -> InvalidEndpoint {
    match host {
        "" => invalid("it is empty"),
        _ if host.parse::<u16>().is_ok() => invalid(format!("the host is missing: write 127.0.0.1:{host}")),
        _ => invalid(format!("the port is missing: write {host}:8080 for port 8080, or http://{host} for port 80")),
    }
}

impl FromStr for Protocol {
    type Err = InvalidEndpoint;

    fn from_str(scheme: &str) -> Result<Self, InvalidEndpoint> {
        let scheme = scheme.to_ascii_lowercase();
        if let Some((_, protocol)) = Self::ALL.iter().find(|(name, _)| *name == scheme) {
            return Ok(*protocol);
        }
        Err(invalid(match scheme.as_str() {
            "grpc" => "for gRPC without TLS write h2c://".to_owned(),
            "grpcs" => "for gRPC over TLS write h2://".to_owned(),
            "ws" => "for a WebSocket write http://".to_owned(),
            "wss" => "for a WebSocket over TLS write https://".to_owned(),
            "fastcgi" | "fcgi" | "scgi" | "uwsgi" | "ajp" | "tcp" | "udp" | "tls" => {
                format!("upstreams must speak HTTP, not {scheme}; {SCHEMES}")
            }
            _ => SCHEMES.to_owned(),
        }))
    }
}

impl FromStr for EndpointHost {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.parse::<IpAddr>().is_ok_and(|address| address.is_ipv6()) {
            return Err(invalid(format!("an IPv6 address needs brackets: write [{text}]")));
        }
        let name: HostName = text.parse().map_err(invalid)?;
        if !name.is_ip() {
            return Ok(Self::Name(name));
        }
        let address = name.as_str().trim_start_matches('[').trim_end_matches(']');
        address.parse().map(Self::Address).map_err(|_| invalid(format!("{address} is not an IP address")))
    }
}

#[expect(clippy::needless_pass_by_value, reason = "so that it can be given to map_err")]
fn invalid(reason: impl ToString) -> InvalidEndpoint {
    InvalidEndpoint(reason.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_addresses_and_names() {
        for (text, expected) in [
            ("127.0.0.1:9001", "127.0.0.1:9001"),
            ("http://127.0.0.1:9001", "127.0.0.1:9001"),
            ("HTTP://Name:8080", "name:8080"),
            ("name:8080", "name:8080"),
            ("name:8080/", "name:8080"),
            ("my_service.default.svc:1", "my_service.default.svc:1"),
            ("[::1]:65535", "[::1]:65535"),
            ("http://[::1]", "[::1]:80"),
            ("http://name", "name:80"),
            ("http://name/", "name:80"),
            ("https://name", "https://name:443"),
            ("HTTPS://10.0.0.1:8443", "https://10.0.0.1:8443"),
            ("h2c://name", "h2c://name:80"),
            ("h2c://127.0.0.1:50051", "h2c://127.0.0.1:50051"),
            ("h2://[::1]", "h2://[::1]:443"),
            ("unix:/run/a.sock", "unix:/run/a.sock"),
            ("unix:///run/a.sock", "unix:/run/a.sock"),
            ("mesh://Berlin-1", "mesh://berlin-1"),
            ("MESH://*", "mesh://*"),
            ("service://web-1", "service://web-1"),
            ("Service://web", "service://web"),
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), expected);
            assert_eq!(expected.parse(), Ok(endpoint));
        }
    }

    #[test]
    fn invalid_endpoints_get_advice() {
        const PATH: &str = "an upstream cannot have a path; requests keep their own path, without the route's prefix if strip_prefix is true: write";
        const SERVICE: &str =
            "the name of a service has at most 63 lower-case letters, digits and hyphens, and begins with a letter";
        const USER: &str =
            "an upstream cannot have a user or password; the backend gets the client's Authorization header: write";

        for (text, expected) in [
            ("h3://a:443", SCHEMES),
            ("grpc://a:443", "for gRPC without TLS write h2c://"),
            ("grpcs://a:443", "for gRPC over TLS write h2://"),
            ("wss://a:443", "for a WebSocket over TLS write https://"),
            ("FastCGI://a:9000", &format!("upstreams must speak HTTP, not fastcgi; {SCHEMES}")),
            ("unix:run/a.sock", "the path of a socket must start with a slash: write unix:/run/a.sock"),
            ("unix://run/a.sock", "write unix:/run/a.sock, or unix:///run/a.sock with three slashes"),
            ("unix/run/a.sock", "write unix:/run/a.sock"),
            ("http://unix:/run/a.sock", "a Unix socket has no second scheme: write unix:/run/a.sock"),
            ("unix:", "the path of the socket is missing: write unix:/run/app.sock"),
            ("mesh://", "the name of the node is empty"),
            ("mesh://a:8443", "write the node without a port; its address comes from mesh_peers or mesh_registry"),
            ("mesh://a.example", "'.' is not allowed in a node name; use letters from a to z, digits and hyphens"),
            ("service://", SERVICE),
            ("service://my_app", SERVICE),
            ("service://web/", "a service has no path: write service://web"),
            ("service://web/api", &format!("{PATH} service://web")),
            ("service://web:80", "pmesh knows the addresses of its services: write service://web"),
            ("service://Web", "the names of services are in lower case: write service://web"),
            ("services://web", "the scheme has no s at the end: write service://web"),
            ("service:/web", "write service://web"),
            ("https://a/b", &format!("{PATH} https://a")),
            ("a:1/b", &format!("{PATH} a:1")),
            ("a?b", &format!("{PATH} a")),
            ("http:/a:1", "write http://a:1"),
            ("http:\\\\a:1", "use / instead of \\: write http://a:1"),
            ("http://u:p@a:80/x", &format!("{USER} http://a:80")),
            ("u@a:80", &format!("{USER} a:80")),
            ("h2c://", "the host is empty"),
            ("127.0.0.1", "the port is missing: write 127.0.0.1:8080 for port 8080, or http://127.0.0.1 for port 80"),
            ("3000", "the host is missing: write 127.0.0.1:3000"),
            (":3000", "the host is missing: write 127.0.0.1:3000"),
            ("a:0", "the port is not a number from 1 to 65535"),
            ("a:65536", "the port is not a number from 1 to 65535"),
            ("a:", "the port is not a number from 1 to 65535"),
            ("", "it is empty"),
            ("http://", "the host is empty"),
            ("999.0.0.1:80", "999.0.0.1 is not an IP address"),
            ("::1:80", "an IPv6 address needs brackets: write [::1]:80"),
            ("http://fe80::1", "an IPv6 address needs brackets: write http://[fe80::1]:80"),
            ("*.a:80", "'*' is not allowed in a host name"),
        ] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert_eq!(error.to_string(), expected, "{text}");
        }
    }
}
