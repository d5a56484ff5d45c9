//! The configuration of the registry, and its timing.

use std::time::Duration;

use pmesh_layers::identity::NodeName;

use super::RegistryView;
use crate::{
    mesh::Seal,
    settings::{RegistryServers, Settings},
};

/// The configuration of a [`Registry`](super::Registry).
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// The NATS servers.
    pub servers: RegistryServers,
    /// The bucket's name; letters, digits, `-` and `_`.
    pub bucket: String,
    /// The name of this node.
    pub node: NodeName,
    /// Seals and verifies entries.
    pub seal: Seal,
    /// How far another node's clock can be from ours before a warning is logged.
    pub clock_window: Duration,
    /// The timing.
    pub timing: Timing,
    /// Shows its state to others.
    pub view: RegistryView,
}

/// The timing of the registry.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often this node renews its entry. Default: 5 seconds.
    pub renewal: Duration,
    /// How long an entry is valid without renewal. Default: 15 seconds.
    pub lifetime: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { renewal: Duration::from_secs(5), lifetime: Duration::from_secs(15) }
    }
}

impl RegistryOptions {
    /// Takes the options from the settings; `None` if they configure no registry.
    pub fn new(settings: &Settings, seal: Seal) -> Option<Self> {
        Some(Self {
            servers: settings.mesh.registry.clone()?,
            bucket: settings.mesh.registry_bucket.clone(),
            node: settings.node.clone(),
            seal,
            clock_window: settings.mesh.clock_window,
            timing: Timing::default(),
            view: RegistryView::default(),
        })
    }
}
