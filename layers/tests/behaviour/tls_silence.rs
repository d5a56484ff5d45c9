//! HTTP over TLS: after the handshake, silence is an end without even a closing alert.

use std::time::Duration;

use pmesh_layers::{
    conn::ConnInfo,
    serve::{Ended, HttpServer, Protocol},
};

use super::support::{
    client::{PEER, echo, get},
    tls::{acceptor, client, client_config, pump, received},
};

#[tokio::test]
async fn an_unserved_name_ends_the_connection_below_tls() {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let server = tokio::spawn(async move {
        let accepted = acceptor().accept(far, Duration::from_secs(10)).await;
        let (tls, name) = accepted.map_err(|rejected| rejected.reason).unwrap();
        HttpServer::new().serve(tls, ConnInfo::tls(PEER.into(), name), Protocol::Http1, echo()).await
    });
    let mut client = client(client_config(&[&rustls::version::TLS13]), "a.example");
    assert!(pump(&mut client, &mut near, |client| !client.is_handshaking()).await);
    std::io::Write::write_all(&mut client.writer(), get("other.example", "/").as_bytes()).unwrap();
    assert!(!pump(&mut client, &mut near, |_| false).await);
    assert_eq!(received(&mut client), b"");
    let state = client.process_new_packets().unwrap();
    assert!(!state.peer_has_closed(), "there was a closing alert");
    drop(near);
    assert!(matches!(server.await.unwrap(), Ended::Silenced));
}
