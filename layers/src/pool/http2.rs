use std::{
    fmt,
    future::Future,
    pin::pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, StatusCode, Uri};
use http_body::Body;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::time::{Instant, timeout_at};
use tower::{BoxError, Service, ServiceExt};

use super::{
    PoolError, PooledBody,
    age::MaxAge,
    bounds::{Connect, Sending},
    greeting::{Greeting, Http2Error},
    opening::{ConnectTimeout, GRACE, OpenFailure, Opening},
    request::{from_http2, into_http2},
    response::{check_http2, normalize},
    stats::{Http2Open, PoolStats},
    streams::{Connections, Load, StreamSlot},
};
use crate::{
    body::{RequestBody, ResponseBody},
    durations::bounded,
    upgrade::Outbound,
};

/// Enough for 40 MB/s at a round trip of 6 ms. Also the most that is buffered for a stream whose client does not read.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Maximum size of a response head, the same as for requests: enough for real services.
const MAX_HEAD: u32 = 64 * 1024;
/// How many times a request is tried. A connection that shuts down just as a request arrives returns the request. If
/// several in a row do that, it is no coincidence.
const ATTEMPTS: usize = 3;

/// A pool of HTTP/2 connections to one endpoint, as a service. It sends many requests at a time over few connections.
///
/// Use it only for endpoints that are known to speak HTTP/2. A new connection accepts requests once the peer's SETTINGS
/// have arrived, so that no request is sent to a peer that speaks another protocol. A connection carries as many
/// concurrent streams as its peer and [`max_streams`](Self::max_streams) allow; beyond that, another one is opened. After
/// a GOAWAY, a connection is closed with its last stream. If requests on a connection have waited for 10 seconds without
/// any part of a response, it accepts no new ones until something arrives; answers to PINGs do not count. Clones are cheap
/// and share the connections.
///
/// `:authority` is the `Host` of the request, or else the authority of its URI, or else that of the endpoint. `:scheme` is
/// the endpoint's.
///
/// The pool opens one connection at a time. The attempt continues even if the request that started it is cancelled, and
/// all waiting requests share the new connection or the error.
///
/// If the peer allows extended CONNECT (RFC 8441), a GET with `Upgrade` is sent as one, for the first protocol in the
/// header. A 200 response becomes a 101 with the `Sec-WebSocket-Accept` that the client expects, and a
/// [`TunnelLayer`](crate::upgrade::TunnelLayer) does the rest. Otherwise the request is sent without `Upgrade`, as if the
/// backend ignored it (RFC 9110, 7.8).
///
/// ```
/// use pmesh_layers::{connect::SourceConnector, pool::Http2Pool};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// // Without TLS. With it: `TlsConnector::new(connector, config).http2()` and an https URI.
/// let pool = Http2Pool::new(SourceConnector::new(), "http://127.1.0.1:50051".parse()?).max_streams(50);
/// # Ok(())
/// # }
/// ```
pub struct Http2Pool<C> {
    shared: Arc<Http2PoolShared<C>>,
    connect_within: Option<Duration>,
}

struct Http2PoolShared<C> {
    connector: C,
    settings: Http2PoolSettings,
    connections: Arc<Connections>,
    opening: Opening,
    stats: Arc<PoolStats>,
}

#[derive(Debug, Clone)]
struct Http2PoolSettings {
    endpoint: Uri,
    max_streams: u32,
    idle_timeout: Duration,
    max_age: MaxAge,
    connect_timeout: Duration,
    keep_alive: (Duration, Duration),
}

impl<C: Clone> Http2Pool<C> {
    /// Creates a pool that connects to `endpoint` with `connector`.
    ///
    /// By default, connecting can take 5 seconds, and each connection carries up to 100 streams and is closed after 60
    /// seconds without one.
    pub fn new(connector: C, endpoint: Uri) -> Self {
        let settings = Http2PoolSettings {
            endpoint,
            max_streams: 100,
            idle_timeout: Duration::from_secs(60),
            max_age: MaxAge::default(),
            connect_timeout: Duration::from_secs(5),
            keep_alive: (Duration::from_secs(300), Duration::from_secs(20)),
        };
        Self::from_settings(connector, settings)
    }

    /// Sets the maximum number of concurrent streams on a connection, at least 1; 100 by default. The peer can set a lower
    /// limit.
    #[must_use]
    pub fn max_streams(self, streams: u32) -> Self {
        self.with(|settings| settings.max_streams = streams.max(1))
    }

