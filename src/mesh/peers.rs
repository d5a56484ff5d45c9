//! All known nodes, in a table that requests read without waiting.

use std::{
    collections::BTreeMap,
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};
use pmesh_layers::identity::NodeName;

use super::{
    Announcement, Served,
    table::{Known, Table},
};
use crate::settings::endpoint::HostPort;

/// All known nodes except this one.
///
/// Requests read the current table without waiting. Each change makes a new table. Nodes that have not changed stay the
/// same [`Peer`](super::Peer) in it, so they keep their health and connections.
#[derive(Debug)]
pub struct Peers {
    table: ArcSwap<Table>,
    /// The sources of the table. Locked by changes, never by reads.
    known: Mutex<Known>,
}

impl Peers {
    /// Creates a table of the nodes of the settings, to which no worker connects.
    pub fn new(fixed: BTreeMap<NodeName, HostPort>) -> Self {
        Self::for_workers(0, fixed)
    }

    /// Creates a table of the nodes of the settings, to which this many workers can connect.
    pub fn for_workers(workers: usize, fixed: BTreeMap<NodeName, HostPort>) -> Self {
        let known = Known { fixed, announced: BTreeMap::new(), reported: BTreeMap::new(), workers, reconnects: 0 };
        Self { table: ArcSwap::from_pointee(Table::new(&known, &Table::default())), known: Mutex::new(known) }
    }

    /// The current table. Do not hold it for long; use [`load_full`](Self::load_full) for that.
    pub fn load(&self) -> Guard<Arc<Table>> {
        self.table.load()
    }

    /// The current table, to keep.
    pub fn load_full(&self) -> Arc<Table> {
        self.table.load_full()
    }

    /// Replaces everything that nodes have announced.
    pub fn announce(&self, announced: BTreeMap<NodeName, Arc<Announcement>>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        drop(mem::replace(&mut known.announced, announced));
        self.table.store(Arc::new(Table::new(&known, &self.table.load())));
    }

    /// Replaces the nodes of the settings. A node whose address stays the same keeps its health and connections, even
    /// if only the registry lists it from now on. Connections to a removed node close when no request is in flight on
    /// them.
    pub fn set_fixed(&self, fixed: BTreeMap<NodeName, HostPort>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.fixed == fixed {
            return;
        }
        let before = mem::replace(&mut known.fixed, fixed);
        let Known { fixed, reported, .. } = &mut *known;
        // A different address may be a different node.
        reported.retain(|name, _| fixed.contains_key(name) && fixed.get(name) == before.get(name));
        self.table.store(Arc::new(Table::new(&known, &self.table.load())));
    }

