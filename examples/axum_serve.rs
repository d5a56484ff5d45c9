//! Layers in front of an axum app under plain `axum::serve`. Requests for other hosts get an answer of your choice.
//!
//! Such a server answers every request, and even input that is no request, so it cannot be silent. For silence, accept
//! connections yourself, as in `on_axum.rs`.
//!
//! ```sh
//! cargo run --example axum_serve           # or: -- PORT
//!
//! curl -H 'Host: app.example' http://127.0.0.1:8080/     # hello 127.0.0.1, this is app.example
//! curl -H 'Host: app.example' http://127.0.0.1:8080/x    # 404 of the app
//! curl -i http://127.0.0.1:8080/                         # HTTP/1.1 403 Forbidden, and: ask for app.example
//! curl -i -H 'Host: a,b' http://127.0.0.1:8080/          # the same
//! ```

use std::net::SocketAddr;

use axum::{
    Extension, Router,
    extract::{ConnectInfo, Request},
    http::StatusCode,
    response::IntoResponse,
    routing::get,
};
use pmesh_layers::{
    conn::{ConnInfo, ConnInfoLayer},
    forwarded::{ClientAddr, DistrustLayer, TrustedProxies},
    host::{HostLayer, HostName, HostRejected, HostSet},
    respond::RespondLayer,
};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    let layers = ServiceBuilder::new()
        // From here on, errors are answered. Without the extra row, the answer would be 421 or 400.
        .layer(
            RespondLayer::new().on(|_: &HostRejected| (StatusCode::FORBIDDEN, "ask for app.example\n").into_response()),
        )
        .layer(HostLayer::new(HostSet::new(["app.example".parse()?])))
        // Converts what axum knows about the connection for these layers ...
        .layer(ConnInfoLayer::new(|extensions| {
            let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(ConnInfo::plain(*peer))
        }))
        // ... and for layers that need to know the client.
        .layer(DistrustLayer::new(TrustedProxies::none()));
    let app = Router::new().route("/", get(hello)).layer(layers);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn hello(Extension(host): Extension<HostName>, request: Request) -> String {
    let client = ClientAddr::of(request.extensions()).map_or_else(|| "stranger".into(), |client| client.to_string());
    format!("hello {client}, this is {host}\n")
}
