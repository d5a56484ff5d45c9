//! TLS only for clients whose ClientHello names a served host.

use std::time::Duration;

use pmesh_layers::{
    silence,
    sni::{Rejected, SniRejected},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream},
    time::Instant,
};

use super::support::tls::{acceptor, client, client_config, client_hello, outgoing, pump, received};

const DEADLINE: Duration = Duration::from_secs(10);

/// Sends `bytes` to an acceptor. Returns the reason for the rejection, and the bytes received.
async fn rejected(bytes: &[u8], leave: bool) -> (SniRejected, Vec<u8>) {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    near.write_all(bytes).await.unwrap();
    if leave {
        near.shutdown().await.unwrap();
    }
    let Err(Rejected { io, reason, .. }) = acceptor().accept(far, DEADLINE).await else { panic!("accepted") };
    let mut heard = Vec::new();
    let listen = async {
        near.read_to_end(&mut heard).await.unwrap();
        drop(near);
    };
    tokio::join!(listen, silence::close(io));
    (reason, heard)
}

#[tokio::test(start_paused = true)]
async fn clients_without_a_served_name_get_no_byte() {
    let nameless = {
        let mut config = client_config(rustls::ALL_VERSIONS);
        config.enable_sni = false;
        outgoing(&mut client(config, "a.example"))
    };
    let mut broken = client_hello("a.example");
    // The length of the handshake message.
    broken[6] = 0xff;
    let cases: [(&str, &[u8], &str); 11] = [
        ("no SNI", &nameless, "no_sni"),
        ("an address", &client_hello("127.0.0.1"), "no_sni"),
        ("unserved", &client_hello("b.example"), "sni_not_served"),
        ("a subdomain of the served name", &client_hello("x.a.example"), "sni_not_served"),
        ("a request", b"GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", "no_client_hello"),
        ("a preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "no_client_hello"),
        ("a closing alert, then a ClientHello", b"\x15\x03\x01\x00\x02\x01\x00\x16\x03\x01", "no_client_hello"),
        ("application data", b"\x17\x03\x03\x00\x01x", "no_client_hello"),
        ("an empty record", b"\x16\x03\x01\x00\x00", "no_client_hello"),
        ("zeros", &[0; 4096], "no_client_hello"),
        ("a huge handshake message", &broken, "no_client_hello"),
    ];
    for (name, bytes, expected) in cases {
        let started = Instant::now();
        let (reason, heard) = rejected(bytes, false).await;
        assert_eq!(reason.reason(), expected, "{name}: {reason:?}");
        assert_eq!(heard, b"", "{name}");
        assert_eq!(started.elapsed(), Duration::ZERO, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stalled_client_is_rejected_at_the_deadline() {
    let hello = client_hello("a.example");
    for (name, bytes) in [("nothing", &b""[..]), ("a byte", &hello[..1]), ("all but a byte", &hello[..hello.len() - 1])]
    {
        let started = Instant::now();
        let (reason, heard) = rejected(bytes, false).await;
        assert!(matches!(reason, SniRejected::Deadline), "{name}: {reason:?}");
        assert!(heard.is_empty(), "{name}");
        assert_eq!(started.elapsed().as_secs(), DEADLINE.as_secs(), "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_rejected_at_once() {
    let hello = client_hello("a.example");
    for end in 0..hello.len() {
        let started = Instant::now();
        let (reason, heard) = rejected(&hello[..end], true).await;
        assert!(matches!(reason, SniRejected::Io(_)), "{end}: {reason:?}");
        assert!(heard.is_empty(), "{end}");
        assert_eq!(started.elapsed(), Duration::ZERO, "{end}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_deadline_covers_the_rest_of_the_handshake() {
    let (mut near, far) = tokio::io::duplex(64 * 1024);
    near.write_all(&client_hello("a.example")).await.unwrap();
    let started = Instant::now();
    let rejected = acceptor().accept(far, DEADLINE).await.err().unwrap();
    assert!(matches!(rejected.reason, SniRejected::Deadline), "{rejected:?}");
    assert_eq!(started.elapsed().as_secs(), DEADLINE.as_secs());
}

#[tokio::test]
async fn a_served_name_gets_a_handshake() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        for name in ["a.example", "A.Example"] {
            let (mut near, far) = tokio::io::duplex(64 * 1024);
            let server = tokio::spawn(serve_echo(far));
            let mut client = client(client_config(&[version]), name);
            assert!(pump(&mut client, &mut near, |client| !client.is_handshaking()).await, "{version:?}");
            std::io::Write::write_all(&mut client.writer(), b"hello").unwrap();
            let mut heard = Vec::new();
            // The first read returns all of it: five bytes fit in one record.
            let arrived = pump_until_plaintext(&mut client, &mut near, &mut heard).await;
            assert!(arrived && heard == b"hello", "{version:?}: {heard:?}");
            assert_eq!(server.await.unwrap(), "a.example");
        }
    }
}

async fn pump_until_plaintext(
    client: &mut rustls::ClientConnection,
    io: &mut DuplexStream,
    heard: &mut Vec<u8>,
) -> bool {
    let heard = std::cell::RefCell::new(heard);
    pump(client, io, |client| {
        heard.borrow_mut().extend(received(client));
        !heard.borrow().is_empty()
    })
    .await
}

/// Echoes one message, and returns the requested name.
async fn serve_echo(io: DuplexStream) -> String {
    let (mut tls, name) = acceptor().accept(io, DEADLINE).await.map_err(|rejected| rejected.reason).unwrap();
    let mut buffer = [0; 5];
    tls.read_exact(&mut buffer).await.unwrap();
    tls.write_all(&buffer).await.unwrap();
    tls.flush().await.unwrap();
    name.to_string()
}
