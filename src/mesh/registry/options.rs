//! What the registry runs on, and its timing.

use std::time::Duration;

use pmesh_layers::identity::NodeName;

use super::RegistryView;
use crate::{
    mesh::Seal,
    settings::{RegistryServers, Settings},
};

/// What a [`Registry`](super::Registry) runs on.
#[derive(Debug, Clone)]
pub struct RegistryOptions {
    /// Where NATS is.
    pub servers: RegistryServers,
    /// The bucket; letters, digits, `-` and `_`.
    pub bucket: String,
    /// The name of this node.
    pub node: NodeName,
    /// What makes and proves entries.
    pub seal: Seal,
    /// How far the clock of another node may be from ours before that is told.
    pub clock_window: Duration,
    /// When what is done.
    pub timing: Timing,
    /// Where it can be seen how the registry is.
    pub view: RegistryView,
}

/// When what is done.
#[derive(Debug, Clone, Copy)]
pub struct Timing {
    /// How often this node renews its entry: 5 seconds.
    pub renewal: Duration,
    /// How long an entry holds that is not renewed: 15 seconds.
    pub lifetime: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self { renewal: Duration::from_secs(5), lifetime: Duration::from_secs(15) }
    }
}

impl RegistryOptions {
    /// Those of the settings; `None` where they name no registry.
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
