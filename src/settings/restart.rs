//! Settings that keep their value until a restart.

use super::Settings;

impl Settings {
    /// Undoes what can only change with a restart: `running` are the settings that the process was started with.
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
        // It was left out under the name that the file gives this node.
        self.mesh.peers.remove(&self.node);
    }
}
