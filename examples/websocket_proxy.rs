//! A WebSocket proxy for HTTP/1.1 and HTTP/2 clients. The backend only needs HTTP/1.1.
//!
//! The backend is part of the example. It echoes each text message.
//!
//! ```sh
//! cargo run --example websocket_proxy      # or: -- PORT
//!
//! curl http://chat.localhost:8080/         # this is a WebSocket: ask for an upgrade
//! # In the console of a browser:
//! #   socket = new WebSocket("ws://chat.localhost:8080/");
//! #   socket.onmessage = (message) => console.log(message.data);
//! #   socket.send("hello");
//! ```
//!
//! Browsers open WebSockets over HTTP/2 only with TLS: see `sni_only.rs`.

use std::time::Duration;

use axum::{
    extract::ws::{Message, WebSocket, WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    response::{IntoResponse, Response},
    routing::any,
};
use pmesh_layers::{
    conn::ConnInfo,
    connect::SourceConnector,
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostSet},
    pool::Pool,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
    upgrade::{ExtendedConnectLayer, TunnelLayer},
};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    let backend = TcpListener::bind("127.0.0.1:0").await?;
    let endpoint = format!("http://{}", backend.local_addr()?).parse()?;
    tokio::spawn(axum::serve(backend, axum::Router::new().fallback(any(upgrade))).into_future());

    let stack = ServiceBuilder::new()
        .layer(HostLayer::new(HostSet::new(["chat.localhost".parse()?])))
        .layer(OpenGateLayer::new())
        // From here on, an upgrade over HTTP/2 looks like one over HTTP/1.1.
        .layer(ExtendedConnectLayer::new())
        .layer(FramingLayer::new())
        // Decides which `Upgrade` headers are forwarded.
        .layer(HopByHopLayer::new())
        // Copies bytes both ways until both sides have closed, or neither has sent any for ten minutes.
        .layer(TunnelLayer::new().timeout(Duration::from_secs(600)))
        .service(Pool::new(SourceConnector::new(), endpoint));

    let server = HttpServer::new().extended_connect();
    loop {
        let (stream, peer) = listener.accept().await?;
        let (server, stack) = (server.clone(), stack.clone());
        tokio::spawn(async move { server.serve(stream, ConnInfo::plain(peer), Protocol::Detect, stack).await });
    }
}

/// The backend.
async fn upgrade(request: Result<WebSocketUpgrade, WebSocketUpgradeRejection>) -> Response {
    match request {
        Ok(upgrade) => upgrade.on_upgrade(echo),
        Err(_) => "this is a WebSocket: ask for an upgrade\n".into_response(),
    }
}

async fn echo(mut socket: WebSocket) {
    while let Some(Ok(message)) = socket.recv().await {
        // axum itself replies to other messages, such as Close.
        if matches!(message, Message::Text(_)) && socket.send(message).await.is_err() {
            return;
        }
    }
}
