//! Arbitrary bytes from a client: a backend gets nothing ambiguous, and a client that names no served host gets no byte.
//!
//! The bytes pass through the server, the layers and the pool, to an in-memory backend with a strict parser.

#![no_main]

#[path = "../../tests/support/read.rs"]
#[expect(dead_code, reason = "the tests of the program use all of it")]
mod read;

use std::{
    convert::Infallible,
    sync::{Arc, Mutex},
    time::Duration,
};

use http::Uri;
use hyper_util::rt::TokioIo;
use libfuzzer_sys::fuzz_target;
use pmesh_layers::{
    conn::ConnInfo,
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostSet},
    pool::Pool,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
    trailers::TrailersLayer,
    upgrade::TunnelLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
    time::timeout,
};
use tower::{BoxError, ServiceBuilder, service_fn};

/// The bytes of each connection to the backend.
type Records = Arc<Mutex<Vec<Vec<u8>>>>;

const PIPE: usize = 256 * 1024;

fuzz_target!(|bytes: &[u8]| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let records = Records::default();
    let received = runtime.block_on(serve(bytes, &records));
    // Stops all tasks, so that the records do not change any more.
    drop(runtime);
    let mut requests = 0;
    for record in records.lock().unwrap().iter() {
        match read::judge(record) {
            Ok(complete) => requests += complete.len(),
            Err(fault) => panic!("{fault}: {}", record.escape_ascii()),
        }
    }
    // If the input does not contain the name of the served host, in upper or lower case, nothing may come back.
    let named = bytes.to_ascii_lowercase().windows(6).any(|window| window == b"a.test");
    assert!(named || requests == 0 && received.is_empty(), "a response to a stranger: {}", received.escape_ascii());
});

/// Serves `bytes` as if they came from one client. Returns what the client receives.
async fn serve(bytes: &[u8], records: &Records) -> Vec<u8> {
    let of_connector = Arc::clone(records);
    let connector = service_fn(move |_: Uri| {
        let (near, far) = duplex(PIPE);
        tokio::spawn(backend(far, Arc::clone(&of_connector)));
        async move { Ok::<_, Infallible>(TokioIo::new(near)) }
    });
    let pool = Pool::new(connector, Uri::from_static("http://backend"));
    let stack = ServiceBuilder::new()
        .layer(HostLayer::new(HostSet::new(["a.test".parse().unwrap()])))
        .layer(OpenGateLayer::new())
        .layer(DistrustLayer::new(TrustedProxies::none()))
        .layer(FramingLayer::new())
        .layer(TrailersLayer::new())
        .layer(HopByHopLayer::new())
        .layer(ForwardedLayer::new(TrustedProxies::none()))
        .layer(TunnelLayer::new())
        .map_err(BoxError::from)
        .service(pool);
    let (mut client, server) = duplex(PIPE);
    let info = ConnInfo::plain(([192, 0, 2, 1], 40000).into());
    let served = tokio::spawn(async move { HttpServer::new().serve(server, info, Protocol::Http1, stack).await });
    let _ = client.write_all(bytes).await;
    // The paused clock advances only when all tasks are idle, so a timeout here means that nothing else will arrive. Then the
    // client closes its side. Otherwise the server would wait for an endless body, one keep-alive timeout after another.
    let mut received = Vec::new();
    while let Ok(Ok(1..)) = timeout(Duration::from_secs(1), client.read_buf(&mut received)).await {}
    let _ = client.shutdown().await;
    let _ = client.read_to_end(&mut received).await;
    if let Err(error) = served.await {
        assert!(!error.is_panic(), "{error}");
    }
    received
}

/// Responds to each complete request, and records what it received.
async fn backend(mut io: DuplexStream, records: Records) {
    let index = {
        let mut all = records.lock().unwrap();
        all.push(Vec::new());
        all.len() - 1
    };
    let mut unread = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = io.read(&mut buffer).await {
        unread.extend_from_slice(&buffer[..count]);
        records.lock().unwrap()[index].extend_from_slice(&buffer[..count]);
        while let Ok(Some((request, used))) = read::request(&unread) {
            unread.drain(..used);
            let body: &[u8] = if request.method == "HEAD" { b"" } else { b"ok" };
            let answer = [b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", body].concat();
            if io.write_all(&answer).await.is_err() {
                return;
            }
        }
    }
}
