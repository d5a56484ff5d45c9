//! Truncated responses: everything that arrived is forwarded, and then the connection or stream ends.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Request, Response, header::CONTENT_LENGTH};
use http_body::Frame;
use http_body_util::StreamBody;
use pmesh_layers::{
    body::RequestBody,
    conn::ConnInfo,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tower::{BoxError, ServiceBuilder};

use super::support::http2::{self, DATA, HEADERS, RST_STREAM};

/// A client of a service whose responses break off after `pieces`, which are all available at once.
fn connect(pieces: &'static [&'static str], has_length: bool, protocol: Protocol, pipe: usize) -> DuplexStream {
    let stack = ServiceBuilder::new().layer(OpenGateLayer::new()).service_fn(move |_: Request<RequestBody>| {
        let frames = pieces.iter().map(|piece| Ok(Frame::data(Bytes::from_static(piece.as_bytes()))));
        let broken = std::iter::once(Err(BoxError::from("broken off")));
        let mut response = Response::new(StreamBody::new(futures_util::stream::iter(frames.chain(broken))));
        if has_length {
            response.headers_mut().insert(CONTENT_LENGTH, 100.into());
        }
        std::future::ready(Ok::<_, BoxError>(response))
    });
    let (client, server) = tokio::io::duplex(pipe);
    let info = ConnInfo::plain(SocketAddr::from(([192, 0, 2, 1], 40000)));
    tokio::spawn(async move { HttpServer::new().serve(server, info, protocol, stack).await });
    client
}

#[tokio::test(start_paused = true)]
async fn http1_clients_get_everything_before_the_break_even_if_they_are_slow() {
    for version in ["1.1", "1.0"] {
        for (pieces, has_length) in [(&[][..], true), (&[], false), (&["ab", "cd"], true), (&["ab", "cd"], false)] {
            for pipe in [1, 16, 4096] {
                let mut client = connect(pieces, has_length, Protocol::Http1, pipe);
                client.write_all(format!("GET / HTTP/{version}\r\nHost: a\r\n\r\n").as_bytes()).await.unwrap();
                let mut all = String::new();
                client.read_to_string(&mut all).await.unwrap();
                let case = format!("HTTP/{version}, {pieces:?}, {has_length}, {pipe}: {all:?}");
                let (head, body) = all.split_once("\r\n\r\n").expect(&case);
                assert!(head.starts_with(&format!("HTTP/{version} 200 OK\r\n")), "{case}");
                assert_eq!(head.contains("content-length: 100"), has_length, "{case}");
                let chunked = version == "1.1" && !has_length;
                let expected: String = pieces
                    .iter()
                    .map(|piece| if chunked { format!("{}\r\n{piece}\r\n", piece.len()) } else { (*piece).to_owned() })
                    .collect();
                assert_eq!(body, expected, "{case}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn http2_clients_get_everything_before_the_break() {
    for pieces in [&[][..], &["ab", "cd"]] {
        let mut client = connect(pieces, true, Protocol::Http2, 4096);
        client.write_all(&[http2::hello(), http2::get(1, "a")].concat()).await.unwrap();
        let frames = http2::frames_until(&mut client, |frame| frame.kind == RST_STREAM).await;
        let of_stream: Vec<_> = frames.iter().filter(|frame| frame.stream == 1).collect();
        assert!(of_stream[0].is_ok_response(1) && of_stream[0].kind == HEADERS, "{frames:?}");
        let data: Vec<_> =
            of_stream.iter().filter(|frame| frame.kind == DATA).flat_map(|frame| frame.payload.clone()).collect();
        assert_eq!(data, pieces.concat().into_bytes(), "{frames:?}");
    }
}