    /// Sends requests over new connections from now on. Existing ones close when no request is in flight on them.
    pub fn reconnect(&self) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.reconnects = known.reconnects.wrapping_add(1);
        self.table.store(Arc::new(Table::new(&known, &self.table.load())));
    }

    /// Records what a node says it serves. This is used only for nodes of the settings that have announced nothing.
    pub fn set_reported(&self, node: &NodeName, serves: Vec<Served>) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let is_news = known.reported.get(node).is_none_or(|before| **before != *serves);
        if !is_news || !known.fixed.contains_key(node) {
            return;
        }
        known.reported.insert(node.clone(), serves.into());
        if !known.announced.contains_key(node) {
            self.table.store(Arc::new(Table::new(&known, &self.table.load())));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pmesh_layers::route::NoRoute;

    use super::*;
    use crate::mesh::{Instance, Peer, Source, State};

    fn announcement(node: &str, address: &str, serves: &[&str]) -> Announcement {
        let served = |route: &&str| {
            let (host, prefix) = route.split_at(route.find('/').unwrap());
            Served { host: host.parse().unwrap(), prefix: prefix.parse().unwrap() }
        };
        Announcement {
            node: node.parse().unwrap(),
            instance: Instance::random(),
            address: address.parse().unwrap(),
            serves: serves.iter().map(served).collect(),
            software: String::new(),
        }
    }

    fn announced(all: &[&Announcement]) -> BTreeMap<NodeName, Arc<Announcement>> {
        all.iter().map(|one| (one.node.clone(), Arc::new((*one).clone()))).collect()
    }

    fn fixed(peers: &[(&str, &str)]) -> BTreeMap<NodeName, HostPort> {
        peers.iter().map(|(name, address)| (name.parse().unwrap(), address.parse().unwrap())).collect()
    }

    fn names<'a>(peers: impl IntoIterator<Item = &'a Arc<Peer>>) -> Vec<&'a str> {
        peers.into_iter().map(|peer| peer.name.as_str()).collect()
    }

    fn addresses(peers: &Peers, name: &str) -> Vec<String> {
        peers.load().get(name).unwrap().addresses.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn settings_and_registry_are_merged() {
        let peers = Peers::new(fixed(&[("a", "a:1"), ("b", "b:1")]));
        assert_eq!(names(peers.load().iter()), ["a", "b"]);
        assert_eq!(peers.load().get("a").unwrap().instance, None);
        peers.announce(announced(&[&announcement("b", "b:2", &["x/"]), &announcement("c", "c:1", &[])]));
        let table = peers.load_full();
        assert_eq!(names(table.iter()), ["a", "b", "c"]);
        assert_eq!(addresses(&peers, "b"), ["b:1", "b:2"]);
        assert_eq!(addresses(&peers, "c"), ["c:1"]);
        let sources = ["a", "b", "c"].map(|name| table.get(name).unwrap().source);
        assert_eq!(sources, [Source::Static, Source::Static, Source::Registry]);
        assert_eq!((table.serves("a"), table.serves("b").unwrap().len()), (None, 1));
        peers.announce(BTreeMap::new());
        assert_eq!(names(peers.load().iter()), ["a", "b"]);
        assert_eq!(addresses(&peers, "b"), ["b:1"]);
        assert!(table.get("c").is_some(), "a loaded table does not change");
    }

    #[test]
    fn a_reconnect_replaces_connections_and_nothing_else() {
        let peers = Peers::new(fixed(&[("a", "a:1")]));
        let before = Arc::clone(peers.load().get("a").unwrap());
        before.health.succeeded(Duration::from_millis(1));
        peers.reconnect();
        let after = Arc::clone(peers.load().get("a").unwrap());
        assert!(!Arc::ptr_eq(&before, &after));
        assert_eq!(after.health.state(), State::Alive);
        peers.announce(BTreeMap::new());
        assert!(Arc::ptr_eq(peers.load().get("a").unwrap(), &after));
    }

    #[test]
    fn nodes_of_the_settings_come_and_go() {
        let peers = Peers::for_workers(1, fixed(&[("a", "a:1"), ("b", "b:1"), ("c", "c:1"), ("d", "d:1")]));
        peers.announce(announced(&[&announcement("d", "d:1", &[])]));
        let before = peers.load_full();
        for peer in before.iter() {
            peer.health.succeeded(Duration::from_millis(1));
        }
        for name in ["a", "b"] {
            peers.set_reported(&name.parse().unwrap(), announcement(name, "x:1", &["x/"]).serves);
        }
        peers.set_fixed(fixed(&[("a", "a:1"), ("b", "b:2"), ("e", "e:1")]));
        let after = peers.load_full();
        assert_eq!(names(after.iter()), ["a", "b", "d", "e"]);
        assert!(Arc::ptr_eq(before.get("a").unwrap(), after.get("a").unwrap()));
        // Its report from the other address is forgotten.
        assert_eq!(
            (addresses(&peers, "b"), after.get("b").unwrap().health.state()),
            (vec!["b:2".into()], State::Unknown)
        );
        assert_eq!((after.serves("a").unwrap().len(), after.serves("b")), (1, None));
        // Now only the registry lists it, at the same address.
        let [was, is] = [&before, &after].map(|table| table.get("d").unwrap());
        assert_eq!((was.source, is.source), (Source::Static, Source::Registry));
        assert!(Arc::ptr_eq(&was.health, &is.health) && was.links.is_same(&is.links));

        peers.set_fixed(fixed(&[("a", "a:1"), ("b", "b:2"), ("e", "e:1")]));
        assert!(Arc::ptr_eq(&after, &peers.load_full()), "nothing has changed");
        peers.announce(BTreeMap::new());
        assert_eq!(names(peers.load().iter()), ["a", "b", "e"]);
    }

    #[test]
    fn unchanged_nodes_keep_their_state() {
        let (b, mut c) = (announcement("b", "b:1", &[]), announcement("c", "c:1", &[]));
        let peers = Peers::new(fixed(&[("a", "a:1")]));
        peers.announce(announced(&[&b, &c]));
        let before = peers.load_full();
        before.get("c").unwrap().health.succeeded(Duration::from_millis(1));

        // A change of its routes does not affect connections.
        c.serves = announcement("c", "c:1", &["x/"]).serves;
        peers.announce(announced(&[&announcement("b", "b:1", &[]), &c]));
        let after = peers.load_full();
        let is_same = |name| Arc::ptr_eq(before.get(name).unwrap(), after.get(name).unwrap());
        assert_eq!(["a", "b", "c"].map(is_same), [true, false, true], "b is another run of the program");
        assert_eq!(after.get("c").unwrap().health.state(), State::Alive);
        assert_eq!(names(after.serving(&"x".parse().unwrap(), "/", false).unwrap()), ["c"]);

        c.address = "c:2".parse().unwrap();
        peers.announce(announced(&[&c]));
        assert!(!Arc::ptr_eq(peers.load().get("c").unwrap(), after.get("c").unwrap()));
    }

    #[test]
    fn nodes_named_in_the_settings_can_report_what_they_serve() {
        let peers = Peers::new(fixed(&[("a", "a:1")]));
        let before = Arc::clone(peers.load().get("a").unwrap());
        let serves = |routes: &[&str]| announcement("a", "a:1", routes).serves;
        peers.set_reported(&"a".parse().unwrap(), serves(&["x/"]));
        peers.set_reported(&"b".parse().unwrap(), serves(&["x/"]));
        let host = "x".parse().unwrap();
        assert_eq!(names(peers.load().serving(&host, "/", false).unwrap()), ["a"]);
        assert!(Arc::ptr_eq(&before, peers.load().get("a").unwrap()));

        // An announcement is at least as new.
        peers.announce(announced(&[&announcement("a", "a:1", &[])]));
        assert_eq!(peers.load().serves("a"), Some(&[][..]));
        peers.set_reported(&"a".parse().unwrap(), serves(&["y/"]));
        assert_eq!(peers.load().serves("a"), Some(&[][..]));
        peers.announce(BTreeMap::new());
        assert_eq!(peers.load().serves("a"), Some(&serves(&["y/"])[..]));
    }

    #[test]
    fn the_most_specific_route_of_all_nodes_wins() {
        let peers = Peers::new(fixed(&[("z", "z:1")]));
        peers.announce(announced(&[
            &announcement("d", "d:1", &["a.x/", "*.x/"]),
            &announcement("b", "b:1", &["a.x/api", "a.x/"]),
            &announcement("c", "c:1", &["a.x/api", "a.x/api", "b.x/"]),
        ]));
        let table = peers.load();
        for (host, path, expected) in [
            ("a.x", "/api/y", &["b", "c"][..]),
            ("a.x", "/apis", &["b", "d"]),
            ("b.x", "/", &["c"]),
            ("c.x", "/", &["d"]),
            ("x", "/", &[]),
        ] {
            assert_eq!(names(table.serving(&host.parse().unwrap(), path, false).unwrap()), expected, "{host}{path}");
        }
        let host = "a.x".parse().unwrap();
        assert_eq!(table.serving(&host, "//api", false).unwrap_err(), NoRoute::Ambiguous);
        assert_eq!(names(table.serving(&host, "//api", true).unwrap()), ["b", "d"]);
    }
}
