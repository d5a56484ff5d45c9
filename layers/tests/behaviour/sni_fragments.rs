//! A ClientHello is parsed however it is fragmented.

use std::time::Duration;

use pmesh_layers::{silence, sni::SniRejected};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::tls::{acceptor, client, client_config, client_hello, outgoing, pump};

/// Splits the single record of a ClientHello into records of `size` bytes.
fn in_records_of(size: usize, hello: &[u8]) -> Vec<u8> {
    let (head, message) = hello.split_at(5);
    assert_eq!(usize::from(u16::from_be_bytes([head[3], head[4]])), message.len(), "one record");
    message
        .chunks(size)
        .flat_map(|part| {
            let length = u16::try_from(part.len()).unwrap().to_be_bytes();
            [&head[..3], &length, part].concat()
        })
        .collect()
}

#[tokio::test]
async fn a_served_name_is_found() {
    for (records_of, writes_of) in [(1, 1), (1, usize::MAX), (usize::MAX, 1), (7, 3), (40, 4096)] {
        let (mut near, far) = tokio::io::duplex(1024);
        let server = tokio::spawn(async move { acceptor().accept(far, Duration::from_secs(10)).await.is_ok() });
        let mut client = client(client_config(rustls::ALL_VERSIONS), "a.example");
        let hello = in_records_of(records_of, &outgoing(&mut client));
        for part in hello.chunks(writes_of) {
            near.write_all(part).await.unwrap();
            near.flush().await.unwrap();
            tokio::task::yield_now().await;
        }
        let finished = pump(&mut client, &mut near, |client| !client.is_handshaking()).await;
        assert!(finished && server.await.unwrap(), "records of {records_of}, writes of {writes_of}");
    }
}

#[tokio::test(start_paused = true)]
async fn an_unserved_name_is_rejected() {
    let hello = in_records_of(1, &client_hello("b.example"));
    let (mut near, far) = tokio::io::duplex(16 * 1024);
    near.write_all(&hello).await.unwrap();
    let rejected = acceptor().accept(far, Duration::from_secs(10)).await.err().unwrap();
    assert!(matches!(rejected.reason, SniRejected::NotServed), "{rejected:?}");
    let mut received = Vec::new();
    tokio::join!(silence::close(rejected.io), async {
        near.read_to_end(&mut received).await.unwrap();
        drop(near);
    });
    assert_eq!(received, b"");
}
