//! Your own layer between layers of this crate. It rejects some paths with its own error, which the stack turns into a response,
//! and marks the requests that it lets through.
//!
//! ```sh
//! cargo run --example custom_layer         # or: -- PORT
//!
//! curl -H 'Host: app.example' http://127.0.0.1:8080/           # GET / for the office
//! curl -i -H 'Host: app.example' http://127.0.0.1:8080/admin   # HTTP/1.1 503, retry-after: 3600, /admin is closed
//! curl -i -X TRACE -H 'Host: app.example' http://127.0.0.1:8080/   # HTTP/1.1 405, from the table of the crate
//! curl http://127.0.0.1:8080/                                  # curl: (52) Empty reply from server
//! ```

use std::task::{Context, Poll};

use http::{HeaderValue, Request, Response, StatusCode, header::RETRY_AFTER};
use pmesh_layers::{
    ResponseFuture,
    body::RequestBody,
    conn::ConnInfo,
    framing::FramingLayer,
    hop_by_hop::HopByHopLayer,
    host::{HostLayer, HostSet},
    respond::RespondLayer,
    serve::{HttpServer, Protocol},
    silence::OpenGateLayer,
};
use tokio::net::TcpListener;
use tower::{BoxError, Layer, Service, ServiceBuilder};

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let port = std::env::args().nth(1).map_or(Ok(8080), |port| port.parse())?;
    let listener = TcpListener::bind(("127.0.0.1", port)).await?;
    println!("listening on {}", listener.local_addr()?);

    let stack = ServiceBuilder::new()
        .layer(HostLayer::new(HostSet::new(["app.example".parse()?])))
        .layer(OpenGateLayer::new())
        // One extra row, for the error of the layer below. The table already covers the errors of the crate.
        .layer(RespondLayer::new().on(closed))
        .layer(FramingLayer::new())
        .layer(OfficeLayer { closed: "/admin" })
        .layer(HopByHopLayer::new())
        .service_fn(respond);

    let server = HttpServer::new();
    loop {
        let (stream, peer) = listener.accept().await?;
        let (server, stack) = (server.clone(), stack.clone());
        tokio::spawn(async move { server.serve(stream, ConnInfo::plain(peer), Protocol::Detect, stack).await });
    }
}

async fn respond(request: Request<RequestBody>) -> Result<Response<String>, BoxError> {
    let seen = request.headers().get("x-seen-by").and_then(|value| value.to_str().ok()).unwrap_or("nobody");
    Ok(Response::new(format!("{} {} for {seen}\n", request.method(), request.uri().path())))
}

/// Why the office rejects a request.
#[derive(Debug, thiserror::Error)]
#[error("{path} is closed")]
struct Closed {
    path: String,
}

fn closed(closed: &Closed) -> Response<String> {
    let mut response = Response::new(format!("{closed}\n"));
    *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("3600"));
    response
}

/// Rejects paths that begin with `closed`.
#[derive(Debug, Clone, Copy)]
struct OfficeLayer {
    closed: &'static str,
}

impl<S> Layer<S> for OfficeLayer {
    type Service = Office<S>;

    fn layer(&self, inner: S) -> Office<S> {
        Office { inner, closed: self.closed }
    }
}

#[derive(Debug, Clone)]
struct Office<S> {
    inner: S,
    closed: &'static str,
}

impl<S, B> Service<Request<B>> for Office<S>
where
    S: Service<Request<B>, Error: Into<BoxError>>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        if request.uri().path().starts_with(self.closed) {
            return ResponseFuture::error(Closed { path: request.uri().path().to_owned() });
        }
        request.headers_mut().insert("x-seen-by", HeaderValue::from_static("the office"));
        ResponseFuture::inner(self.inner.call(request))
    }
}
