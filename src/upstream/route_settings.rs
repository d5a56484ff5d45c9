//! The settings that apply to all routes.

use std::time::Duration;

use super::ConnectionSettings;
use crate::settings::{Port, Settings};

/// The settings that apply to all routes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RouteSettings {
    pub(super) connections: ConnectionSettings,
    pub(super) body_min_rate: u64,
    /// The timeouts of the server, for routes without their own.
    pub(super) stall_timeout: Duration,
    pub(super) stream_timeout: Duration,
    /// The port for redirects to https; `None` means 443.
    pub(super) https_port: Option<u16>,
}

impl RouteSettings {
    /// Takes them from `settings`.
    pub(super) fn from_settings(settings: &Settings) -> Self {
        Self {
            connections: ConnectionSettings::for_nodes(settings),
            body_min_rate: settings.body_min_rate,
            stall_timeout: settings.stall_timeout,
            stream_timeout: settings.stream_timeout,
            https_port: https_port(settings),
        }
    }
}

/// The port for redirects to https; `None` means 443.
fn https_port(settings: &Settings) -> Option<u16> {
    match settings.https {
        // For port 0, the kernel picks the number later.
        Port::Number(port) if !matches!(port, 0 | 443) => Some(port),
        Port::Number(_) | Port::Off => None,
    }
}
