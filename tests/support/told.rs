//! All that a backend is told of a request, line by line, and all that a client may make up of it.

use super::read::Request;

/// What only pmesh says, or a proxy that it trusts.
pub const FORGED: &[(&str, &str)] = &[
    ("forwarded", "for=192.0.2.66;host=evil.test;proto=gopher"),
    ("x-forwarded-for", "192.0.2.66"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-host", "evil.test"),
    ("x-forwarded-port", "666"),
    ("x-forwarded-prefix", "/evil"),
    ("x-forwarded-server", "evil.test"),
    ("x-real-ip", "192.0.2.66"),
    ("x-request-id", "evil"),
    ("x-pmesh-node", "evil"),
    ("x-pmesh-through", "evil"),
    ("x_forwarded_for", "192.0.2.66"),
    ("x-forwarded_proto", "gopher"),
    ("x_forwarded-host", "evil.test"),
    ("x_forwarded_port", "666"),
    ("x_forwarded_prefix", "/evil"),
    ("x_real_ip", "192.0.2.66"),
    ("x_request_id", "evil"),
    ("x_pmesh_node", "evil"),
];

/// As lines of HTTP/1.
pub fn lines(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

/// `Connection` with the names of all headers that pmesh sets, so that it removes its own if it believes it.
pub fn connection() -> String {
    let names: Vec<_> = FORGED.iter().map(|(name, _)| *name).chain(["cdn-loop", "host"]).collect();
    format!("connection: {}\r\n", names.join(", "))
}

/// All headers, in the order of their names. What is random has another value: `ID`, `PROCESS`.
pub fn told(request: &Request) -> Vec<String> {
    let is_hex = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let line = |(name, value): &(String, String)| match &**name {
        "x-request-id" if is_hex(value, 32) => format!("{name}: ID"),
        "cdn-loop" if value.strip_prefix("pmesh-").is_some_and(|mark| is_hex(mark, 16)) => format!("{name}: PROCESS"),
        _ => format!("{name}: {value}"),
    };
    let mut lines: Vec<_> = request.fields.iter().map(line).collect();
    lines.sort();
    lines
}
