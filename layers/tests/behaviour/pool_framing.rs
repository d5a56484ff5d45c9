//! A malformed HTTP/1.1 response is an error or has no clean end, and its connection is never reused.

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use pmesh_layers::pool::Pool;
use tokio::io::AsyncWriteExt;
use tower::ServiceExt;

use super::support::backend::{Connector, backend, backend_behind, settle};

type TestPool = Pool<Connector>;

#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    /// No response.
    Error,
    /// A head, and a truncated body.
    Truncated,
    Whole(Bytes),
}

/// Sends a request to a backend that responds with `response`, and then closes the connection if `closes`. Returns the
/// outcome, and whether the next request reuses the connection.
async fn outcome(method: &str, response: &str, closes: bool) -> (Outcome, bool) {
    let (connector, mut backend) = backend();
    let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
    let request = |method: &str| Request::builder().method(method).uri("/").body(Empty::new()).unwrap();
    let first = tokio::spawn(pool.clone().oneshot(request(method)));
    let mut connection = backend.accept().await;
    connection.head().await;
    connection.send(response).await;
    let connection = (!closes).then_some(connection);
    let outcome = match first.await.unwrap() {
        Err(_) => Outcome::Error,
        Ok(response) => {
            match tokio::time::timeout(std::time::Duration::from_secs(1), response.into_body().collect()).await {
                Ok(Ok(body)) => Outcome::Whole(body.to_bytes()),
                Ok(Err(_)) | Err(_) => Outcome::Truncated,
            }
        }
    };
    // Sent at once: leftover bytes must not be read as the next response.
    let second = tokio::spawn(pool.oneshot(request("GET")));
    settle().await;
    let reused = !backend.has_waiting();
    drop((connection, second));
    (outcome, reused)
}

