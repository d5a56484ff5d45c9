//! The announcements of other nodes, until they expire.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
    time::Duration,
};

use pmesh_layers::identity::NodeName;
use tokio::time::Instant;

use crate::{
    mesh::{Announcement, Instance},
    settings::endpoint::HostPort,
};

/// The announcements of other nodes in the registry, until they expire.
///
/// A name belongs to one node. A new run of the program takes it over, for example after a restart. But if the previous run
/// then announces itself again, two nodes have the same name. The first one keeps it, and announcements of the other are
/// ignored until those of the first one have expired.
#[derive(Debug)]
pub(super) struct Roster {
    lifetime: Duration,
    entries: BTreeMap<NodeName, Known>,
}

#[derive(Debug)]
struct Known {
    announcement: Arc<Announcement>,
    until: Instant,
    /// Other runs that announced the same name within a lifetime.
    others: Vec<Other>,
}

#[derive(Debug)]
struct Other {
    instance: Instance,
    until: Instant,
    /// The previous run announced itself again, so this one does not get the name.
    has_lost: bool,
}

/// The effect of an announcement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Update {
    /// Something is new.
    Changed,
    /// Nothing is new.
    Unchanged,
    /// It is ignored: the name belongs to another node, at this address.
    NameTaken(HostPort),
}

impl Roster {
    pub(super) fn new(lifetime: Duration) -> Self {
        Self { lifetime, entries: BTreeMap::new() }
    }

    /// Handles an announcement.
    pub(super) fn handle(&mut self, announcement: Announcement, now: Instant) -> Update {
        let until = now + self.lifetime;
        match self.entries.entry(announcement.node.clone()) {
            Entry::Occupied(mut known) => known.get_mut().handle(announcement, now, until),
            Entry::Vacant(free) => {
                free.insert(Known { announcement: Arc::new(announcement), until, others: Vec::new() });
                Update::Changed
            }
        }
    }

    pub(super) fn contains(&self, node: &NodeName) -> bool {
        self.entries.contains_key(node)
    }

    /// Handles the removal of a node's entry. Returns whether the node has left. If two nodes use the same name, either
    /// of them could have removed the entry, so the node stays.
    pub(super) fn remove(&mut self, node: &str, now: Instant) -> bool {
        let is_contested = |known: &Known| known.others.iter().any(|other| other.has_lost && other.until > now);
        if self.entries.get(node).is_some_and(is_contested) {
            return false;
        }
        self.entries.remove(node).is_some()
    }

    /// Drops expired announcements, and returns their nodes.
    pub(super) fn expire(&mut self, now: Instant) -> Vec<NodeName> {
        let old = self.entries.iter().filter(|(_, known)| known.until <= now);
        let old: Vec<_> = old.map(|(node, _)| node.clone()).collect();
        for node in &old {
            self.entries.remove(node);
        }
        old
    }

    /// Restarts all lifetimes: while the registry was unavailable, no node could announce anything.
    pub(super) fn renew(&mut self, now: Instant) {
        let until = now + self.lifetime;
        for known in self.entries.values_mut() {
            known.until = until;
            known.others.iter_mut().for_each(|other| other.until = until);
        }
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(super) fn announced(&self) -> BTreeMap<NodeName, Arc<Announcement>> {
        self.entries.iter().map(|(node, known)| (node.clone(), Arc::clone(&known.announcement))).collect()
    }
}

impl Known {
    fn handle(&mut self, announcement: Announcement, now: Instant, until: Instant) -> Update {
        self.others.retain(|other| other.until > now);
        let instance = announcement.instance;
        if instance != self.announcement.instance {
            match self.others.iter_mut().find(|other| other.instance == instance) {
                Some(other) if other.has_lost => {
                    other.until = until;
                    return Update::NameTaken(self.announcement.address.clone());
                }
                Some(_) => {
                    self.others.retain(|other| other.instance != instance);
                    self.others.push(self.other(true));
                    self.others.iter_mut().for_each(|other| other.has_lost = true);
                }
                None => self.others.push(self.other(false)),
            }
        }
        self.until = until;
        if *self.announcement == announcement {
            return Update::Unchanged;
        }
        self.announcement = Arc::new(announcement);
        Update::Changed
    }

    /// The run that has had the name so far.
    fn other(&self, has_lost: bool) -> Other {
        Other { instance: self.announcement.instance, until: self.until, has_lost }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_repeated_announcement_stays_valid_and_is_not_news() {
        let (mut roster, start, one) = (Roster::new(3 * SECOND), Instant::now(), announcement("a"));
        assert_eq!(roster.handle(one.clone(), start), Update::Changed);
        assert_eq!(roster.handle(one.clone(), start + 2 * SECOND), Update::Unchanged);
        assert!(roster.expire(start + 4 * SECOND).is_empty());
        assert_eq!(roster.handle(announcement("a"), start + 4 * SECOND), Update::Changed, "another run of the program");
        assert_eq!(roster.expire(start + 7 * SECOND), [one.node]);
        assert_eq!(roster.len(), 0);
    }

    #[test]
    fn a_name_stays_with_its_first_node() {
        let (mut roster, start) = (Roster::new(3 * SECOND), Instant::now());
        let [first, second, third] = [(); 3].map(|()| announcement("a"));
        let taken = Update::NameTaken(first.address.clone());
        for one in [&first, &second, &third, &first] {
            assert_eq!(roster.handle(one.clone(), start), Update::Changed);
        }
        for seconds in 0..10 {
            let now = start + seconds * SECOND;
            assert_eq!(roster.handle(second.clone(), now), taken);
            assert_eq!(roster.handle(third.clone(), now), taken);
            assert_eq!(roster.handle(first.clone(), now), Update::Unchanged);
            // One of the others removes the entry on shutdown.
            assert!(!roster.remove("a", now) && roster.expire(now).is_empty());
        }
        // A restart of the first is not another node.
        let restarted = announcement("a");
        let now = start + 10 * SECOND;
        assert_eq!(roster.handle(restarted.clone(), now), Update::Changed);
        assert_eq!(roster.handle(second.clone(), now), taken);
        assert_eq!(roster.expire(now + 3 * SECOND), [restarted.node]);
        assert_eq!(roster.handle(second, now + 3 * SECOND), Update::Changed);
        assert!(roster.remove("a", now + 3 * SECOND));
    }

    #[test]
    fn lifetimes_restart_when_the_registry_is_back() {
        let (mut roster, start) = (Roster::new(3 * SECOND), Instant::now());
        roster.handle(announcement("a"), start);
        roster.handle(announcement("b"), start);
        roster.renew(start + 100 * SECOND);
        assert!(roster.expire(start + 102 * SECOND).is_empty());
        assert!(roster.remove("a", start) && !roster.remove("a", start));
        assert_eq!(roster.announced().len(), 1);
        assert_eq!(roster.expire(start + 103 * SECOND).len(), 1);
    }
}
