//! Renamed settings. Using an old name is an error, so that no setting falls back to its default unnoticed.

use super::{Setting, table};

/// The old and the new key of each renamed setting. Flags and variables are named after the keys.
const SETTINGS: &[(&str, &str)] = &[("body_timeout", "stall_timeout"), ("tunnel_timeout", "stream_timeout")];

/// Old keys of a route, and what to write instead.
const ROUTE_KEYS: &[(&str, &str)] = &[
    ("body_timeout", "stall_timeout"),
    ("hosts", "host = [\"example.com\", …]"),
    ("tunnel_timeout", "stream_timeout"),
    ("upstream_ca", "tls = { ca = … }"),
    ("upstream_host", "host_header"),
    ("upstream_name", "tls = { server_name = … }"),
    ("upstreams", "upstream"),
];

/// The setting that used to have this key.
pub(crate) fn setting(old: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|(key, _)| *key == old).and_then(|(_, new)| table::by_key(new))
}

/// The setting that used to have this variable.
pub(super) fn by_variable(old: &str) -> Option<&'static Setting> {
    setting(&old.strip_prefix("PMESH_")?.to_ascii_lowercase())
}

/// The new flag for an old one, both without their leading dashes.
pub(crate) fn flag(old: &str) -> Option<&'static str> {
    setting(&old.replace('-', "_"))?.flag
}

/// What to write instead of an old key of a route.
pub(super) fn route_key(old: &str) -> Option<&'static str> {
    ROUTE_KEYS.iter().find(|(key, _)| *key == old).map(|(_, new)| *new)
}

/// The error message for an old name.
pub(crate) fn message(new: &str) -> String {
    format!("renamed: write `{new}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_unknown_and_new_names_exist() {
        for (old, new) in SETTINGS {
            assert!(table::by_key(old).is_none(), "{old}");
            assert_eq!(setting(old).map(|setting| setting.key), Some(*new));
        }
        assert_eq!(by_variable("PMESH_BODY_TIMEOUT").map(|setting| setting.key), Some("stall_timeout"));
        assert_eq!(flag("tunnel-timeout"), Some("stream-timeout"));
    }
}
