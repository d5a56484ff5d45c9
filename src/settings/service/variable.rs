//! Names of environment variables.

use crate::config::OF_INSTANCE;

/// Whether a variable can have this name.
pub(super) fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c == '=' || c == '\0' || c.is_whitespace())
}

/// Advice on a variable that pmesh sets itself.
pub(super) fn set_by_pmesh(name: &str) -> Option<String> {
    Some(match name {
        "PORT" => "pmesh sets PORT for each instance: write port = … in the table of the service".into(),
        "NOTIFY_SOCKET" => "pmesh sets NOTIFY_SOCKET: write ready = \"notify\" in the table of the service".into(),
        "LISTEN_FDS" | "LISTEN_PID" | "LISTEN_FDNAMES" => {
            format!("pmesh passes no sockets to services, so it removes {name}: remove this")
        }
        _ if OF_INSTANCE.contains(&name) => format!("pmesh sets {name} for each instance: remove this"),
        _ if name.starts_with("PMESH_") => "names that begin with PMESH_ are pmesh's own: choose another name".into(),
        _ => return None,
    })
}
