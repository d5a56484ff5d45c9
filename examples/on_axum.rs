//! An axum router behind a silent TLS listener: it serves two names, and clients that ask for any other name get silence.
//!
//! Silence needs a server that can close a connection without a response, so this program accepts and serves connections
//! itself. `axum_serve.rs` shows what layers can do in front of an app under `axum::serve`.
//!
//! ```sh
//! cargo run --example on_axum              # or: -- PORT
//!
//! # Both names resolve to this machine. -k, because the authority is a new one each time.
//! alias c='curl -k --resolve "*:8443:127.0.0.1"'
//! c https://one.example:8443/              # hello from one.example
//! c https://two.example:8443/              # hello from two.example
//! # A served name, but not the name of the TLS connection: 421, so that clients open a new connection.
//! c -i -H 'Host: two.example' https://one.example:8443/   # HTTP/2 421
//! # A name that is not served gets no byte, neither in the handshake nor in a later request.
//! c https://other.example:8443/            # curl: (35) ...
//! c https://127.0.0.1:8443/                # curl: (35) ...
//! c --http1.1 -H 'Host: other.example' https://one.example:8443/   # curl: (52) Empty reply from server
//! ```

use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Extension, Router, routing::get};
use pmesh_layers::{
    conn::ConnInfo,
    host::{HostLayer, HostName, HostPattern, HostSet},
    identity::{Authority, Secret},
    respond::RespondLayer,
    serve::{HttpServer, Protocol},
    silence::{self, OpenGateLayer},
    sni::{SniAcceptor, SniMatchLayer},
};
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tower::{BoxError, ServiceBuilder};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(8443), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    // A certificate for each name. If you store the secret, the authority is the same each time.
    let authority = Authority::derive(&Secret::generate()?, "example")?;
    let hosts: [HostName; 2] = ["one.example".parse()?, "two.example".parse()?];
    let mut configs = HashMap::new();
    for host in hosts.clone() {
        let issued = authority.issue(&HostPattern::Exact(host.clone()), SystemTime::now())?;
        let mut config = ServerConfig::builder().with_no_client_auth().with_single_cert(issued.chain, issued.key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        configs.insert(host, Arc::new(config));
    }
    let acceptor = Arc::new(SniAcceptor::new(move |name: &HostName| configs.get(name).cloned()));

    let router =
        Router::new().route("/", get(async |Extension(host): Extension<HostName>| format!("hello from {host}\n")));

    let stack = ServiceBuilder::new()
        // The error of this layer closes the connection, so there must be no RespondLayer outside it.
        .layer(HostLayer::new(HostSet::new(hosts.map(HostPattern::Exact))))
        .layer(OpenGateLayer::new())
        // From here on, errors become responses: here a 421.
        .layer(RespondLayer::new())
        .layer(SniMatchLayer::new())
        .service(router);

    let server = HttpServer::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        let (acceptor, server, stack) = (Arc::clone(&acceptor), server.clone(), stack.clone());
        tokio::spawn(async move {
            match acceptor.accept(stream, Duration::from_secs(10)).await {
                Ok((tls, name)) => {
                    let http2 = tls.get_ref().1.alpn_protocol() == Some(b"h2");
                    let protocol = if http2 { Protocol::Http2 } else { Protocol::Http1 };
                    drop(server.serve(tls, ConnInfo::tls(peer, name), protocol, stack).await);
                }
                Err(rejected) => {
                    silence::close(rejected.io).await;
                }
            }
        });
    }
}
