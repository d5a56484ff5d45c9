//! `100 Continue` is sent only to clients that have named a served host.

use std::time::Duration;

use pmesh_layers::serve::Protocol;

use super::support::client::connect;

fn expecting(host: &str) -> String {
    format!("POST / HTTP/1.1\r\nHost: {host}\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n")
}

#[tokio::test(start_paused = true)]
async fn a_served_client_gets_100_continue() {
    let mut client = connect(Protocol::Http1);
    client.send(expecting("a.example")).await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body").await;
    assert!(client.read_until("]").await.ends_with("a.example/ [body]"));
}

#[tokio::test(start_paused = true)]
async fn no_100_continue_before_the_head_is_complete() {
    let mut client = connect(Protocol::Http1);
    let head = expecting("a.example");
    client.send(head.strip_suffix("\r\n").unwrap()).await;
    client.expect_nothing_for(Duration::from_secs(9)).await;
    client.send("\r\n").await;
    assert_eq!(client.read_until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
}