    /// Sets how long an idle connection is kept; 60 seconds by default. Idle connections are checked four times within this
    /// time, but at most once a second.
    #[must_use]
    pub fn idle_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.idle_timeout = bounded(timeout))
    }

    /// Sets the maximum age at which a connection accepts new requests; unlimited by default.
    ///
    /// Up to a tenth is taken off at random, so that connections are not all replaced at once. An old connection is closed
    /// with its last stream. Under steady traffic, this is how a pool notices that a name has a new address.
    #[must_use]
    pub fn max_age(self, age: Option<Duration>) -> Self {
        self.with(|settings| settings.max_age = MaxAge::new(age))
    }

    /// Sets the maximum time to open a connection, until the peer's SETTINGS have arrived; 5 seconds by default.
    #[must_use]
    pub fn connect_timeout(self, timeout: Duration) -> Self {
        self.with(|settings| settings.connect_timeout = bounded(timeout))
    }

    /// Sets the maximum time that a request waits for a connection, if it is less than
    /// [`connect_timeout`](Self::connect_timeout).
    ///
    /// This leaves time for another endpoint. The attempt to connect continues for later requests. The limit applies to
    /// this pool and to clones made from it.
    #[must_use]
    pub fn connect_within(mut self, share: Duration) -> Self {
        self.connect_within = Some(bounded(share));
        self
    }

    /// Sets when to send a PING and how long to wait for the answer; 5 minutes and 20 seconds by default.
    ///
    /// A PING is sent if the peer has been silent for `interval` while streams are open. The connection is closed if there
    /// is no answer within `timeout`. With a shorter interval than the default, gRPC servers close the connection.
    #[must_use]
    pub fn keep_alive(self, interval: Duration, timeout: Duration) -> Self {
        self.with(|settings| settings.keep_alive = (bounded(interval), bounded(timeout)))
    }

    /// Returns a pool with other settings and its own connections.
    fn with(self, change: impl FnOnce(&mut Http2PoolSettings)) -> Self {
        let mut settings = self.shared.settings.clone();
        change(&mut settings);
        Self { connect_within: self.connect_within, ..Self::from_settings(self.shared.connector.clone(), settings) }
    }

    fn from_settings(connector: C, settings: Http2PoolSettings) -> Self {
        let connections = Arc::new(Connections::new(settings.idle_timeout, settings.max_age));
        let shared = Arc::new(Http2PoolShared {
            connector,
            settings,
            connections,
            opening: Opening::default(),
            stats: Arc::default(),
        });
        Self { shared, connect_within: None }
    }

    /// The URI of the endpoint.
    pub fn endpoint(&self) -> &Uri {
        &self.shared.settings.endpoint
    }

    /// Statistics of the connections, which can outlive the pool.
    pub fn stats(&self) -> &Arc<PoolStats> {
        &self.shared.stats
    }
}

impl<C> Clone for Http2Pool<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), connect_within: self.connect_within }
    }
}

impl<C> fmt::Debug for Http2Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http2Pool").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

impl<C: Connect, B> Service<Request<B>> for Http2Pool<C>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    type Response = Response<ResponseBody>;
    type Error = PoolError;
    type Future = Sending;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        Box::pin(Arc::clone(&self.shared).send(request.map(RequestBody::new), self.connect_within))
    }
}

impl<C: Connect> Http2PoolShared<C> {
    async fn send(
        self: Arc<Self>,
        mut request: Request<RequestBody>,
        within: Option<Duration>,
    ) -> Result<Response<ResponseBody>, PoolError> {
        let (mut attempts, mut started) = (1, None);
        loop {
            let found = match self.connections.stream() {
                Some(found) => Ok(found),
                None => self.new_stream(within, *started.get_or_insert_with(Instant::now)).await,
            };
            let (sender, stream) = match found {
                Ok(found) => found,
                Err(error) => {
                    // Weak, because the error can outlive the pool.
                    let pool = Arc::downgrade(&self);
                    let connect = move || {
                        let shared = pool.upgrade()?;
                        Some(async move { Ok(shared.opening.join(|| Arc::clone(&shared).open()).await?) })
                    };
                    return Err(PoolError::connect_shared(error, request).with_reconnect(connect));
                }
            };
            let upgrade = Outbound::from_request(&request);
            let own_host = into_http2(&mut request, &self.settings.endpoint);
            let mut error = match exchange(sender, stream, request, upgrade, own_host).await {
                Ok(response) => return Ok(response),
                Err(error) => error,
            };
            if attempts == ATTEMPTS {
                return Err(error);
            }
            attempts += 1;
            request = error.take_request().ok_or(error)?;
        }
    }

    /// Returns a stream on a new connection, or on one where a stream has become free in the meantime.
    async fn new_stream(
        self: &Arc<Self>,
        within: Option<Duration>,
        started: Instant,
    ) -> Result<(SendRequest<RequestBody>, StreamSlot), OpenFailure> {
        match within.filter(|within| *within < self.settings.connect_timeout) {
            Some(within) => match timeout_at(started + within, self.search(started)).await {
                Ok(found) => found,
                Err(_) => Err(Arc::new(ConnectTimeout(within))),
            },
            // The attempt itself has a timeout, with a more precise error.
            None => self.search(started).await,
        }
    }

