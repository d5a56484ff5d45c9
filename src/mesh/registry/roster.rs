use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use pmesh_layers::identity::NodeName;
use tokio::time::Instant;

use crate::mesh::Announcement;

/// What other nodes have said in the registry, as long as it holds.
#[derive(Debug)]
pub(super) struct Roster {
    lifetime: Duration,
    heard: BTreeMap<NodeName, Heard>,
}

#[derive(Debug)]
struct Heard {
    announcement: Arc<Announcement>,
    until: Instant,
}

impl Roster {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, heard: BTreeMap::new() }
    }

    /// A node has said something; gives whether it is something new.
    pub(super) fn hear(&mut self, announcement: Announcement, now: Instant) -> bool {
        let until = now + self.lifetime;
        match self.heard.entry(announcement.node.clone()) {
            Entry::Occupied(mut known) if *known.get().announcement == announcement => {
                known.get_mut().until = until;
                false
            }
            Entry::Occupied(mut known) => {
                known.insert(Heard { announcement: Arc::new(announcement), until });
                true
            }
            Entry::Vacant(free) => {
                free.insert(Heard { announcement: Arc::new(announcement), until });
                true
            }
        }
    }

    pub(super) fn contains(&self, node: &NodeName) -> bool {
        self.heard.contains_key(node)
    }

    /// A node has left; gives whether it was there.
    pub(super) fn remove(&mut self, node: &str) -> bool {
        self.heard.remove(node).is_some()
    }

    /// Drops what is too old, and gives whose it was.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<NodeName> {
        let old = self.heard.iter().filter(|(_, heard)| heard.until <= now);
        let old: Vec<_> = old.map(|(node, _)| node.clone()).collect();
        for node in &old {
            self.heard.remove(node);
        }
        old
    }

    /// Lets all ages start again: while the registry was away nobody could say anything.
    pub(super) fn renew(&mut self, now: Instant) {
        for heard in self.heard.values_mut() {
            heard.until = now + self.lifetime;
        }
    }

    pub(super) fn len(&self) -> usize {
        self.heard.len()
    }

    pub(super) fn announced(&self) -> BTreeMap<NodeName, Arc<Announcement>> {
        self.heard.iter().map(|(node, heard)| (node.clone(), Arc::clone(&heard.announcement))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mesh::Instance;

    const SECOND: Duration = Duration::from_secs(1);

    fn announcement(node: &str) -> Announcement {
        Announcement {
            node: node.parse().unwrap(),
            instance: Instance::random(),
            address: "a:1".parse().unwrap(),
            serves: Vec::new(),
            software: String::new(),
        }
    }

    #[test]
    fn what_is_repeated_lives_on_and_is_no_news() {
        let (mut roster, start, one) = (Roster::new(3 * SECOND), Instant::now(), announcement("a"));
        assert!(roster.hear(one.clone(), start));
        assert!(!roster.hear(one.clone(), start + 2 * SECOND));
        assert!(roster.expire(start + 4 * SECOND).is_empty());
        assert!(roster.hear(announcement("a"), start + 4 * SECOND), "another run of the program");
        assert_eq!(roster.expire(start + 7 * SECOND), [one.node]);
        assert_eq!(roster.len(), 0);
    }

    #[test]
    fn ages_start_again_when_the_registry_is_back() {
        let (mut roster, start) = (Roster::new(3 * SECOND), Instant::now());
        roster.hear(announcement("a"), start);
        roster.hear(announcement("b"), start);
        roster.renew(start + 100 * SECOND);
        assert!(roster.expire(start + 102 * SECOND).is_empty());
        assert!(roster.remove("a") && !roster.remove("a"));
        assert_eq!(roster.announced().len(), 1);
        assert_eq!(roster.expire(start + 103 * SECOND).len(), 1);
    }
}
