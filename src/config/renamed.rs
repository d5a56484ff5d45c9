//! Renamed settings. An old name is an error that gives the new one, so that no setting falls back to its default
//! unnoticed.

use super::{Setting, table};

/// Settings: the old key and the new one. Flags and variables are named after them.
const SETTINGS: &[(&str, &str)] = &[("body_timeout", "stall_timeout"), ("tunnel_timeout", "stream_timeout")];

/// The keys of a route, and what to write instead.
const OF_ROUTES: &[(&str, &str)] = &[
    ("body_timeout", "stall_timeout"),
    ("hosts", "host = [\"example.com\", …]"),
    ("tunnel_timeout", "stream_timeout"),
    ("upstream_ca", "tls = { ca = … }"),
    ("upstream_host", "host_header"),
    ("upstream_name", "tls = { server_name = … }"),
    ("upstreams", "upstream"),
];

/// The setting that had this key.
pub(crate) fn setting(old: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|(key, _)| *key == old).and_then(|(_, new)| table::by_key(new))
}

/// The setting that had this variable.
pub(super) fn by_variable(old: &str) -> Option<&'static Setting> {
    setting(&old.strip_prefix("PMESH_")?.to_ascii_lowercase())
}

/// The flag of the setting that had this one, both without their dashes.
pub(crate) fn flag(old: &str) -> Option<&'static str> {
    setting(&old.replace('-', "_"))?.flag
}

/// What to write instead of an old key of a route.
pub(super) fn of_route(old: &str) -> Option<&'static str> {
    OF_ROUTES.iter().find(|(key, _)| *key == old).map(|(_, new)| *new)
}

/// The message about an old name.
pub(crate) fn message(new: &str) -> String {
    format!("renamed: write `{new}`")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_names_are_gone_and_new_names_exist() {
        for (old, new) in SETTINGS {
            assert!(table::by_key(old).is_none(), "{old}");
            assert_eq!(setting(old).map(|setting| setting.key), Some(*new));
        }
        assert_eq!(by_variable("PMESH_BODY_TIMEOUT").map(|setting| setting.key), Some("stall_timeout"));
        assert_eq!(flag("tunnel-timeout"), Some("stream-timeout"));
    }
}
