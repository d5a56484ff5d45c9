//! Settings that only change on a restart.

use super::Settings;

impl Settings {
    /// Resets all settings that only change on a restart to their values in `running`, the settings from startup.
    pub fn keep_from_start(&mut self, running: &Self) {
        self.home.clone_from(&running.home);
        self.secret.clone_from(&running.secret);
        self.node.clone_from(&running.node);
        self.mesh.registry.clone_from(&running.mesh.registry);
        self.mesh.registry_bucket.clone_from(&running.mesh.registry_bucket);
        self.mesh.clock_window = running.mesh.clock_window;
        self.mesh.files.clone_from(&running.mesh.files);
        self.log_format = running.log_format;
        self.workers = running.workers;
        self.admin.clone_from(&running.admin);
        // The new peers leave out the new name of this node, but the node keeps its old name.
        self.mesh.peers.remove(&self.node);
    }
}
