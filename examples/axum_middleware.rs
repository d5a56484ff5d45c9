//! Six parts of a route's middleware around an axum app: response headers, an error page, allowed clients, a maintenance
//! switch, a rate limit and a limit of requests in flight. `Ctrl+C` turns maintenance on, and a second one ends the program.
//!
//! ```sh
//! cargo run --example axum_middleware      # or: -- PORT
//!
//! curl -i http://127.0.0.1:8080/           # HTTP/1.1 200 OK, x-frame-options: DENY, and: hello 127.0.0.1
//! # Two requests at once, then one a minute: 429 with Retry-After, and a page.
//! for i in 1 2 3; do curl -s -o /dev/null -w '%{http_code}\n' http://127.0.0.1:8080/; done
//! # Only loopback clients are allowed: 403. Requests from a proxy on 127.0.0.1 count for the client that it names.
//! curl -i -H 'X-Forwarded-For: 203.0.113.9' http://127.0.0.1:8080/
//! ```

use std::{net::SocketAddr, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
    http::{HeaderName, HeaderValue, Response, StatusCode},
    routing::get,
};
use pmesh_layers::{
    client_filter::ClientFilterLayer,
    conn::{ConnInfo, ConnInfoLayer},
    edit_headers::{EditResponseHeadersLayer, HeaderEdits},
    error_pages::ErrorPagesLayer,
    fixed_response::FixedResponse,
    forwarded::{ClientAddr, DistrustLayer, TrustedProxies},
    maintenance::{MaintenanceLayer, MaintenanceSwitch},
    max_in_flight::MaxInFlightLayer,
    rate_limit::{RateLimit, RateLimitLayer},
    respond::RespondLayer,
};
use tokio::{net::TcpListener, signal::ctrl_c};
use tower::{BoxError, ServiceBuilder};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    let headers = HeaderEdits::new().set(HeaderName::from_static("x-frame-options"), HeaderValue::from_static("DENY"));
    let slower = FixedResponse::new(StatusCode::TOO_MANY_REQUESTS)?
        .content_type(HeaderValue::from_static("text/html"))
        .body("<h1>Not so fast</h1>\n");
    let maintenance: MaintenanceSwitch<Body> = MaintenanceSwitch::new();

    let layers = ServiceBuilder::new()
        // Outermost, so that errors and the maintenance page get the header, too.
        .layer(EditResponseHeadersLayer::new(headers))
        .layer(ErrorPagesLayer::new().page(slower))
        // From here on, errors become responses: 403, 429 or 503.
        .layer(RespondLayer::new())
        // The three below need the address of the client: what axum knows, or what a proxy on this machine says.
        .layer(ConnInfoLayer::new(|extensions| {
            let ConnectInfo(peer) = extensions.get::<ConnectInfo<SocketAddr>>()?;
            Some(ConnInfo::plain(*peer))
        }))
        .layer(DistrustLayer::new(TrustedProxies::new(["127.0.0.0/8".parse()?])))
        .layer(ClientFilterLayer::new().allow(["127.0.0.0/8".parse()?]))
        .layer(MaintenanceLayer::new(maintenance.clone()))
        .layer(RateLimitLayer::new(RateLimit::new(1, Duration::from_secs(60))?.burst(2)?))
        .map_response(|response: Response<_>| response.map(Body::new))
        .layer(MaxInFlightLayer::new(100));
    let app = Router::new().route("/", get(hello)).layer(layers);

    let ended = async move {
        drop(ctrl_c().await);
        if let Ok(page) = FixedResponse::new(StatusCode::SERVICE_UNAVAILABLE) {
            maintenance.on(page.body("back soon\n"));
            println!("under maintenance");
        }
        drop(ctrl_c().await);
    };
    let app = app.into_make_service_with_connect_info::<SocketAddr>();
    axum::serve(listener, app).with_graceful_shutdown(ended).await?;
    Ok(())
}

async fn hello(request: Request) -> String {
    let client = ClientAddr::from_extensions(request.extensions());
    client.map_or_else(|| "hello stranger\n".into(), |client| format!("hello {client}\n"))
}
