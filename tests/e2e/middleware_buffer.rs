//! `buffer`: bodies that are read before the request is forwarded, from clients with HTTP/1.1 and HTTP/2, with and without
//! TLS.

use std::{
    convert::Infallible,
    sync::atomic::{AtomicBool, Ordering},
};

use bytes::Bytes;
use futures_util::stream;
use http::Request;
use http_body::Frame;
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use tungstenite::Message;

use super::{
    answers::{Got, WAYS, Way, deliver, start, to, upstream},
    upgrades::websocket_echo,
};
use crate::support::{
    Backend, Client, Program,
    backend::{Refusing, ok},
};

const HOST: &str = "example.com";
const BUFFER: usize = 64 * 1024;

pub type AnyBody = UnsyncBoxBody<Bytes, Infallible>;

/// Bytes that do not repeat soon.
pub fn bytes(length: usize) -> Bytes {
    (0..length).map(|index| u8::try_from(index * 31 % 251).unwrap()).collect()
}

pub fn of_known_length(data: Bytes) -> AnyBody {
    Full::new(data).boxed_unsync()
}

/// Chunked over HTTP/1.1, and without `Content-Length` over HTTP/2.
pub fn of_unknown_length(mut data: Bytes) -> AnyBody {
    let mut frames = Vec::new();
    while !data.is_empty() {
        frames.push(Ok(Frame::data(data.split_to(data.len().min(1000)))));
    }
    StreamBody::new(stream::iter(frames)).boxed_unsync()
}

#[tokio::main(flavor = "current_thread")]
async fn send(program: &Program, way: Way, request: Request<AnyBody>) -> Result<Got, hyper::Error> {
    deliver(program, way, HOST, request).await
}

fn request(way: Way, method: &str, body: AnyBody) -> Request<AnyBody> {
    to(way, HOST, "/").method(method).body(body).unwrap()
}

/// A backend that reads each request whole, and closes the connection without a response.
fn dropping() -> Backend {
    Backend::start(|connection| drop(connection.request()))
}

/// The file for a route with a buffer and these upstreams.
fn route(upstreams: &[&Backend]) -> String {
    let addresses: Vec<_> = upstreams.iter().map(|backend| backend.address.to_string()).collect();
    format!("workers = 1\n[[routes]]\nhost = \"{HOST}\"\nupstream = {addresses:?}\nbuffer = \"64KiB\"\n")
}

#[test]
fn a_put_is_sent_to_another_endpoint_with_its_whole_body_and_a_post_is_not() {
    for way in WAYS {
        for (method, body) in [
            ("PUT", of_known_length as fn(Bytes) -> AnyBody),
            ("PUT", of_unknown_length),
            ("DELETE", of_known_length),
            ("POST", of_known_length),
            ("PATCH", of_unknown_length),
        ] {
            let (drops, works) = (dropping(), Backend::answering("done"));
            let program = start(&route(&[&drops, &works]));
            let sent = bytes(BUFFER);
            let got = send(&program, way, request(way, method, body(sent.clone()))).unwrap();
            let first = drops.request();
            assert_eq!(first.body, sent, "{way:?} {method}");
            assert_eq!(first.field("content-length"), BUFFER.to_string(), "{way:?} {method}");
            if matches!(method, "PUT" | "DELETE") {
                assert_eq!((got.status, &*got.body), (200, "done"), "{way:?} {method}");
                // All headers are the same.
                assert_eq!(works.request(), first, "{way:?} {method}");
            } else {
                assert_eq!(got.status, 502, "{way:?} {method}");
                assert!(works.connections().is_empty());
            }
        }
    }
}

#[test]
fn without_a_buffer_or_with_a_longer_body_no_request_is_sent_twice() {
    for way in WAYS {
        for (buffer, length) in [("false", 10), ("\"64KiB\"", BUFFER + 1), ("\"64KiB\"", 5 * BUFFER)] {
            for body in [of_known_length, of_unknown_length] {
                let (drops, works) = (dropping(), Backend::answering("done"));
                let program = start(&route(&[&drops, &works]).replace("\"64KiB\"", buffer));
                let sent = bytes(length);
                let got = send(&program, way, request(way, "PUT", body(sent.clone()))).unwrap();
                assert_eq!(got.status, 502, "{way:?} {buffer} {length}");
                assert_eq!(drops.request().body, sent, "{way:?} {buffer} {length}");
                assert!(works.connections().is_empty());
            }
        }
    }
}

