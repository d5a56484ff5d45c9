//! The clients besides the steady load, and how many of each kind there are.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use tokio::{
    task::JoinSet,
    time::{interval, timeout},
};

use super::{clients::Target, record::Record};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Tls,
    Http2,
    WebSocket,
    Upload,
    LeavesRequest,
    LeavesResponse,
    Resets,
}

/// Name, clients per second, and requests per client.
const KINDS: [(Kind, &str, u32, usize); 7] = [
    (Kind::Tls, "TLS", 10, 1),
    (Kind::Http2, "HTTP/2", 5, 20),
    (Kind::WebSocket, "WebSocket", 5, 1),
    (Kind::Upload, "upload", 5, 1),
    (Kind::LeavesRequest, "left during a request", 10, 1),
    (Kind::LeavesResponse, "left during a response", 10, 1),
    (Kind::Resets, "reset", 10, 1),
];

/// Clients of all kinds, which keep coming until this is stopped.
pub struct Clients {
    stop: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Clients {
    /// Stops starting clients, and waits for the current ones.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
    }
}

pub fn start(target: Target, record: Record) -> Clients {
    let stop = Arc::new(AtomicBool::new(false));
    let (stop_thread, target) = (Arc::clone(&stop), Arc::new(target));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let thread = thread::spawn(move || {
        runtime.block_on(async {
            let mut kinds = JoinSet::new();
            for kind in KINDS {
                kinds.spawn(repeat(kind, Arc::clone(&target), record.clone(), Arc::clone(&stop_thread)));
            }
            kinds.join_all().await;
        });
    });
    Clients { stop, thread }
}

async fn repeat(
    (kind, name, rate, requests): (Kind, &'static str, u32, usize),
    target: Arc<Target>,
    record: Record,
    stop: Arc<AtomicBool>,
) {
    let (mut ticks, mut clients) = (interval(Duration::from_secs(1) / rate), JoinSet::new());
    while !stop.load(Ordering::Relaxed) {
        ticks.tick().await;
        let (target, record) = (Arc::clone(&target), record.clone());
        clients.spawn(async move {
            let result = match timeout(Duration::from_secs(10), once(kind, &target)).await {
                Ok(result) => result.map_err(|error| error.to_string()),
                Err(_) => Err("no end in time".to_owned()),
            };
            record.add(name, requests, result);
        });
        while clients.try_join_next().is_some() {}
    }
    while clients.join_next().await.is_some() {}
}

async fn once(kind: Kind, target: &Target) -> Result<(), tower::BoxError> {
    match kind {
        Kind::Tls => target.tls().await,
        Kind::Http2 => target.http2(20).await,
        Kind::WebSocket => target.websocket(10).await,
        Kind::Upload => target.upload(1 << 20).await,
        Kind::LeavesRequest => target.leave_request().await,
        Kind::LeavesResponse => target.leave_response().await,
        Kind::Resets => target.reset().await,
    }
}
