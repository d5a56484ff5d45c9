use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use hyper::client::conn::http1::{self, SendRequest};
use pin_project_lite::pin_project;
use tokio::time::timeout;
use tower::{BoxError, Service, ServiceExt};

use super::{
    PoolError,
    age::MaxAge,
    bounds::{Connect, Sending},
    exchange::{Exchanged, exchange},
    idle::{Idle, PooledConnection},
    meter::{Meter, Metered},
    opening::{ConnectTimeout, GRACE},
    origin::{Origin, Returning},
    request::into_http1,
    stats::{Http1Open, PoolStats},
};
use crate::{
    body::{RequestBody, ResponseBody},
    durations::bounded,
};

/// Maximum size of a read, of the write buffer, of a response head and of a trailer section.
///
/// Each read becomes a piece of the response, and several pieces are buffered if a client does not read. With this size,
/// a body of 1 MiB takes a tenth less CPU time than with 64 KiB, because more of it is still in the cache when it is sent.
const MAX_BUFFER: usize = 32 * 1024;

/// A pool of HTTP/1.1 connections to one endpoint, as a service. It sends each request over an idle connection or a new
/// one.
///
/// A connection serves one request at a time, and becomes idle once the response has been read to its end. The number
/// of connections is not limited, so requests never wait for one another. If an idle connection turns out to be closed
/// before any of the request was sent, the next one is tried, and finally a new one. Clones are cheap and share the
/// connections.
///
/// By default, opening a connection can take 5 seconds; see [`connect_timeout`](Self::connect_timeout).
///
/// `NTLM` and `Negotiate` authenticate connections, not requests. A connection that may have been authenticated in this
/// way is not shared between clients. It is reserved for the client connection of the request, which is taken from
/// [`ConnInfo`](crate::conn::ConnInfo), and closed with it. If there is none, or if it is an HTTP/2 connection, which many
/// clients can share, the connection to the endpoint is closed after the response.
///
/// The scheme and the path of the endpoint's URI are ignored: the connector decides whether to use TLS, and requests have
/// their own path. A request without a `Host` header gets the host of its URI, or else that of the endpoint.
pub struct Pool<C> {
    shared: Arc<PoolShared<C>>,
    patience: Patience,
}

/// How long to wait for a new connection.
#[derive(Debug, Clone, Copy)]
struct Patience {
    /// How long connecting can take.
    timeout: Duration,
    /// How long a request waits for it.
    within: Option<Duration>,
}

struct PoolShared<C> {
    connector: C,
    endpoint: Uri,
    idle: Arc<Idle>,
}

impl<C> Pool<C> {
    /// Creates a pool that connects to `endpoint` with `connector`. It keeps up to 1024 idle connections, each for up to
    /// 60 seconds.
    pub fn new(connector: C, endpoint: Uri) -> Self {
        Self::with_limits(connector, endpoint, 1024, Duration::from_secs(60))
    }

    /// Like [`new`](Self::new), but keeps up to `max_idle` idle connections, each for up to `idle_timeout`.
    pub fn with_limits(connector: C, endpoint: Uri, max_idle: usize, idle_timeout: Duration) -> Self {
        Self {
            shared: Arc::new(PoolShared {
                connector,
                endpoint,
                idle: Arc::new(Idle::new(max_idle, bounded(idle_timeout), MaxAge::default())),
            }),
            patience: Patience { timeout: Duration::from_secs(5), within: None },
        }
    }

    /// Sets the maximum time to open a connection; 5 seconds by default.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.patience.timeout = bounded(timeout);
        self
    }

    /// Sets the maximum time that a request waits for a connection, if it is less than
    /// [`connect_timeout`](Self::connect_timeout).
    ///
    /// This leaves time for another endpoint. A connection that opens later is kept for the next request. The limit
    /// applies to this pool and to clones made from it.
    #[must_use]
    pub fn connect_within(mut self, share: Duration) -> Self {
        self.patience.within = Some(bounded(share));
        self
    }

    /// Sets the maximum age at which a connection accepts new requests; unlimited by default.
    ///
    /// Up to a tenth is taken off at random, so that connections are not all replaced at once. Under steady traffic, this
    /// is how a pool notices that a name has a new address.
    ///
    /// The returned pool has its own connections.
    #[must_use]
    pub fn max_age(self, age: Option<Duration>) -> Self
    where
        C: Clone,
    {
        let PoolShared { connector, endpoint, idle } = &*self.shared;
        let idle = Arc::new(idle.with_max_age(MaxAge::new(age)));
        let shared = Arc::new(PoolShared { connector: connector.clone(), endpoint: endpoint.clone(), idle });
        Self { shared, patience: self.patience }
    }

    /// The URI of the endpoint.
    pub fn endpoint(&self) -> &Uri {
        &self.shared.endpoint
    }

    /// Statistics of the connections, which can outlive the pool.
    pub fn stats(&self) -> &Arc<PoolStats> {
        self.shared.idle.stats()
    }
}

impl<C> Clone for Pool<C> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), patience: self.patience }
    }
}

impl<C> fmt::Debug for Pool<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("endpoint", &self.shared.endpoint).finish_non_exhaustive()
    }
}

impl<C: Connect, B> Service<Request<B>> for Pool<C>
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
        let request = request.map(RequestBody::new);
        let body = request.body();
        // Only with HTTP/2, a body can be declared empty before its end has arrived.
        if !body.is_end_stream() && body.size_hint().exact() == Some(0) {
            return Box::pin(self.clone().send_at_end(request));
        }
        self.send(request)
    }
}