#[tokio::test(start_paused = true)]
async fn ambiguous_and_malformed_responses_are_errors() {
    for fields in [
        "content-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "transfer-encoding: chunked\r\ncontent-length: 2\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "content-length: 2\r\ncontent-length: 2\r\n\r\nok",
        "content-length: 2\r\ncontent-length: 3\r\n\r\nok",
        "content-length: 2, 2\r\n\r\nok",
        "content-length: 2, 3\r\n\r\nok",
        "content-length: +2\r\n\r\nok",
        "content-length: -2\r\n\r\nok",
        "content-length: 0x2\r\n\r\nok",
        "content-length: \r\n\r\nok",
        "content-length: 99999999999999999999\r\n\r\nok",
        "transfer-encoding: gzip, chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "transfer-encoding: gzip\r\n\r\nok",
        "transfer-encoding: xchunked\r\n\r\nok",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "transfer-encoding : chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "a b: c\r\n\r\n",
        "x: y\0\r\n\r\n",
    ] {
        let response = format!("HTTP/1.1 200 OK\r\n{fields}");
        assert_eq!(outcome("GET", &response, false).await, (Outcome::Error, false), "{response:?}");
    }
    for response in [
        "garbage\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "\0\0\0\x04\0\0\0\0\0",
    ] {
        assert_eq!(outcome("GET", response, true).await, (Outcome::Error, false), "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_truncated_body_has_no_clean_end() {
    for (response, closes) in [
        ("content-length: 9\r\n\r\nhalf", true),
        ("content-length: 9\r\n\r\n", true),
        ("transfer-encoding: chunked\r\n\r\n9\r\nhalf", true),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n", true),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\n", true),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n0\r\nx: y\r\n", true),
        ("transfer-encoding: chunked\r\n\r\nx\r\nhalf\r\n0\r\n\r\n", false),
        ("transfer-encoding: chunked\r\n\r\n4\r\nhalfx\r\n0\r\n\r\n", false),
        ("transfer-encoding: chunked\r\n\r\n-4\r\nhalf\r\n0\r\n\r\n", false),
        ("transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\nhalf\r\n0\r\n\r\n", false),
    ] {
        let response = format!("HTTP/1.1 200 OK\r\n{response}");
        assert_eq!(outcome("GET", &response, closes).await, (Outcome::Truncated, false), "{response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn extra_bytes_after_a_response_are_not_read_as_the_next_one() {
    let next = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison";
    for (method, response, expected) in [
        ("GET", "200 OK\r\ncontent-length: 2\r\n\r\nok", "ok"),
        ("GET", "200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", "ok"),
        ("GET", "204 No Content\r\n\r\n", ""),
        ("GET", "304 Not Modified\r\ncontent-length: 2\r\n\r\n", ""),
        ("HEAD", "200 OK\r\ncontent-length: 2\r\n\r\n", ""),
    ] {
        let response = format!("HTTP/1.1 {response}{next}");
        let expected = (Outcome::Whole(Bytes::from_static(expected.as_bytes())), false);
        assert_eq!(outcome(method, &response, false).await, expected, "{method} {response:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn valid_responses_are_accepted() {
    for (method, response, closes, body, reused) in [
        ("GET", "200 OK\r\ncontent-length: 2\r\n\r\nok", false, "ok", true),
        ("GET", "200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", false, "ok", true),
        // Parsers can disagree on where the trailers end.
        ("GET", "200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\nx: y\r\n\r\n", false, "ok", false),
        ("GET", "200 OK\r\ntransfer-encoding: Chunked\r\n\r\n2\r\nok\r\n0\r\n\nx\r\n\r\n", false, "ok", false),
        ("GET", "200 OK\r\n\r\nuntil the end", true, "until the end", false),
        ("HEAD", "200 OK\r\ntransfer-encoding: chunked\r\n\r\n", false, "", true),
        ("GET", "103 Early Hints\r\nlink: </a>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", false, "", true),
    ] {
        let response = format!("HTTP/1.1 {response}");
        let expected = (Outcome::Whole(Bytes::from_static(body.as_bytes())), reused);
        assert_eq!(outcome(method, &response, closes).await, expected, "{method} {response:?}");
    }
}

/// Sends interim responses as fast as they are read, until the pool stops reading.
#[tokio::test(start_paused = true)]
async fn endless_interim_responses_are_an_error() {
    let (connector, mut backend) = backend();
    let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
    let response = tokio::spawn(pool.oneshot(Request::get("/").body(Empty::new()).unwrap()));
    let mut connection = backend.accept().await;
    connection.head().await;
    let hints = b"HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n".repeat(100);
    let mut sent = 0;
    while connection.0.write_all(&hints).await.is_ok() {
        sent += hints.len();
        assert!(sent < 4 * 1024 * 1024);
    }
    assert!(response.await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_body_can_be_larger_than_the_limit_for_heads() {
    let (connector, mut backend) = backend();
    let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
    let body = "x".repeat(1024 * 1024);
    // The limit counts each response on a connection separately.
    let mut connection = None;
    for _ in 0..3 {
        let response = tokio::spawn(pool.clone().oneshot(Request::get("/").body(Empty::new()).unwrap()));
        if connection.is_none() {
            connection = Some(backend.accept().await);
        }
        let answering = async { connection.as_mut().unwrap().answer(&body).await };
        let reading = async { response.await.unwrap().unwrap().into_body().collect().await };
        let (_, read) = tokio::join!(answering, reading);
        assert_eq!(read.unwrap().to_bytes().len(), body.len());
        settle().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_head_has_at_most_32_kib() {
    for (kib, passes) in [(30, true), (33, false)] {
        let (connector, mut backend) = backend_behind(128 * 1024);
        let pool: TestPool = Pool::new(connector, "http://backend".parse().unwrap());
        let responding = tokio::spawn(pool.oneshot(Request::new(Empty::new())));
        let mut connection = backend.accept().await;
        connection.head().await;
        let field = "x".repeat(kib * 1024);
        connection.send(&format!("HTTP/1.1 200 OK\r\nx: {field}\r\ncontent-length: 0\r\n\r\n")).await;
        assert_eq!(responding.await.unwrap().is_ok(), passes, "{kib} KiB");
    }
}

#[tokio::test(start_paused = true)]
async fn a_trailer_section_has_at_most_32_kib() {
    for (kib, passes) in [(30, true), (33, false)] {
        let trailer = "x".repeat(kib * 1024);
        let response =
            format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx: {trailer}\r\n\r\n");
        let expected = if passes { Outcome::Whole("ok".into()) } else { Outcome::Truncated };
        assert_eq!(outcome("GET", &response, false).await.0, expected, "{kib} KiB");
    }
}
