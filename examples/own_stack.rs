//! A reverse proxy from layers of your choice, on your own listener, silent to clients that name no served host.
//!
//! The backend is part of the example.
//!
//! ```sh
//! cargo run --example own_stack            # or: -- PORT
//!
//! curl -H 'Host: hello.example' http://127.0.0.1:8080/     # hello.example asked by 127.0.0.1: GET /
//! curl -H 'Host: a.hello.example' http://127.0.0.1:8080/x  # a.hello.example asked by 127.0.0.1: GET /x
//! curl -H 'Host: a.hello.example' http://127.0.0.1:8080/   # 404 Not Found
//! curl -H 'Host: hello.example' http://127.0.0.1:8080/down # 502 Bad Gateway
//! curl http://127.0.0.1:8080/                              # curl: (52) Empty reply from server
//! curl -H 'Host: other.example' http://127.0.0.1:8080/     # curl: (52) Empty reply from server
//! ```

use axum::extract::Request;
use pmesh_layers::{
    conn::ConnInfo,
    connect::SourceConnector,
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostPattern, HostSet},
    pool::Pool,
    respond::RespondLayer,
    route::{PathPrefix, RouteTable, Router},
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
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
    tokio::spawn(axum::serve(backend, axum::Router::new().fallback(describe)).into_future());

    // Connections to the backend are reused. Each new one leaves from the next address of a loopback network.
    let connector = SourceConnector::new().subnet("127.2.0.0/16".parse()?);
    let pool = Pool::new(connector.clone(), endpoint);
    // Nothing listens there.
    let down = Pool::new(connector, "http://127.0.0.1:1".parse()?);

    let patterns: [HostPattern; 2] = ["hello.example".parse()?, "*.hello.example".parse()?];
    let [hello, below_hello] = patterns.clone();
    let mut routes = RouteTable::new();
    routes.insert(hello.clone(), PathPrefix::root(), pool.clone())?;
    routes.insert(hello, "/down".parse::<PathPrefix>()?, down)?;
    routes.insert(below_hello, "/x".parse::<PathPrefix>()?, pool)?;

    let stack = ServiceBuilder::new()
        // Errors of this layer leave the stack, so the connection is closed without a byte ...
        .layer(HostLayer::new(HostSet::new(patterns)))
        // ... while errors of the layers below become responses: 400, 404 or 502.
        .layer(OpenGateLayer::new())
        .layer(RespondLayer::new())
        .layer(DistrustLayer::new(TrustedProxies::none()))
        .layer(FramingLayer::new())
        .layer(HopByHopLayer::new())
        .layer(ForwardedLayer::new(TrustedProxies::none()))
        .service(Router::new(routes));

    let server = HttpServer::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        let (server, stack) = (server.clone(), stack.clone());
        tokio::spawn(async move { server.serve(stream, ConnInfo::plain(peer), Protocol::Detect, stack).await });
    }
}

/// The backend.
async fn describe(request: Request) -> String {
    let field = |name| request.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or("?");
    let (host, client) = (field("host"), field("x-forwarded-for"));
    format!("{host} asked by {client}: {} {}\n", request.method(), request.uri().path())
}
