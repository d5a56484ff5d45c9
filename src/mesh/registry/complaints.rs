//! What is wrong with entries of the registry, logged once each.

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

/// How many keys are remembered that were complained about. Anybody who may write to the registry can make more.
const MOST: usize = 100;

/// A node that has not announced a name of another node for this long has given it up.
const GIVEN_UP: Duration = Duration::from_secs(60);

/// What is wrong with entries of the registry: each thing is said once, until it was right in between.
#[derive(Debug, Default)]
pub(super) struct Complaints {
    unbelieved: BTreeMap<String, SealError>,
    clocks: BTreeSet<NodeName>,
    /// Runs of the program that use the name of another node, and when they last did.
    doubles: BTreeMap<Instance, Instant>,
}

impl Complaints {
    /// The entry `key` is not believed.
    pub(super) fn unbelieved(&mut self, key: &str, error: SealError) {
        let is_known = self.unbelieved.get(key) == Some(&error);
        if !is_known && (self.unbelieved.len() < MOST || self.unbelieved.contains_key(key)) {
            self.unbelieved.insert(key.to_owned(), error);
            tracing::warn!(key, "an entry of the registry is passed over: {error}");
        }
    }

    /// The entry `key` is believed.
    pub(super) fn believed(&mut self, key: &str) {
        self.unbelieved.remove(key);
    }

    /// Another run of the program uses the name of this one.
    pub(super) fn double(&mut self, announcement: &Announcement, now: Instant) {
        if self.is_new_double(announcement.instance, now) {
            let Announcement { node, address, .. } = announcement;
            tracing::warn!(
                %address,
                "another node is called {node} too: rename one of them with --node or PMESH_NODE; until then, requests \
                 for {node} go to the one that was there first"
            );
        }
    }

    /// What a node at the first address has announced is ignored, because the one at the second has the same name.
    pub(super) fn taken(&mut self, node: &NodeName, instance: Instance, [address, by]: [&HostPort; 2], now: Instant) {
        if self.is_new_double(instance, now) {
            tracing::warn!(
                "two nodes are called {node}: requests go to the one at {by}, which was there first, and not to the \
                 one at {address}; rename one of them with --node or PMESH_NODE"
            );
        }
    }

    fn is_new_double(&mut self, instance: Instance, now: Instant) -> bool {
        self.doubles.retain(|_, last| now.saturating_duration_since(*last) < GIVEN_UP);
        let is_full = self.doubles.len() >= MOST;
        match self.doubles.entry(instance) {
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

    /// What the clock of `node` said, and ours; `window` is how far they may be apart. Gives whether there was something
    /// to say.
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
            "the clock of node {node} is {seconds} s {direction} ours; nodes more than {} s apart do not talk to each \
             other: set the clocks right, or raise mesh_clock_window on both",
            window.as_secs()
        );
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_is_complained_of_once_until_it_was_right() {
        let (mut complaints, node) = (Complaints::default(), "a".parse().unwrap());
        let ours = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let mut says = |offset: i64| {
            let distance = Duration::from_secs(offset.unsigned_abs());
            let theirs = if offset < 0 { ours - distance } else { ours + distance };
            complaints.clock(&node, theirs, ours, Duration::from_secs(60))
        };
        let offsets = [0, 60, 61, 61, 70, -60, -61, -61, 1, 61];
        assert_eq!(offsets.map(&mut says), [false, false, true, false, false, false, true, false, false, true]);
    }

    #[test]
    fn a_contested_name_is_complained_of_once_until_the_other_node_has_given_it_up() {
        let (mut complaints, start) = (Complaints::default(), Instant::now());
        let (one, other) = (Instance::random(), Instance::random());
        let mut says = |instance, after: u64| complaints.is_new_double(instance, start + Duration::from_secs(after));
        for after in 0..100 {
            assert_eq!(says(one, after), after == 0);
        }
        assert!(says(other, 100));
        assert!(says(one, 100 + GIVEN_UP.as_secs()));
        // Each restart is another run, and none is left out for good.
        for restart in 0..3 * MOST as u64 {
            assert!(says(Instance::random(), 1000 + restart), "{restart}");
        }
    }

    #[test]
    fn strangers_do_not_fill_the_memory() {
        let mut complaints = Complaints::default();
        for key in 0..2 * MOST {
            complaints.unbelieved(&key.to_string(), SealError::Wrong);
        }
        assert_eq!(complaints.unbelieved.len(), MOST);
        complaints.believed("0");
        assert_eq!(complaints.unbelieved.len(), MOST - 1);
    }
}
