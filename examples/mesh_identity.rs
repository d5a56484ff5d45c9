//! Two programs that trust each other because they share a secret. There are no certificates to create or distribute.
//! A program without the secret gets no byte.
//!
//! ```sh
//! export PMESH_SECRET=$(openssl rand -hex 32)
//! cargo run --example mesh_identity                    # berlin, the server; or: -- PORT
//!
//! # With the same PMESH_SECRET:
//! cargo run --example mesh_identity -- 127.0.0.1:8443  # paris, the client: hello paris, here is berlin
//! # With another:                                      # Error: "node berlin (127.0.0.1:8443) closed the connection ..."
//! openssl s_client -connect 127.0.0.1:8443             # unexpected eof while reading
//! ```

use std::{convert::Infallible, error::Error, net::SocketAddr, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, Response, server::conn::http2, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pmesh_layers::connect::SourceConnector;
use pmesh_layers::node::{NodeAcceptor, NodeConnector, NodeIdentity};
use pmesh_layers::{pool::Http2Pool, silence};
use tokio::net::{TcpListener, TcpStream};
use tower::{BoxError, ServiceExt};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let secret = std::env::var("PMESH_SECRET").map_err(|_| "PMESH_SECRET is not set")?.parse()?;
    let place = std::env::args().nth(1).unwrap_or_else(|| "8443".into());
    if let Ok(address) = place.parse::<SocketAddr>() {
        return send_request(NodeIdentity::new("example", "paris".parse()?, [&secret])?, address).await;
    }
    let acceptor = NodeAcceptor::new(NodeIdentity::new("example", "berlin".parse()?, [&secret])?);
    let listener = TcpListener::bind(("127.0.0.1", place.parse()?)).await?;
    println!("listening on {}", listener.local_addr()?);
    loop {
        tokio::spawn(serve(acceptor.clone(), listener.accept().await?.0));
    }
}

async fn serve(acceptor: NodeAcceptor, stream: TcpStream) {
    match acceptor.accept(stream, Duration::from_secs(10)).await {
        Ok((stream, peer, _term)) => {
            let hello = format!("hello {peer}, here is berlin\n");
            let answer = service_fn(|_| std::future::ready(Ok::<_, Infallible>(Response::new(hello.clone()))));
            // It does not matter here if the peer closes early.
            let _ = http2::Builder::new(TokioExecutor::new()).serve_connection(TokioIo::new(stream), answer).await;
        }
        Err(rejected) => silence::close(rejected.io).await,
    }
}

async fn send_request(identity: NodeIdentity, address: SocketAddr) -> Result<(), BoxError> {
    let connector = NodeConnector::new(SourceConnector::new(), identity, "berlin".parse()?);
    let pool = Http2Pool::new(connector, format!("https://{address}").parse()?);
    let response = pool.oneshot(Request::get("/").body(Empty::<bytes::Bytes>::new())?).await;
    let response = response.map_err(|error| error.source().map_or_else(|| error.to_string(), ToString::to_string))?;
    print!("{}", String::from_utf8_lossy(&response.into_body().collect().await?.to_bytes()));
    Ok(())
}
