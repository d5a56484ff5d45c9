//! The connector alone, under the client of hyper-util: each connection leaves from the next address of a subnet.
//!
//! One source address has about 28,000 ports per destination. With a subnet of source addresses, they do not run out.
//!
//! ```sh
//! cargo run --example connector_only       # or: -- PORT
//!
//! # Ten lines, one per connection, each from a different address of 127.2.0.0/16:
//! # a connection from 127.2.201.7
//! # ...
//! ```

use std::{net::SocketAddr, sync::Arc};

use axum::{Router, extract::ConnectInfo, routing::get};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::Uri;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use pmesh_layers::connect::SourceConnector;
use tokio::{net::TcpListener, sync::Barrier, task::JoinSet};
use tower::BoxError;

const CONNECTIONS: usize = 10;

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(0), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    let address = listener.local_addr()?;
    println!("listening on {address}");

    // The server responds with the client's address, but only once all requests have arrived. So no connection is reused.
    let all = Arc::new(Barrier::new(CONNECTIONS));
    let source_address = async move |ConnectInfo(peer): ConnectInfo<SocketAddr>| {
        all.wait().await;
        peer.ip().to_string()
    };
    let router = Router::new().route("/", get(source_address));
    tokio::spawn(axum::serve(listener, router.into_make_service_with_connect_info::<SocketAddr>()).into_future());

    let connector = SourceConnector::new().subnet("127.2.0.0/16".parse()?);
    let client: Client<_, Empty<Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
    let uri: Uri = format!("http://{address}/").parse()?;
    let mut requests: JoinSet<Result<Bytes, BoxError>> = (0..CONNECTIONS)
        .map(|_| {
            let response = client.get(uri.clone());
            async { Ok(response.await?.into_body().collect().await?.to_bytes()) }
        })
        .collect();
    while let Some(source) = requests.join_next().await {
        println!("a connection from {}", String::from_utf8_lossy(&source??));
    }
    Ok(())
}
