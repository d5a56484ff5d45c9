//! Layers in front of an axum app under plain `axum::serve`. Requests for other hosts get a response of your choice.
//!
//! This server responds to every request, and even to input that is not a request, so it cannot be silent. To be silent, accept
//! connections yourself, as in `on_axum.rs`.
//!
//! ```sh
//! cargo run --example axum_serve           # or: -- PORT
//!
//! curl -H 'Host: app.example' http://127.0.0.1:8080/     # hello 127.0.0.1, this is app.example
//! curl -H 'Host: app.example' http://127.0.0.1:8080/x    # the 404 of the app
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
        // From here on, errors become responses. Without the extra row, the status would be 421 or 400.
        .layer(
            RespondLayer::new().on(|_: &HostRejected| (StatusCode::FORBIDDEN, "ask for app.example\n").into_response()),
        )
        .layer(HostLayer::new(HostSet::new(["app.example".parse()?])))
        // Converts what axum knows about the connection into the `ConnInfo` of these layers ...
        .layer(ConnInfoLayer::new(|extensions| {
            let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(ConnInfo::plain(*peer))
        }))
        // ... from which this layer determines the address of the client.
        .layer(DistrustLayer::new(TrustedProxies::none()));
    let app = Router::new().route("/", get(hello)).layer(layers);
    axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).await?;
    Ok(())
}

async fn hello(Extension(host): Extension<HostName>, request: Request) -> String {
    let client = ClientAddr::from_extensions(request.extensions())
        .map_or_else(|| "stranger".into(), |client| client.to_string());
    format!("hello {client}, this is {host}\n")
}
