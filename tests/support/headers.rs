//! The headers that a backend gets, and headers that clients try to forge.

use super::read::Request;

/// Headers that only pmesh or a trusted proxy may set.
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

/// The headers as HTTP/1 lines.
pub fn lines(fields: &[(&str, &str)]) -> String {
    fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect()
}

/// A `Connection` header that lists all headers that pmesh sets: if pmesh obeyed it, it would remove its own.
pub fn connection() -> String {
    let names: Vec<_> = FORGED.iter().map(|(name, _)| *name).chain(["cdn-loop", "host"]).collect();
    format!("connection: {}\r\n", names.join(", "))
}

/// All headers, sorted by name. Random values are replaced by `ID` and `PROCESS`.
pub fn received(request: &Request) -> Vec<String> {
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
