use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::{program::Program, tls};

#[tokio::test]
async fn a_client_that_names_a_served_host_gets_an_echo() {
    let program = Program::start("sni_only");
    let mut tls = tls::handshake(program.connect().await, "echo.example", "any").await.unwrap();
    tls.write_all(b"hello").await.unwrap();
    tls.shutdown().await.unwrap();
    let mut heard = String::new();
    tls.read_to_string(&mut heard).await.unwrap();
    assert_eq!(heard, "hello");
}

#[tokio::test]
async fn other_clients_get_nothing() {
    let program = Program::start("sni_only");
    for name in ["other.example", "a.echo.example", "127.0.0.1"] {
        let error = tls::handshake(program.connect().await, name, "any").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::UnexpectedEof, "{name}: {error}");
    }
    for bytes in ["GET / HTTP/1.1\r\nHost: echo.example\r\n\r\n", "\x15\x03\x01\0\x02\x02\x28"] {
        assert_eq!(program.answer_to(bytes).await, "", "{bytes:?}");
    }
}