#[test]
fn an_only_endpoint_gets_the_request_again() {
    let fails_once = || {
        let first = AtomicBool::new(true);
        Backend::start(move |connection| {
            while connection.request().is_some() {
                if first.swap(false, Ordering::Relaxed) {
                    return;
                }
                connection.send(ok("done"));
            }
        })
    };
    for (method, status, count) in [("PUT", 200, 2), ("POST", 502, 1)] {
        let backend = fails_once();
        let program = start(&route(&[&backend]));
        let got = send(&program, Way::Http, request(Way::Http, method, of_known_length(bytes(100)))).unwrap();
        assert_eq!(got.status, status);
        let requests = backend.requests();
        assert!(requests.len() == count && requests.iter().all(|request| request.body == bytes(100)), "{method}");
    }
}

#[test]
fn a_request_that_was_not_sent_goes_to_another_endpoint_whatever_its_method_and_length() {
    let works = Backend::answering("done");
    for way in WAYS {
        for method in ["PUT", "POST"] {
            for length in [10, 5 * BUFFER] {
                let refusing = Refusing::new();
                let config = route(&[&works]).replace("[\"", &format!("[\"{}\", \"", refusing.address()));
                let program = start(&config);
                for body in [of_known_length, of_unknown_length] {
                    let sent = bytes(length);
                    let got = send(&program, way, request(way, method, body(sent.clone()))).unwrap();
                    assert_eq!(got.status, 200, "{way:?} {method} {length}");
                    assert!(works.requests().iter().any(|request| request.body == sent), "{way:?} {method} {length}");
                }
            }
        }
    }
}

#[test]
fn a_backend_gets_only_whole_requests() {
    let backend = Backend::answering("done");
    let program = start(&route(&[&backend]));
    for head in ["Content-Length: 4\r\n\r\nb", "Transfer-Encoding: chunked\r\n\r\n1\r\nb\r\n"] {
        let before = backend.requests().len();
        let mut slow = Client::connect(program.http());
        slow.send(format!("POST /slow HTTP/1.1\r\nHost: {HOST}\r\n{head}"));
        // The only worker had time for a whole request.
        assert_eq!(Client::connect(program.http()).get(HOST, "/fast").status, 200);
        let is_chunked = head.contains("chunked");
        let in_chunk = |piece: &str| if is_chunked { format!("1\r\n{piece}\r\n") } else { piece.to_owned() };
        for piece in ["o", "d"] {
            slow.send(in_chunk(piece));
            assert_eq!(Client::connect(program.http()).get(HOST, "/fast").status, 200);
        }
        assert!(backend.requests().iter().skip(before).all(|request| request.target == "/fast"));
        slow.send(in_chunk("y") + if is_chunked { "0\r\n\r\n" } else { "" });
        assert_eq!(slow.response().text(), "done");
    }
    let slow: Vec<_> = backend.requests().into_iter().filter(|request| request.target == "/slow").collect();
    assert_eq!(slow.len(), 2);
    for request in slow {
        assert_eq!((&*request.body, request.field("content-length")), (&b"body"[..], "4"));
        assert!(request.all("transfer-encoding").is_empty());
    }
}

#[test]
fn trailers_are_kept() {
    for (length, pieces) in [(4, 1), (0, 0), (4, 40_000)] {
        let (drops, works) = (dropping(), Backend::answering("done"));
        let program = start(&route(&[&drops, &works]));
        let mut client = Client::connect(program.http());
        client.send(format!(
            "PUT / HTTP/1.1\r\nHost: {HOST}\r\nTransfer-Encoding: chunked\r\nTrailer: x-sum, x-real-ip\r\n\r\n{}\
             0\r\nx-sum: 1\r\nx-real-ip: 192.0.2.1\r\n\r\n",
            "4\r\nbody\r\n".repeat(pieces)
        ));
        let is_short = length * pieces <= BUFFER;
        assert_eq!(client.response().status, if is_short { 200 } else { 502 });
        for request in drops.requests().into_iter().chain(works.requests()) {
            assert_eq!(request.body, "body".repeat(pieces).as_bytes());
            assert_eq!(request.trailers, [("x-sum".to_owned(), "1".to_owned())], "{pieces}");
        }
        assert_eq!(works.requests().len(), usize::from(is_short));
    }
}

