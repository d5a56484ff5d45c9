//! The demo's backend: a page, an echo over WebSocket, and a health check.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use axum::{
    Router,
    extract::{
        ConnectInfo, WebSocketUpgrade,
        connect_info::Connected,
        ws::{Message, WebSocket},
    },
    http::{
        HeaderMap, StatusCode,
        header::{ACCEPT, CACHE_CONTROL},
    },
    response::{Html, IntoResponse, Response},
    routing::{any, get},
    serve::IncomingStream,
};
use tokio::{net::TcpListener, sync::oneshot};
use tower::BoxError;

use super::seen::Seen;

/// The longest message that is echoed, in bytes.
const MAX_MESSAGE: usize = 64 * 1024;

/// A backend that runs on its own thread until it is dropped.
#[derive(Debug)]
pub(super) struct Backend {
    address: SocketAddr,
    /// `None` only in `drop`. Dropping the sender stops the thread.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Backend {
    /// Listens on `ip`, on a port that the kernel picks.
    pub(super) fn start(ip: Ipv4Addr) -> Result<Self, BoxError> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let listener = runtime.block_on(TcpListener::bind((ip, 0))).map_err(|error| NoAddress { ip, error })?;
        let address = listener.local_addr()?;
        let (stop, stopped) = oneshot::channel::<()>();
        let thread = thread::Builder::new().name("demo-backend".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    // The receiver gets an error when the sender is dropped.
                    _ = stopped => {}
                    _ = axum::serve(listener, app().into_make_service_with_connect_info::<Upstream>()) => {}
                }
            });
        })?;
        Ok(Self { address, stop: Some(stop), thread: Some(thread) })
    }

    /// The address it listens on.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic of the thread has already been reported.
            let _ = thread.join();
        }
    }
}

/// The backend cannot listen on its address.
#[derive(Debug, thiserror::Error)]
#[error(
    "cannot listen on {ip} for the demo's backend\n  it is the first address of subnet_service; if 127.0.0.1 is the only \
     loopback address on this system, use --subnet-service 127.0.0.0/24"
)]
struct NoAddress {
    ip: Ipv4Addr,
    #[source]
    error: io::Error,
}

/// A connection from the proxy.
#[derive(Debug, Clone)]
struct Upstream {
    source: SocketAddr,
    backend: Option<SocketAddr>,
    requests: Arc<AtomicU64>,
}

impl Connected<IncomingStream<'_, TcpListener>> for Upstream {
    fn connect_info(stream: IncomingStream<'_, TcpListener>) -> Self {
        let backend = stream.io().local_addr().ok();
        Self { source: *stream.remote_addr(), backend, requests: Arc::default() }
    }
}

fn app() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/ws", any(websocket))
        .route("/health", get("ok\n"))
        .fallback((StatusCode::NOT_FOUND, "not found; the demo has /, /ws and /health\n"))
}

async fn page(ConnectInfo(upstream): ConnectInfo<Upstream>, headers: HeaderMap) -> Response {
    let seen = upstream.see(&headers);
    let wants_html = headers.get_all(ACCEPT).iter().any(|accept| {
        let ranges = accept.to_str().unwrap_or_default();
        ranges.split(',').any(|range| range.trim_start().starts_with("text/html"))
    });
    let body = if wants_html { Html(seen.html()).into_response() } else { seen.text().into_response() };
    ([(CACHE_CONTROL, "no-store")], body).into_response()
}

async fn websocket(
    ConnectInfo(upstream): ConnectInfo<Upstream>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    let greeting = upstream.see(&headers).greeting();
    upgrade.max_message_size(MAX_MESSAGE).on_upgrade(|socket| echo(socket, greeting))
}

async fn echo(mut socket: WebSocket, greeting: String) {
    let mut next = Some(Message::text(greeting));
    while let Some(message) = next {
        // axum itself replies to pings and close frames.
        if matches!(message, Message::Text(_) | Message::Binary(_)) && socket.send(message).await.is_err() {
            return;
        }
        next = socket.recv().await.and_then(Result::ok);
    }
}

impl Upstream {
    fn see(&self, headers: &HeaderMap) -> Seen {
        let request = self.requests.fetch_add(1, Ordering::Relaxed) + 1;
        Seen::new(headers, self.source, self.backend, request)
    }
}
