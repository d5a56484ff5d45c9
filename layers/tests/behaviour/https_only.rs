//! HTTPS behind a proxy that terminates TLS: an axum app that redirects plain requests, and sends HSTS with the others.

use std::net::SocketAddr;

use axum::{
    Router,
    extract::ConnectInfo,
    http::StatusCode,
    routing::{any, get},
};
use pmesh_layers::{
    conn::{ConnInfo, ConnInfoLayer},
    forwarded::{DistrustLayer, ForwardedLayer, TrustedProxies},
    host::{HostLayer, HostSet},
    hsts::HstsLayer,
    https_redirect::HttpsRedirectLayer,
    respond::RespondLayer,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::Duration,
};
use tower::ServiceBuilder;

async fn serve(trusted: TrustedProxies) -> SocketAddr {
    let layers = ServiceBuilder::new()
        .layer(RespondLayer::new())
        .layer(ConnInfoLayer::new(|extensions| {
            let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(ConnInfo::plain(*peer))
        }))
        .layer(HostLayer::new(HostSet::new(["a.example".parse().unwrap()])))
        .layer(DistrustLayer::new(trusted.clone()))
        .layer(ForwardedLayer::new(trusted))
        .layer(HstsLayer::new(Duration::from_secs(60)))
        .layer(HttpsRedirectLayer::new());
    let app = Router::new()
        .route("/", get(async || "hello"))
        .route("/failing", any(async || StatusCode::INTERNAL_SERVER_ERROR))
        .layer(layers);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(axum::serve(listener, app.into_make_service_with_connect_info::<SocketAddr>()).into_future());
    address
}

/// Sends a GET. Returns the status, `Location` and `Strict-Transport-Security` of the response.
async fn fetch(address: SocketAddr, path: &str, headers: &str) -> (u16, Option<String>, Option<String>) {
    let mut client = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: a.example:8080\r\n{headers}Connection: close\r\n\r\n");
    client.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    client.read_to_string(&mut answer).await.unwrap();
    let header = |name: &str| answer.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
    let status = answer["HTTP/1.1 ".len()..][..3].parse().unwrap();
    (status, header("location: "), header("strict-transport-security: "))
}

#[tokio::test]
async fn a_trusted_proxy_reports_whether_its_clients_use_tls() {
    let address = serve(TrustedProxies::new(["127.0.0.0/8".parse().unwrap()])).await;
    let hsts = || Some("max-age=60".to_owned());
    for (path, proto, expected) in [
        ("/", "X-Forwarded-Proto: https\r\n", (200, None, hsts())),
        ("/", "X-Forwarded-Proto: wss\r\n", (200, None, hsts())),
        ("/failing", "X-Forwarded-Proto: https\r\n", (500, None, hsts())),
        ("/?a=%2f", "X-Forwarded-Proto: http\r\n", (308, Some("https://a.example/?a=%2f".to_owned()), None)),
        ("/", "", (308, Some("https://a.example/".to_owned()), None)),
    ] {
        assert_eq!(fetch(address, path, proto).await, expected, "{path} {proto}");
    }
}

#[tokio::test]
async fn claims_of_untrusted_clients_are_ignored() {
    let address = serve(TrustedProxies::none()).await;
    let redirected = (308, Some("https://a.example/".to_owned()), None);
    for claim in ["", "X-Forwarded-Proto: https\r\n", "Forwarded: proto=https\r\n", "X_Forwarded_Proto: https\r\n"] {
        assert_eq!(fetch(address, "/", claim).await, redirected, "{claim}");
    }
}
