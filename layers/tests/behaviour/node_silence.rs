//! A client that cannot prove that it knows the secret gets no byte.

use std::time::{Duration, SystemTime};

use pmesh_layers::node::{NodeAcceptor, NodeRejected};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::Instant,
};

use super::support::node::{DEADLINE, client_config, hello, identity, name, rejected};

const MINUTE: Duration = Duration::from_secs(60);

fn h2() -> Vec<u8> {
    b"h2".to_vec()
}

/// The proof of a node with secret `digit` for the node `requested`.
fn proof(digit: &str, requested: &str, at: SystemTime) -> Vec<u8> {
    identity("a", digit).proof(&name(requested), at).unwrap()
}

#[tokio::test(start_paused = true)]
async fn clients_without_a_valid_proof_get_no_byte() {
    let acceptor = NodeAcceptor::new(identity("b", "12"));
    let now = SystemTime::now();
    let with = |protocols| hello(client_config('1', None), protocols);
    let mut tls12 = client_config('1', None);
    tls12 = {
        let provider = tls12.crypto_provider().clone();
        let roots = rustls::RootCertStore::empty();
        rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&rustls::version::TLS12])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth()
    };
    let mut other_version = proof("1", "b", now);
    other_version[0] = 2;
    let mut sni = client_config('1', None);
    sni.enable_sni = true;

    let cases: [(&str, Vec<u8>, &str); 19] = [
        ("no protocol", with(vec![]), "no_proof"),
        ("h2", with(vec![h2()]), "no_proof"),
        ("SNI of the node", hello(sni, vec![h2()]), "no_proof"),
        ("TLS 1.2", hello(tls12, vec![h2()]), "no_proof"),
        ("random bytes", with(vec![vec![7; 57], h2()]), "no_proof"),
        ("random bytes after the right version", with(vec![[&[1][..], &[7; 56]].concat(), h2()]), "wrong_proof"),
        ("another version", with(vec![other_version, h2()]), "no_proof"),
        ("not the first protocol", with(vec![h2(), proof("1", "b", now)]), "no_proof"),
        ("cut off", with(vec![proof("1", "b", now)[..56].to_vec(), h2()]), "no_proof"),
        ("too long", with(vec![[&proof("1", "b", now)[..], &[0]].concat(), h2()]), "no_proof"),
        ("another secret", with(vec![proof("3", "b", now), h2()]), "wrong_proof"),
        ("for another node", with(vec![proof("1", "c", now), h2()]), "wrong_proof"),
        ("for the client itself", with(vec![proof("1", "a", now), h2()]), "wrong_proof"),
        ("two minutes old", with(vec![proof("1", "b", now - 2 * MINUTE), h2()]), "clock"),
        ("two minutes ahead", with(vec![proof("2", "b", now + 2 * MINUTE), h2()]), "clock"),
        ("from 1970", with(vec![proof("1", "b", SystemTime::UNIX_EPOCH), h2()]), "clock"),
        ("a request", b"GET / HTTP/1.1\r\nHost: b\r\n\r\n".to_vec(), "no_client_hello"),
        ("a preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(), "no_client_hello"),
        ("zeros", vec![0; 4096], "no_client_hello"),
    ];
    for (case, bytes, expected) in cases {
        let started = Instant::now();
        let (reason, received) = rejected(&acceptor, &bytes).await;
        assert_eq!(reason.reason(), expected, "{case}: {reason:?}");
        assert_eq!(received, b"", "{case}");
        assert_eq!(started.elapsed(), Duration::ZERO, "{case}");
    }
}

#[tokio::test(start_paused = true)]
async fn changing_any_bit_of_a_proof_invalidates_it() {
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    let proof = proof("1", "b", SystemTime::now());
    for bit in 0..proof.len() * 8 {
        let mut changed = proof.clone();
        changed[bit / 8] ^= 1 << (bit % 8);
        let (reason, received) = rejected(&acceptor, &hello(client_config('1', None), vec![changed, h2()])).await;
        assert!(matches!(reason, NodeRejected::WrongProof | NodeRejected::NoProof), "bit {bit}: {reason:?}");
        assert_eq!(received, b"", "bit {bit}");
    }
}

#[tokio::test]
async fn a_replayed_client_hello_is_rejected() {
    let recorded = hello(client_config('1', None), vec![proof("1", "b", SystemTime::now()), h2()]);
    let identity = identity("b", "1");
    let acceptor = NodeAcceptor::new(identity.clone());
    // The first one gets a response: its bytes are valid, and the secret is known.
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    near.write_all(&recorded).await.unwrap();
    let accepting = tokio::spawn({
        let acceptor = acceptor.clone();
        async move { acceptor.accept(far, DEADLINE).await.map(drop).map_err(|rejected| rejected.reason) }
    });
    assert_eq!(near.read_u8().await.unwrap(), 22, "a record of the handshake");

    // The second one does not, at any acceptor of this node.
    for acceptor in [acceptor.clone(), NodeAcceptor::new(identity.clone().clock_window(2 * MINUTE))] {
        let (reason, received) = rejected(&acceptor, &recorded).await;
        assert!(matches!(reason, NodeRejected::Replayed), "{reason:?}");
        assert_eq!(received, b"");
    }
    drop(near);
    assert!(matches!(accepting.await.unwrap(), Err(NodeRejected::Handshake(_))));
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_is_rejected_at_the_deadline() {
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    let hello = hello(client_config('1', None), vec![proof("1", "b", SystemTime::now()), h2()]);
    for length in [0, 1, 100, hello.len() - 1] {
        let started = Instant::now();
        let (reason, received) = rejected(&acceptor, &hello[..length]).await;
        assert!(matches!(reason, NodeRejected::Deadline), "{length}: {reason:?}");
        assert_eq!(received, b"", "{length}");
        assert_eq!(started.elapsed().as_secs(), DEADLINE.as_secs(), "{length}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_rejected_at_once() {
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    let hello = hello(client_config('1', None), vec![proof("1", "b", SystemTime::now()), h2()]);
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    near.write_all(&hello[..hello.len() - 1]).await.unwrap();
    near.shutdown().await.unwrap();
    let rejected = acceptor.accept(far, DEADLINE).await.err().unwrap();
    assert!(matches!(rejected.reason, NodeRejected::Io(_)), "{rejected:?}");
    drop(rejected);
    assert_eq!(near.read(&mut [0]).await.unwrap(), 0);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_rest_of_the_handshake() {
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    let hello = hello(client_config('1', None), vec![proof("1", "b", SystemTime::now()), h2()]);
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    near.write_all(&hello).await.unwrap();
    let started = Instant::now();
    let rejected = acceptor.accept(far, DEADLINE).await.err().unwrap();
    assert!(matches!(rejected.reason, NodeRejected::Deadline), "{rejected:?}");
    assert_eq!(started.elapsed().as_secs(), DEADLINE.as_secs());
}

#[tokio::test]
async fn a_wrong_clock_has_its_own_rejection() {
    let acceptor = NodeAcceptor::new(identity("b", "1"));
    for (at, expected) in [(SystemTime::now() + 10 * MINUTE, 600), (SystemTime::now() - 10 * MINUTE, -600)] {
        let hello = hello(client_config('1', None), vec![proof("1", "b", at), h2()]);
        let (reason, _) = rejected(&acceptor, &hello).await;
        let NodeRejected::Clock { ahead_by } = reason else { panic!("{reason:?}") };
        // The clock may advance by a second between the two readings, or by more on a busy machine.
        assert!((expected - 30..=expected).contains(&ahead_by), "{ahead_by}");
    }
}
