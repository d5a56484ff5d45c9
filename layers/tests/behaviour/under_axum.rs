//! All request layers work in front of an axum app under `axum::serve`.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::{ConnectInfo, Request},
    routing::{get, post},
};
use pmesh_layers::{
    body_limit::BodyLimitLayer,
    cdn_loop::CdnLoopLayer,
    conn::{ConnInfo, ConnInfoLayer},
    forwarded::{ClientAddr, DistrustLayer, ForwardedLayer, TrustedProxies},
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostSet},
    respond::RespondLayer,
    silence::OpenGateLayer,
    sni::SniMatchLayer,
    trailers::TrailersLayer,
    upgrade::{ExtendedConnectLayer, TunnelLayer},
    via::ViaLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};
use tower::ServiceBuilder;

async fn serve() -> SocketAddr {
    let layers = ServiceBuilder::new()
        .layer(RespondLayer::new())
        .layer(ConnInfoLayer::new(|extensions| {
            let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(ConnInfo::plain(*peer))
        }))
        .layer(HostLayer::new(HostSet::new(["a.example".parse().unwrap()])))
        .layer(OpenGateLayer::new())
        .layer(DistrustLayer::new(TrustedProxies::none()))
        .layer(TrailersLayer::new())
        .layer(SniMatchLayer::new())
        .layer(ExtendedConnectLayer::new())
        .layer(FramingLayer::new())
        .layer(HopByHopLayer::new())
        .layer(ForwardedLayer::new(TrustedProxies::none()))
        .layer(CdnLoopLayer::new("test").unwrap())
        .layer(ViaLayer::new("test").unwrap())
        .layer(TunnelLayer::new())
        .layer(BodyLimitLayer::new(Some(4)));
    let client = async |request: Request| ClientAddr::from_extensions(request.extensions()).unwrap().to_string();
    let app = Router::new().route("/", get(client)).route("/body", post(async |body: String| body)).layer(layers);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).into_future());
    address
}

#[tokio::test]
async fn each_request_gets_a_response() {
    let address = serve().await;
    for (request, status, body) in [
        ("GET / HTTP/1.1\r\nHost: a.example\r\n", "200 OK", "127.0.0.1"),
        ("GET / HTTP/1.1\r\nHost: b.example\r\n", "421 Misdirected Request", "421 Misdirected Request\n"),
        ("GET / HTTP/1.1\r\nHost: a,b\r\n", "400 Bad Request", "400 Bad Request\n"),
        ("TRACE / HTTP/1.1\r\nHost: a.example\r\n", "405 Method Not Allowed", "405 Method Not Allowed\n"),
        ("POST /body HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n", "200 OK", "four"),
        (
            "POST /body HTTP/1.1\r\nHost: a.example\r\nContent-Length: 5\r\n",
            "413 Payload Too Large",
            "413 Payload Too Large\n",
        ),
    ] {
        let mut client = TcpStream::connect(address).await.unwrap();
        let sent = if request.starts_with("POST") { "four" } else { "" };
        client.write_all(format!("{request}Connection: close\r\n\r\n{sent}").as_bytes()).await.unwrap();
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        let (head, text) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {head}");
        assert_eq!(text, body, "{request}");
    }
}