    async fn search(self: &Arc<Self>, started: Instant) -> Result<(SendRequest<RequestBody>, StreamSlot), OpenFailure> {
        let connect_timeout = self.settings.connect_timeout;
        loop {
            self.opening.join(|| Arc::clone(self).open()).await?;
            if let Some(found) = self.connections.stream() {
                return Ok(found);
            }
            // Other requests have taken all streams each time.
            if started.elapsed() >= connect_timeout {
                return Err(Arc::new(ConnectTimeout(connect_timeout)));
            }
        }
    }

    async fn open(self: Arc<Self>) -> Result<(), BoxError> {
        let Http2PoolSettings { endpoint, max_streams, connect_timeout, keep_alive: (interval, patience), .. } =
            &self.settings;
        let deadline = Instant::now() + *connect_timeout;
        let connecting = async {
            let io = self.connector.clone().oneshot(endpoint.clone()).await.map_err(Into::into)?;
            let (io, greeting) = Greeting::new(io);
            let (sender, connection) = Builder::new(TokioExecutor::new())
                .timer(TokioTimer::new())
                .initial_stream_window_size(STREAM_WINDOW)
                // A response that is not read must not hold up others on the same connection.
                .initial_connection_window_size(STREAM_WINDOW.saturating_mul(*max_streams).min(MAX_WINDOW))
                .max_header_list_size(MAX_HEAD)
                .keep_alive_interval(*interval)
                .keep_alive_timeout(*patience)
                .handshake(io)
                .await?;
            Ok::<_, BoxError>((sender, connection, greeting))
        };
        let connected = timeout_at(deadline + GRACE, connecting).await;
        let (sender, connection, greeting) = connected.map_err(|_| ConnectTimeout(*connect_timeout))??;
        let verdict = match timeout_at(deadline, greeting).await {
            Ok(Ok(verdict)) => verdict,
            Ok(Err(_)) => Err(Http2Error::Closed),
            Err(_) => Err(Http2Error::Timeout),
        };
        verdict.map_err(|source| NotHttp2 { endpoint: endpoint.clone(), source })?;
        let load = Load::new();
        let most = usize::try_from(*max_streams).unwrap_or(usize::MAX);
        load.set(connection.current_max_send_streams().min(most), connection.is_extended_connect_protocol_enabled());
        if !load.allows_any() {
            return Err(NoStream.into());
        }
        let limits = Http2Open::new(&self.stats, Arc::clone(&load));
        tokio::spawn(async move {
            let mut connection = pin!(connection);
            // The connection is polled for each request, which is often enough to notice new limits of the peer.
            let ended = std::future::poll_fn(|cx| {
                let polled = connection.as_mut().poll(cx);
                let accepts_upgrades = connection.is_extended_connect_protocol_enabled();
                limits.set(connection.current_max_send_streams().min(most), accepts_upgrades);
                polled
            });
            if let Err(error) = ended.await {
                tracing::debug!(%error, "connection to an endpoint broke");
            }
        });
        self.connections.add(sender, load);
        Ok(())
    }
}

/// The largest possible window (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;

/// Passes the request to the connection at once. The future waits for the response.
fn exchange(
    mut sender: SendRequest<RequestBody>,
    mut stream: StreamSlot,
    mut request: Request<RequestBody>,
    upgrade: Option<Outbound>,
    own_host: bool,
) -> impl Future<Output = Result<Response<ResponseBody>, PoolError>> + Send + use<> {
    let asked = stream.accepts_upgrades();
    if asked && let Some(upgrade) = &upgrade {
        upgrade.ask(&mut request);
    }
    let response = sender.try_send_request(request);
    async move {
        let response = response.await;
        stream.response_started();
        match response {
            Ok(mut response) => {
                check_http2(response.headers()).map_err(PoolError::response)?;
                normalize(&mut response);
                if asked && let Some(upgrade) = upgrade {
                    match upgrade.switch(&mut response, stream) {
                        Ok(()) => return Ok(response.map(|body| ResponseBody::pooled(PooledBody::unpooled(body)))),
                        Err(still_used) => stream = still_used,
                    }
                }
                let absent = matches!(response.status(), StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
                Ok(response.map(|body| {
                    ResponseBody::pooled(if absent {
                        PooledBody::absent(body)
                    } else {
                        PooledBody::on_stream(body, stream)
                    })
                }))
            }
            Err(mut error) => {
                let request = error.take_message().map(|request| from_http2(request, upgrade, own_host));
                Err(PoolError::exchange(error.into_error(), request))
            }
        }
    }
}

/// Adds the endpoint to an [`Http2Error`].
#[derive(Debug, thiserror::Error)]
#[error("{} does not speak HTTP/2", .endpoint.authority().map_or("the endpoint", |authority| authority.as_str()))]
struct NotHttp2 {
    endpoint: Uri,
    source: Http2Error,
}

/// The error of a peer that allows no stream at all.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the endpoint allows no request on a new connection (MAX_CONCURRENT_STREAMS is 0)")]
struct NoStream;
