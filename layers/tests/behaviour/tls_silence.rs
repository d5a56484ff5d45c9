//! HTTP over TLS: after the handshake, silence means closing without even a TLS alert.

use std::{io::Write, time::Duration};

use pmesh_layers::{
    conn::{ConnInfo, Control},
    serve::{Ended, HttpServer, Protocol},
};
use rustls::ClientConnection;
use tokio::{io::DuplexStream, sync::oneshot, task::JoinHandle};

use super::support::{
    client::{PEER, echo, get},
    tls::{acceptor, client, client_config, pump, received},
};

/// A TLS connection before its first request.
async fn connect() -> (ClientConnection, DuplexStream, Control, JoinHandle<Ended>) {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    let (send_control, control) = oneshot::channel();
    let server = tokio::spawn(async move {
        let accepted = acceptor().accept(far, Duration::from_secs(10)).await;
        let (tls, name) = accepted.map_err(|rejected| rejected.reason).unwrap();
        let info = ConnInfo::tls(PEER.into(), name);
        send_control.send(info.control().clone()).unwrap();
        HttpServer::new().serve(tls, info, Protocol::Http1, echo()).await
    });
    let mut client = client(client_config(&[&rustls::version::TLS13]), "a.example");
    assert!(pump(&mut client, &mut near, |client| !client.is_handshaking()).await);
    (client, near, control.await.unwrap(), server)
}

/// Reads to the end, and checks that the server sent nothing, not even a closing alert.
async fn expect_silence(client: &mut ClientConnection, near: &mut DuplexStream) {
    assert!(!pump(client, near, |_| false).await);
    assert_eq!(received(client), b"");
    assert!(!client.process_new_packets().unwrap().peer_has_closed(), "there was a closing alert");
}

#[tokio::test]
async fn an_unserved_host_closes_without_a_tls_alert() {
    let (mut client, mut near, _, server) = connect().await;
    client.writer().write_all(get("other.example", "/").as_bytes()).unwrap();
    expect_silence(&mut client, &mut near).await;
    drop(near);
    assert!(matches!(server.await.unwrap(), Ended::Silenced));
}

#[tokio::test(start_paused = true)]
async fn silencing_an_idle_connection_sends_no_tls_alert() {
    for served in [false, true] {
        let (mut client, mut near, control, server) = connect().await;
        if served {
            client.writer().write_all(get("a.example", "/").as_bytes()).unwrap();
            let mut all = Vec::new();
            pump(&mut client, &mut near, |client| {
                all.extend(received(client));
                all.ends_with(b"a.example/ []")
            })
            .await;
        }
        // Longer than an idle connection keeps its HTTP server.
        tokio::time::sleep(Duration::from_secs(1)).await;
        control.silence();
        expect_silence(&mut client, &mut near).await;
        drop(near);
        assert!(matches!(server.await.unwrap(), Ended::Silenced), "served: {served}");
    }
}
