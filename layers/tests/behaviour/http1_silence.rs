//! HTTP/1 requests that name no served host close the connection at once, without a byte.

use std::time::Duration;

use pmesh_layers::serve::{Ended, Protocol};

use super::support::client::{connect, count, get};

#[tokio::test(start_paused = true)]
async fn requests_without_a_served_host_close_the_connection_without_a_byte() {
    let huge = format!("GET / HTTP/1.1\r\nHost: a.example\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let cases = [
        ("no host", "GET / HTTP/1.1\r\n\r\n"),
        ("no host in 1.0", "GET / HTTP/1.0\r\n\r\n"),
        ("empty host", "GET / HTTP/1.1\r\nHost:\r\n\r\n"),
        ("unserved", "GET / HTTP/1.1\r\nHost: other.example\r\n\r\n"),
        ("a suffix only", "GET / HTTP/1.1\r\nHost: xa.example\r\n\r\n"),
        ("the parent of a wildcard", "GET / HTTP/1.1\r\nHost: wild.example\r\n\r\n"),
        ("an address", "GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"),
        ("an IPv6 address", "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n"),
        ("two hosts", "GET / HTTP/1.1\r\nHost: a.example\r\nHost: a.example\r\n\r\n"),
        ("a list of hosts", "GET / HTTP/1.1\r\nHost: a.example, a.example\r\n\r\n"),
        ("userinfo", "GET / HTTP/1.1\r\nHost: user@a.example\r\n\r\n"),
        ("port 0", "GET / HTTP/1.1\r\nHost: a.example:0\r\n\r\n"),
        ("a path in the host", "GET / HTTP/1.1\r\nHost: a.example/\r\n\r\n"),
        ("a folded host", "GET / HTTP/1.1\r\nHost: other.example\r\n a.example\r\n\r\n"),
        ("a space before the colon", "GET / HTTP/1.1\r\nHost : a.example\r\n\r\n"),
        ("a served name in another header", "GET / HTTP/1.1\r\nHost: x\r\nX-Forwarded-Host: a.example\r\n\r\n"),
        ("an unserved target", "GET http://other.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("userinfo in the target", "GET http://u@a.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("authority form", "GET a.example:80 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("CONNECT elsewhere", "CONNECT other.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n"),
        ("an incomplete body", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n123"),
        ("Expect", "POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 9\r\n\r\n"),
        ("two lengths", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1"),
        ("no such version", "GET / HTTP/3.9\r\nHost: a.example\r\n\r\n"),
        ("HTTP/0.9", "GET /\r\n\r\n"),
        ("a ClientHello", "\x16\x03\x01\x02\x00\x01\x00\x01\x7c\x03\x03"),
        ("words", "hello there\r\n\r\n"),
        ("a control byte", "\0\r\n\r\n"),
        ("a huge head", &huge),
    ];
    for (name, request) in cases {
        for protocol in [Protocol::Http1, Protocol::Detect, Protocol::DetectOpen] {
            let mut client = connect(protocol);
            client.send(request).await;
            assert_eq!(client.read_to_end().await, b"", "{name}");
            assert_eq!(client.started.elapsed(), Duration::ZERO, "{name}");
            let ended = client.leave().await;
            assert!(matches!(ended, Ended::Silenced | Ended::Failed(_)), "{name}: {ended:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_served_request_is_answered() {
    let cases = [
        ("plain", get("a.example", "/"), "a.example/ []"),
        ("case, dot and port", get("A.Example.:8080", "/x"), "a.example/x []"),
        ("an empty port", get("a.example:", "/"), "a.example/ []"),
        ("below a wildcard", get("x.y.wild.example", "/"), "x.y.wild.example/ []"),
        ("absolute form wins", "GET http://b.example/ HTTP/1.1\r\nHost: other\r\n\r\n".into(), "b.example/ []"),
        ("1.0", "GET / HTTP/1.0\r\nHost: a.example\r\n\r\n".into(), "a.example/ []"),
        ("a body", "POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 2\r\n\r\nhi".into(), "a.example/ [hi]"),
    ];
    for (name, request, expected) in cases {
        for protocol in [Protocol::Http1, Protocol::Detect, Protocol::DetectOpen] {
            let mut client = connect(protocol);
            client.send(&request).await;
            let answer = client.read_until("]").await;
            assert!(answer.starts_with("HTTP/1.") && answer.contains(" 200 OK\r\n"), "{name}: {answer}");
            assert!(answer.ends_with(expected), "{name}: {answer}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_later_unserved_host_closes_the_connection_after_earlier_responses() {
    let requests = [get("a.example", "/1"), get("b.example", "/2"), get("other.example", "/3"), get("a.example", "/4")];
    for pipelined in [false, true] {
        let mut client = connect(Protocol::Http1);
        let mut answers = String::new();
        if pipelined {
            client.send(requests.concat()).await;
        } else {
            for request in &requests[..2] {
                client.send(request).await;
                answers += &client.read_until("]").await;
            }
            client.send(&requests[2]).await;
        }
        answers += &String::from_utf8(client.read_to_end().await).unwrap();
        assert_eq!(count(&answers, "HTTP/1.1 200 OK"), 2, "{answers}");
        assert_eq!(count(&answers, "HTTP/1.1 "), 2, "{answers}");
        assert!(answers.ends_with("b.example/2 []"), "{answers}");
        assert!(matches!(client.leave().await, Ended::Silenced));
    }
}
