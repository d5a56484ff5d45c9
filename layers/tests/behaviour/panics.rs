//! A service that panics on a request.

use http::{Request, Response};
use pmesh_layers::{body::RequestBody, serve::Protocol};
use tower::{BoxError, service_fn};

use super::support::{
    client::{Stack, connect_to, gated, get},
    http2::{self, RST_STREAM, frames_until},
};

fn panicking() -> Stack {
    gated(service_fn(async |request: Request<RequestBody>| {
        assert!(request.uri().path() != "/panic", "the panic of this test");
        Ok::<_, BoxError>(Response::new(String::from("fine")))
    }))
}

#[tokio::test(start_paused = true)]
async fn a_panic_closes_only_its_connection() {
    let stack = panicking();
    let mut other = connect_to(stack.clone(), Protocol::Http1);
    let mut client = connect_to(stack.clone(), Protocol::Http1);
    client.send(get("a.example", "/panic")).await;
    assert!(client.ended.await.unwrap_err().is_panic());
    for client in [&mut other, &mut connect_to(stack, Protocol::Http1)] {
        client.send(get("a.example", "/").replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n")).await;
        assert!(client.read_to_end().await.ends_with(b"fine"));
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_resets_only_its_http2_stream() {
    let mut client = connect_to(panicking(), Protocol::Http2);
    let panic = [(":method", "GET"), (":scheme", "http"), (":path", "/panic"), (":authority", "a.example")];
    client.send([http2::hello(), http2::get(1, "a.example"), http2::request(3, &panic)].concat()).await;
    frames_until(&mut client.io, |frame| frame.kind == RST_STREAM && frame.stream == 3).await;
    client.send(http2::get(5, "a.example")).await;
    frames_until(&mut client.io, |frame| frame.is_ok_response(5)).await;
}
