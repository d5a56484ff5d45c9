//! Registries in this process.

use std::{sync::Arc, thread, time::SystemTime};

use pmesh::mesh::RegistryStatus;

use crate::{NEVER, Nats, Node, OTHER_SECRET, SECRET, SOON, announcement, eventually, put, with_bucket};

#[test]
fn nodes_find_each_other_notice_changes_and_leave() {
    let Some(nats) = Nats::start(&[]) else { return };
    // Nothing is renewed or expires here.
    let (a, b) = (Node::start("a", &nats, NEVER), Node::start("b", &nats, NEVER));
    a.wait_until_knows(&["b"]);
    b.wait_until_knows(&["a"]);
    let c = Node::start("c", &nats, NEVER);
    c.wait_until_knows(&["a", "b"]);

    let table = a.peers.load_full();
    let known = table.get("b").unwrap();
    assert_eq!((&known.addresses[..], known.instance), (&[b.own.address.clone()][..], Some(b.own.instance)));
    assert_eq!(table.serves("b"), Some(&b.own.serves[..]));

    let mut changed = b.own.clone();
    changed.serves.clear();
    b.registry().renewal().announce(Some(changed));
    eventually("a knows that b serves nothing", || a.peers.load().serves("b") == Some(&[]));
    assert!(Arc::ptr_eq(known, a.peers.load().get("b").unwrap()), "it is the same node");

    drop(b);
    a.wait_until_knows(&["c"]);
    c.wait_until_knows(&["a"]);
    assert_eq!(a.view.rejected(), 0);
}

#[test]
fn a_name_stays_with_its_first_node() {
    let Some(nats) = Nats::start(&[]) else { return };
    let a = Node::start("a", &nats, NEVER);
    a.wait_until_connected();
    let say = |one| put(&nats, one, SystemTime::now(), SECRET);
    let (first, second) = (announcement("b"), announcement("b"));
    // A new run takes over at first, as it must after a restart, until the previous one is heard again.
    for one in [&first, &second, &first] {
        say(one);
        let instance = || a.peers.load().get("b").and_then(|peer| peer.instance);
        eventually("a knows which run it is", || instance() == Some(one.instance));
    }
    let table = a.peers.load_full();
    let known = table.get("b").unwrap();
    for one in [&second, &first, &second] {
        say(one);
    }
    // It is handled after all of those.
    say(&announcement("c"));
    a.wait_until_knows(&["b", "c"]);
    assert!(Arc::ptr_eq(known, a.peers.load().get("b").unwrap()));
}

#[test]
fn a_server_that_dies_and_loses_its_bucket_changes_nothing() {
    let Some(mut nats) = Nats::start(&[]) else { return };
    let (a, b) = (Node::start("a", &nats, SOON), Node::start("b", &nats, SOON));
    a.wait_until_knows(&["b"]);
    b.wait_until_knows(&["a"]);
    nats.kill();
    let away = || matches!(&*a.view.status(), RegistryStatus::Disconnected { error: Some(_), .. });
    eventually("a has noticed", away);
    // With a registry, b's entry would expire. There is nothing to wait for: the test is that nothing happens.
    thread::sleep(2 * SOON.lifetime);
    assert!(a.knows(&["b"]) && away());

    nats.restart();
    a.wait_until_connected();
    b.wait_until_connected();
    // The bucket was in memory, so everything in it now is new.
    let c = Node::start("c", &nats, NEVER);
    c.wait_until_knows(&["a", "b"]);
    a.wait_until_knows(&["b", "c"]);
}

#[test]
fn a_server_that_starts_late_is_found() {
    let Some(mut nats) = Nats::new(&[]) else { return };
    let a = Node::start("a", &nats, NEVER);
    eventually("a has tried", || matches!(&*a.view.status(), RegistryStatus::Disconnected { error: Some(_), .. }));
    nats.restart();
    a.wait_until_connected();
    let b = Node::start("b", &nats, NEVER);
    b.wait_until_knows(&["a"]);
}

#[test]
fn a_recreated_bucket_is_noticed() {
    let Some(nats) = Nats::start(&[]) else { return };
    let (a, b) = (Node::start("a", &nats, SOON), Node::start("b", &nats, SOON));
    a.wait_until_knows(&["b"]);
    with_bucket(&nats, async |context, _| {
        context.delete_key_value("pmesh").await.unwrap();
    });
    let c = Node::start("c", &nats, SOON);
    c.wait_until_knows(&["a", "b"]);
    a.wait_until_knows(&["b", "c"]);
    b.wait_until_knows(&["a", "c"]);
}

#[test]
fn nodes_with_another_secret_are_ignored() {
    let Some(nats) = Nats::start(&[]) else { return };
    let a = Node::start("a", &nats, NEVER);
    a.wait_until_connected();
    let stranger = Node::with_secret("b", &nats, NEVER, OTHER_SECRET);
    eventually("a has seen the stranger", || a.view.rejected() == 1);
    eventually("the stranger has seen a", || stranger.view.rejected() == 1);
    // Entries are handled in the order in which they were put.
    let c = Node::start("c", &nats, NEVER);
    a.wait_until_knows(&["c"]);
    c.wait_until_knows(&["a"]);
    assert!(stranger.knows(&[]));
}

#[test]
fn an_entry_that_is_not_renewed_expires() {
    let Some(nats) = Nats::start(&[]) else { return };
    let a = Node::start("a", &nats, SOON);
    a.wait_until_connected();
    put(&nats, &announcement("b"), SystemTime::now(), SECRET);
    a.wait_until_knows(&["b"]);
    a.wait_until_knows(&[]);
}
