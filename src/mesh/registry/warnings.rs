//! Warnings about entries in the registry, each logged once.

use std::{
    collections::{BTreeMap, BTreeSet, btree_map::Entry},
    time::{Duration, SystemTime},
};

use pmesh_layers::identity::NodeName;
use tokio::time::Instant;

use crate::{
    mesh::{Announcement, Instance, SealError},
    settings::endpoint::HostPort,
};

/// How many warnings of a kind are remembered. Anyone who can write to the registry can cause more.
const MAX_WARNINGS: usize = 100;

/// A node that has not used another node's name for this long has given it up.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// Warnings about entries in the registry. Each is logged once, and again only if the entry was correct in between.
#[derive(Debug, Default)]
pub(super) struct Warnings {
    rejected: BTreeMap<String, SealError>,
    clocks: BTreeSet<NodeName>,
    /// Runs of the program that use another node's name, and when they last did.
    duplicates: BTreeMap<Instance, Instant>,
}

impl Warnings {
    /// Warns that the entry `key` is ignored.
    pub(super) fn rejected(&mut self, key: &str, error: SealError) {
        let is_known = self.rejected.get(key) == Some(&error);
        if !is_known && (self.rejected.len() < MAX_WARNINGS || self.rejected.contains_key(key)) {
            self.rejected.insert(key.to_owned(), error);
            tracing::warn!(key, "ignoring an entry in the registry: {error}");
        }
    }

    /// Records that the entry `key` is valid.
    pub(super) fn accepted(&mut self, key: &str) {
        self.rejected.remove(key);
    }

    /// Warns that another run of the program uses this node's name.
    pub(super) fn duplicate_name(&mut self, announcement: &Announcement, now: Instant) {
        if self.is_new_duplicate(announcement.instance, now) {
            let Announcement { node, address, .. } = announcement;
            tracing::warn!(
                %address,
                "another node is also called {node}; rename one of them with --node or PMESH_NODE. Until then, requests \
                 for {node} go to the one that was there first"
            );
        }
    }

    /// Warns that the announcement of a node at `address` is ignored, because the node at `by` has the same name.
    pub(super) fn name_taken(
        &mut self,
        node: &NodeName,
        instance: Instance,
        [address, by]: [&HostPort; 2],
        now: Instant,
    ) {
        if self.is_new_duplicate(instance, now) {
            tracing::warn!(
                "two nodes are called {node}; rename one of them with --node or PMESH_NODE. Until then, requests go to the \
                 one at {by}, which was there first, and not to the one at {address}"
            );
        }
    }

    fn is_new_duplicate(&mut self, instance: Instance, now: Instant) -> bool {
        self.duplicates.retain(|_, last| now.saturating_duration_since(*last) < GIVEN_UP);
        let is_full = self.duplicates.len() >= MAX_WARNINGS;
        match self.duplicates.entry(instance) {
            Entry::Occupied(mut last) => {
                last.insert(now);
                false
            }
            Entry::Vacant(free) => {
                if !is_full {
                    free.insert(now);
                }
                !is_full
            }
        }
    }

    /// Compares the clock of `node` with ours. Warns if they differ by more than `window`, and returns whether it did.
    pub(super) fn clock(&mut self, node: &NodeName, theirs: SystemTime, ours: SystemTime, window: Duration) -> bool {
        let (apart, direction) = match theirs.duration_since(ours) {
            Ok(ahead) => (ahead, "ahead of"),
            Err(behind) => (behind.duration(), "behind"),
        };
        if apart <= window {
            self.clocks.remove(node);
            return false;
        }
        if !self.clocks.insert(node.clone()) {
            return false;
        }
        let seconds = apart.as_secs();
        tracing::warn!(
            "the clock of node {node} is {seconds} s {direction} ours, and nodes whose clocks are more than {} s apart \
             refuse each other; correct the clocks, or raise mesh_clock_window on both",
            window.as_secs()
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrong_clock_is_reported_once_until_it_is_right_again() {
        let (mut warnings, node) = (Warnings::default(), "a".parse().unwrap());
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut says = |offset: i64| {
            let distance = Duration::from_secs(offset.unsigned_abs());
            let theirs = if offset < 0 { ours - distance } else { ours + distance };
            warnings.clock(&node, theirs, ours, Duration::from_secs(60))
        };
        let offsets = [0, 60, 61, 61, 70, -60, -61, -61, 1, 61];
        assert_eq!(offsets.map(&mut says), [false, false, true, false, false, false, true, false, false, true]);
    }

    #[test]
    fn a_contested_name_is_reported_once_until_the_other_node_gives_it_up() {
        let (mut warnings, start) = (Warnings::default(), Instant::now());
        let (one, other) = (Instance::random(), Instance::random());
        let mut says = |instance, after: u64| warnings.is_new_duplicate(instance, start + Duration::from_secs(after));
        for after in 0..100 {
            assert_eq!(says(one, after), after == 0);
        }
        assert!(says(other, 100));
        assert!(says(one, 100 + GIVEN_UP.as_secs()));
        // Each restart is a new run, and the warnings never run out.
        for restart in 0..3 * MAX_WARNINGS as u64 {
            assert!(says(Instance::random(), 1000 + restart), "{restart}");
        }
    }

    #[test]
    fn forged_entries_do_not_fill_the_memory() {
        let mut warnings = Warnings::default();
        for key in 0..2 * MAX_WARNINGS {
            warnings.rejected(&key.to_string(), SealError::Wrong);
        }
        assert_eq!(warnings.rejected.len(), MAX_WARNINGS);
        warnings.accepted("0");
        assert_eq!(warnings.rejected.len(), MAX_WARNINGS - 1);
    }
}