#[test]
fn an_expectation_is_met_by_pmesh_and_a_limit_still_applies() {
    let backend = Backend::answering("done");
    let program = start(&format!("{}max_body = 10\n", route(&[&backend])));
    let expecting = |length| {
        let mut client = Client::connect(program.http());
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nExpect: 100-continue\r\nContent-Length: {length}\r\n\r\n"
        ));
        client
    };
    let mut client = expecting(4);
    assert_eq!(client.head().status, 100);
    assert!(backend.connections().is_empty());
    client.send("body");
    assert_eq!(client.response().text(), "done");
    assert!(backend.request().all("expect").is_empty());
    // Too long: the client need not send the body.
    assert_eq!(expecting(11).head().status, 413);
    for way in WAYS {
        for body in [of_known_length, of_unknown_length] {
            // Over HTTP/1.1, the client may get an error instead, because it is still sending.
            let got = send(&program, way, request(way, "PUT", body(bytes(11))));
            assert!(got.is_ok_and(|got| got.status == 413), "{way:?}");
        }
    }
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn a_client_has_the_same_time_as_without_a_buffer() {
    let backend = Backend::answering("done");
    for buffer in ["\"64KiB\"", "false"] {
        let config = route(&[&backend]).replace("\"64KiB\"", buffer);
        let program = start(&format!("{config}response_timeout = \"200ms\"\n"));
        let mut client = Client::connect(program.http());
        client.send(format!("POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 10\r\n\r\nbody"));
        assert_eq!(client.response().status, 408, "{buffer}");
    }
    // Without a buffer, it was connected while the client sent its request.
    assert_eq!(backend.connections().len(), 1);
}

#[test]
fn an_aborted_upload_reaches_no_backend() {
    let backend = Backend::answering("done");
    let program = start(&route(&[&backend]));
    for head in ["Content-Length: 10\r\n\r\nbody", "Transfer-Encoding: chunked\r\n\r\n4\r\nbody\r\n"] {
        let mut client = Client::connect(program.http());
        client.send(format!("PUT / HTTP/1.1\r\nHost: {HOST}\r\n{head}"));
        client.finish_sending();
        client.end();
    }
    assert_eq!(Client::connect(program.http()).get(HOST, "/").status, 200);
    assert_eq!(backend.request().method, "GET");
}

#[test]
fn streams_in_both_directions_and_upgrades_are_not_buffered() {
    // Responds before the body has arrived, and then reads the rest.
    let backend = Backend::start(|connection| {
        while connection.head().is_some() {
            connection.take("4\r\nping\r\n".len());
            connection.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npong\r\n");
            connection.take("0\r\n\r\n".len());
            connection.send("0\r\n\r\n");
        }
    });
    let program = start(&route(&[&backend]));
    for kind in ["application/grpc", "application/grpc-web+proto", "application/connect+proto"] {
        let mut client = Client::connect(program.http());
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: {HOST}\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nping\r\n"
        ));
        assert_eq!(client.head().status, 200, "{kind}");
        assert_eq!(client.take(9), b"4\r\npong\r\n");
        client.send("0\r\n\r\n");
        assert_eq!(client.take(5), b"0\r\n\r\n");
    }

    let echo = websocket_echo();
    let program = start(&format!("[[routes]]\nhost = \"{HOST}\"\nbuffer = \"64KiB\"\n{}", upstream(&echo)));
    let stream = Client::connect(program.http()).stream;
    let (mut socket, _) = tungstenite::client(format!("ws://{HOST}/chat"), stream).unwrap();
    socket.send(Message::text("hello")).unwrap();
    assert_eq!(socket.read().unwrap(), Message::text("hello"));
}

#[test]
fn requests_without_a_body_pass_as_ever() {
    let (drops, works) = (dropping(), Backend::answering("done"));
    for way in WAYS {
        for (method, again) in [("GET", true), ("PUT", true), ("POST", false)] {
            let program = start(&route(&[&drops, &works]));
            let got = send(&program, way, request(way, method, of_known_length(Bytes::new()))).unwrap();
            assert_eq!(got.status, if again { 200 } else { 502 }, "{way:?} {method}");
        }
    }
}