impl<C: Connect> Pool<C> {
    /// Waits for the end of a body that was declared empty before sending the request. If data follows, the request is
    /// malformed (RFC 9113, 8.1.1) and must not reach an endpoint.
    async fn send_at_end(self, mut request: Request<RequestBody>) -> Result<Response<ResponseBody>, PoolError> {
        while let Some(frame) = poll_fn(|cx| Pin::new(request.body_mut()).poll_frame(cx)).await {
            if let Err(error) = frame {
                return Err(PoolError::body(error));
            }
        }
        self.send(request).await
    }

    #[inline]
    fn send(&self, mut request: Request<RequestBody>) -> Sending {
        let origin = Origin::from_request(&request);
        let origin = origin.own_host(into_http1(&mut request, &self.shared.endpoint));
        let shared = Arc::clone(&self.shared);
        if let Some(tied) = origin.tied(&shared.idle) {
            return Box::pin(shared.send_over(tied, request, origin, self.patience));
        }
        match shared.idle.take() {
            // Sent here, so that the box does not have to hold the request.
            Some(connection) => {
                let first = exchange(connection, request, origin, &shared.idle);
                Box::pin(Resending { first, shared: Some((shared, self.patience)), again: None })
            }
            None => Box::pin(shared.send(request, origin, self.patience)),
        }
    }
}

pin_project! {
    /// An exchange over an idle connection, or over another one if none of the request was sent.
    struct Resending<F, C> {
        #[pin]
        first: F,
        shared: Option<(Arc<PoolShared<C>>, Patience)>,
        // In its own box, because it is rare and large.
        again: Option<Sending>,
    }
}

impl<F, C: Connect> Future for Resending<F, C>
where
    F: Future<Output = Exchanged>,
{
    type Output = Result<Response<ResponseBody>, PoolError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        if let Some(again) = this.again {
            return again.as_mut().poll(cx);
        }
        let (mut error, origin) = match ready!(this.first.poll(cx)) {
            Ok(response) => return Poll::Ready(Ok(response)),
            Err(failed) => failed,
        };
        match (error.take_request(), this.shared.take()) {
            (Some(request), Some((shared, patience))) => {
                this.again.insert(Box::pin(shared.send(request, origin, patience))).as_mut().poll(cx)
            }
            _ => Poll::Ready(Err(error)),
        }
    }
}

impl<C: Connect> PoolShared<C> {
    /// Sends the request over the client's own connection, unless that has been closed.
    async fn send_over(
        self: Arc<Self>,
        tied: Returning,
        mut request: Request<RequestBody>,
        mut origin: Origin,
        patience: Patience,
    ) -> Result<Response<ResponseBody>, PoolError> {
        if let Some(connection) = tied.await.ok().filter(|connection| connection.sender.is_ready()) {
            let mut error;
            match exchange(connection, request, origin, &self.idle).await {
                Ok(response) => return Ok(response),
                Err(failed) => (error, origin) = failed,
            }
            request = error.take_request().ok_or(error)?;
        }
        self.send(request, origin, patience).await
    }

    async fn send(
        self: Arc<Self>,
        mut request: Request<RequestBody>,
        mut origin: Origin,
        patience: Patience,
    ) -> Result<Response<ResponseBody>, PoolError> {
        while let Some(connection) = self.idle.take() {
            let mut error;
            match exchange(connection, request, origin, &self.idle).await {
                Ok(response) => return Ok(response),
                Err(failed) => (error, origin) = failed,
            }
            request = error.take_request().ok_or(error)?;
        }
        let connection = match self.connection(patience).await {
            Ok(connection) => connection,
            Err(error) => {
                let error = PoolError::connect(error, request).restored(&origin);
                // Weak, because the error can outlive the pool.
                let pool = Arc::downgrade(&self);
                return Err(error.with_reconnect(move || Some(pool.upgrade()?.connect_ahead(patience))));
            }
        };
        let exchanged = exchange(connection, request, origin, &self.idle).await;
        exchanged.map_err(|(error, origin)| error.restored(&origin))
    }

    /// Opens a connection for the next request.
    async fn connect_ahead(self: Arc<Self>, patience: Patience) -> Result<(), BoxError> {
        let connection = self.connection(Patience { within: None, ..patience }).await?;
        self.idle.put(connection);
        Ok(())
    }

    /// Opens a new connection.
    async fn connection(&self, patience: Patience) -> Result<Box<PooledConnection>, BoxError> {
        let Patience { timeout: limit, within } = patience;
        let connecting = connect(self.connector.clone(), self.endpoint.clone(), Arc::clone(&self.idle));
        let mut connecting = Box::pin(timeout(limit + GRACE, connecting));
        let Some(within) = within.filter(|within| *within < limit) else {
            return connecting.await.map_err(|_| ConnectTimeout(limit))?;
        };
        if let Ok(Ok(connected)) = timeout(within, &mut connecting).await {
            return connected;
        }
        let idle = Arc::clone(&self.idle);
        tokio::spawn(async move {
            if let Ok(Ok(connection)) = connecting.await {
                idle.put(connection);
            }
        });
        Err(ConnectTimeout(within).into())
    }
}

async fn connect<C: Connect>(connector: C, endpoint: Uri, idle: Arc<Idle>) -> Result<Box<PooledConnection>, BoxError> {
    let end = idle.end();
    let io = connector.oneshot(endpoint).await.map_err(Into::into)?;
    let meter = Meter::new();
    let io = Metered::new(io, Arc::clone(&meter), Http1Open::new(idle.stats()));
    let (sender, connection): (SendRequest<RequestBody>, _) =
        http1::Builder::new().max_buf_size(MAX_BUFFER).max_header_size(MAX_BUFFER).handshake(io).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "connection to an endpoint broke");
        }
    });
    Ok(PooledConnection::new(sender, task.abort_handle(), meter, end))
}
