//! A pool of TLS connections to a backend whose name is looked up by your own resolver.
//!
//! The backend is part of the example. Its name has two addresses, and nothing listens on the first.
//!
//! ```sh
//! cargo run --example connector_dns
//!
//! # looking up api.internal
//! # 200 OK from https://api.internal:...: hello 127.0.0.1, this is api.internal
//! # looking up other.internal
//! # error: no connection to the endpoint: ... cannot resolve other.internal: there is no such name
//! # error: no connection to the endpoint: http://api.internal:.../ asks for a connection without TLS: write https, ...
//! ```
//!
//! Without a resolver, a `SourceConnector` uses the system's.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use axum::{Extension, Router, routing::get};
use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Empty};
use pmesh_layers::{
    causes::with_causes,
    conn::ConnInfo,
    connect::{Name, Resolver, SourceConnector, TlsConnector},
    host::{HostName, HostPattern},
    identity::{Authority, Secret},
    pool::Pool,
    serve::{HttpServer, Protocol},
    sni::SniAcceptor,
};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::net::TcpListener;
use tower::{BoxError, ServiceExt, service_fn};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let authority = Authority::derive(&Secret::generate()?, "example")?;
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    println!("listening on {address}");
    tokio::spawn(serve(listener, server_config(&authority)?));

    // Port 0 means the port of the URI. The first address that accepts a connection is used.
    let resolver = Resolver::new(service_fn(async |name: Name| {
        println!("looking up {name}");
        match name.as_str() {
            "api.internal" => Ok(vec![SocketAddr::from(([127, 0, 0, 9], 0)), SocketAddr::from(([127, 0, 0, 1], 0))]),
            _ => Err("there is no such name"),
        }
    }));
    let mut roots = RootCertStore::empty();
    roots.add(authority.certificate_der().clone())?;
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let connector = TlsConnector::new(SourceConnector::new().resolver(resolver), config);

    let port = address.port();
    for endpoint in ["https://api.internal", "https://other.internal", "http://api.internal"] {
        let endpoint = format!("{endpoint}:{port}");
        let pool = Pool::new(connector.clone(), endpoint.parse()?);
        match pool.oneshot(Request::get("/").body(Empty::<Bytes>::new())?).await {
            Ok(response) => {
                let status = response.status();
                let text = response.into_body().collect().await?.to_bytes();
                println!("{status} from {endpoint}: {}", String::from_utf8_lossy(&text));
            }
            Err(error) => println!("error: {}", with_causes(&error)),
        }
    }
    Ok(())
}

fn server_config(authority: &Authority) -> Result<Arc<ServerConfig>, BoxError> {
    let issued = authority.issue(&"api.internal".parse::<HostPattern>()?, SystemTime::now())?;
    let config = ServerConfig::builder().with_no_client_auth().with_single_cert(issued.chain, issued.key)?;
    Ok(Arc::new(config))
}

/// The backend.
async fn serve(listener: TcpListener, config: Arc<ServerConfig>) -> Result<(), BoxError> {
    let hello = async |Extension(info): Extension<ConnInfo>| {
        format!("hello {}, this is {}", info.peer().ip(), info.server_name().map_or("nobody", HostName::as_str))
    };
    let app = Router::new().route("/", get(hello));
    let acceptor = SniAcceptor::new(move |name: &HostName| (name.as_str() == "api.internal").then(|| config.clone()));
    loop {
        let (stream, peer) = listener.accept().await?;
        let (acceptor, app) = (acceptor.clone(), app.clone());
        tokio::spawn(async move {
            if let Ok((tls, name)) = acceptor.accept(stream, Duration::from_secs(10)).await {
                HttpServer::new().serve(tls, ConnInfo::tls(peer, name), Protocol::Http1, app).await;
            }
        });
    }
}
