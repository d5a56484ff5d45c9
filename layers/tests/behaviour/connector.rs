//! Where connections leave from, as the destination sees it.

use std::{collections::HashSet, net::IpAddr, time::Duration};

use http::Uri;
use pmesh_layers::connect::{SourceConnector, SourceSubnet};
use tokio::net::TcpListener;
use tower::ServiceExt;

/// The sources of `count` connections.
async fn sources(connector: &SourceConnector, count: usize) -> Vec<IpAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let mut seen = Vec::new();
    for _ in 0..count {
        let (stream, accepted) = tokio::join!(connector.connect("127.0.0.1", port), listener.accept());
        let (_accepted, peer) = accepted.unwrap();
        assert_eq!(stream.unwrap().local_addr().unwrap(), peer);
        seen.push(peer.ip());
    }
    seen
}

#[tokio::test]
async fn addresses_of_the_subnet_take_turns() {
    let connector = SourceConnector::new().subnet("127.77.1.0/30".parse().unwrap());
    let seen = sources(&connector, 4).await;
    assert_ne!(seen[0], seen[1]);
    assert_eq!(seen[..2], seen[2..]);
}

#[tokio::test]
async fn clones_take_turns_together() {
    let connector = SourceConnector::new().subnet("127.77.2.0/29".parse().unwrap());
    let subnet: SourceSubnet = "127.77.2.0/29".parse().unwrap();
    let mut seen = HashSet::new();
    for _ in 0..subnet.addresses() {
        seen.extend(sources(&connector.clone(), 1).await);
    }
    assert_eq!(seen.len(), 6);
    assert!(seen.iter().all(|source| subnet.contains(*source)), "{seen:?}");
}

#[tokio::test]
async fn one_destination_at_a_time_keeps_many_sources_open() {
    let connector = SourceConnector::new().subnet("127.77.3.0/24".parse().unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let uri: Uri = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
    let mut open = Vec::new();
    for _ in 0..254 {
        let (io, accepted) = tokio::join!(connector.clone().oneshot(uri.clone()), listener.accept());
        open.push((io.unwrap(), accepted.unwrap()));
    }
    let sources: HashSet<_> = open.iter().map(|(_, (_, peer))| peer.ip()).collect();
    assert_eq!(sources.len(), 254);
}

#[tokio::test]
async fn without_a_subnet_the_kernel_chooses() {
    let elsewhere = SourceConnector::new().source_addresses(["192.0.2.1".parse().unwrap()]);
    for connector in [SourceConnector::new(), elsewhere] {
        assert_eq!(sources(&connector, 1).await, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    }
}

#[tokio::test]
async fn what_cannot_be_reached_is_an_error_that_says_so() {
    // Bound and not listening: refused, and nobody else gets the port.
    let bound = tokio::net::TcpSocket::new_v4().unwrap();
    bound.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let refused = format!("http://{}", bound.local_addr().unwrap());
    for (uri, expected) in [(refused.as_str(), "cannot connect to 127.0.0.1:"), ("/path", "there is no host in /path")]
    {
        let connector = SourceConnector::new().connect_timeout(Duration::from_secs(5));
        let error = connector.oneshot(uri.parse::<Uri>().unwrap()).await.unwrap_err();
        assert!(error.to_string().starts_with(expected), "{error}");
        assert!(!error.is_timeout());
    }
}
