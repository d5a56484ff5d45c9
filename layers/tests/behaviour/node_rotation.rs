//! Secrets and certificates are replaced while nodes are connected.

use std::{
    io,
    time::{Duration, SystemTime},
};

use pmesh_layers::node::NodeIdentity;
use tokio::io::AsyncReadExt;

use super::support::node::{ClientStream, Network, identity, ping, secret};

const OLD: &str = "1";
const NEW: &str = "2";

#[tokio::test]
async fn nodes_with_several_secrets_reach_nodes_with_one_of_them() {
    let network = Network::default();
    for (from, to, connections) in [
        ("21", "1", 2),
        ("21", "2", 1),
        ("12", "1", 1),
        ("12", "2", 2),
        ("1", "21", 1),
        ("2", "21", 1),
        ("21", "12", 1),
        ("321", "1", 3),
    ] {
        let (_, _, peer) = network.connect(&identity("a", from), &identity("b", to), "b").await.unwrap();
        assert_eq!((peer.as_str(), network.take_count()), ("a", connections), "{from} to {to}");
    }
    let error = network.connect(&identity("a", "21"), &identity("b", "3"), "b").await.unwrap_err();
    assert!(error.is_silence());
    assert_eq!(network.take_count(), 2);
}

/// The documented procedure: at no step is a node cut off.
#[tokio::test]
async fn a_secret_is_replaced_node_by_node() {
    let network = Network::default();
    let nodes = [identity("a", OLD), identity("b", OLD), identity("c", OLD)];
    for secrets in [vec![OLD, NEW], vec![NEW, OLD], vec![NEW]] {
        for node in &nodes {
            let secrets: Vec<_> = secrets.iter().map(|digit| secret(digit.chars().next().unwrap())).collect();
            node.replace(&secrets).unwrap();
            for (from, to) in nodes.iter().flat_map(|from| nodes.iter().map(move |to| (from, to))) {
                let (_, _, peer) = network.connect(from, to, to.name().as_str()).await.unwrap();
                assert_eq!(&peer, from.name());
            }
        }
    }
    for stranger in [identity("a", OLD), identity("d", OLD)] {
        assert!(network.connect(&stranger, &nodes[0], "a").await.unwrap_err().is_silence());
        assert!(network.connect(&nodes[0], &stranger, stranger.name().as_str()).await.unwrap_err().is_silence());
    }
}

#[tokio::test]
async fn existing_connections_continue() {
    let network = Network::default();
    let (a, b) = (identity("a", OLD), identity("b", OLD));
    let (mut client, mut server, _) = network.connect(&a, &b, "b").await.unwrap();

    // On a clone, as listeners do.
    b.clone().replace([&secret('2')]).unwrap();
    assert!(network.connect(&a, &b, "b").await.unwrap_err().is_silence());
    ping(&mut client, &mut server).await;

    a.replace([&secret('2')]).unwrap();
    network.connect(&a, &b, "b").await.unwrap();
    ping(&mut client, &mut server).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_is_closed_after_a_grace_period_when_its_secret_is_removed() {
    let network = Network::default();
    let (a, b) = (identity("a", "12"), identity("b", "12"));
    let (mut kept, mut server_of_kept, _) = network.connect(&identity("a", NEW), &b, "b").await.unwrap();
    let (mut client, mut server, _) = network.connect(&a, &b, "b").await.unwrap();
    // Reordering the secrets removes none.
    for secrets in [&["2", "1"][..], &["2"]] {
        tokio::time::advance(Duration::from_secs(3600)).await;
        ping(&mut client, &mut server).await;
        a.replace(&secrets.iter().map(|digit| secret(digit.chars().next().unwrap())).collect::<Vec<_>>()).unwrap();
    }
    tokio::time::sleep(Duration::from_secs(29)).await;
    ping(&mut client, &mut server).await;
    let start = tokio::time::Instant::now();
    let error = client.read_u8().await.unwrap_err();
    assert_eq!((error.kind(), start.elapsed().as_secs()), (io::ErrorKind::ConnectionAborted, 1));
    ping(&mut kept, &mut server_of_kept).await;
}

#[tokio::test(start_paused = true)]
async fn a_connection_outlives_its_identity() {
    let (mut client, mut server, _) = {
        let (a, b) = (identity("a", OLD), identity("b", OLD));
        Network::default().connect(&a, &b, "b").await.unwrap()
    };
    tokio::time::sleep(Duration::from_secs(3600)).await;
    ping(&mut client, &mut server).await;
}

#[tokio::test]
async fn an_empty_list_of_secrets_is_rejected() {
    let a = identity("a", OLD);
    let error = a.replace([]).unwrap_err();
    assert!(error.to_string().contains("openssl rand -hex 32"), "{error}");
    assert!(NodeIdentity::new("example", a.name().clone(), []).is_err());
    Network::default().connect(&a, &identity("b", OLD), "b").await.unwrap();
}

#[tokio::test]
async fn new_certificates_come_from_the_same_authority() {
    let network = Network::default();
    let (a, b) = (identity("a", "12"), identity("b", "12"));
    let certificate_of = |client: &ClientStream| client.get_ref().1.peer_certificates().unwrap()[0].clone();
    let (mut client, mut server, _) = network.connect(&a, &b, "b").await.unwrap();
    let before = certificate_of(&client);
    assert_eq!(certificate_of(&network.connect(&a, &b, "b").await.unwrap().0), before);

    let (now, hour) = (SystemTime::now(), Duration::from_secs(60 * 60));
    assert!(!b.renew(now).unwrap());
    // The certificates are not valid yet, as if a clock that was ahead has been corrected.
    assert!(b.renew(now - 2 * hour).unwrap());
    let (renewed, _, _) = network.connect(&a, &b, "b").await.unwrap();
    assert_ne!(certificate_of(&renewed), before);
    ping(&mut client, &mut server).await;

    // In the other direction too, and with both secrets.
    assert!(a.renew(now - 2 * hour).unwrap());
    for only in ["1", "2"] {
        network.connect(&a, &identity("b", only), "b").await.unwrap();
        network.connect(&identity("a", only), &b, "b").await.unwrap();
    }
}

#[test]
fn certificates_are_renewed_when_a_third_of_their_lifetime_is_left() {
    let (now, hour) = (SystemTime::now(), Duration::from_secs(60 * 60));
    for (at, due) in [
        (now, false),
        (now + 15 * hour, false),
        (now + 16 * hour, true),
        (now + 1000 * hour, true),
        (now - hour / 2, false),
        (now - 2 * hour, true),
    ] {
        let identity = identity("a", OLD);
        assert_eq!(identity.renew(at + hour / 60).unwrap(), due, "{:?}", at.duration_since(now));
        assert!(!identity.renew(at + hour / 30).unwrap(), "the new certificates are fresh");
    }
}
