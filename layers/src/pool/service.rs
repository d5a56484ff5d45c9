use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use http::{Request, Response, StatusCode, Uri, Version};
use http_body::Body;
use hyper::{
    client::conn::http1::{self, SendRequest},
    rt::{Read, Write},
};
use tower::{BoxError, Service, ServiceExt};

use super::{
    PoolError, PooledBody,
    idle::{Connection, Idle},
    request::into_http1,
};

/// Sends requests to one endpoint, over a connection that waits for one or over a new one.
///
/// A connection serves one request at a time and waits for the next once the response was read to its end. There is no
/// limit to connections; requests never wait for one another. When nothing of a request was sent, because a waiting
/// connection ended just then, the next connection is tried, at last a new one. Clones share the connections.
pub struct Pool<C, B> {
    connector: C,
    endpoint: Uri,
    idle: Arc<Idle<B>>,
    max_idle: usize,
    idle_timeout: Duration,
}

impl<C, B: Send + 'static> Pool<C, B> {
    /// Connections to `endpoint`, made by `connector`; 1024 of them may wait, for 60 s each.
    pub fn new(connector: C, endpoint: Uri) -> Self {
        let (max_idle, idle_timeout) = (1024, Duration::from_secs(60));
        Self { connector, endpoint, idle: Arc::new(Idle::new(max_idle, idle_timeout)), max_idle, idle_timeout }
    }

    /// How many connections may wait for a request.
    #[must_use]
    pub fn max_idle(self, max_idle: usize) -> Self {
        Self { idle: Arc::new(Idle::new(max_idle, self.idle_timeout)), max_idle, ..self }
    }

    /// How long a connection may wait for a request.
    #[must_use]
    pub fn idle_timeout(self, idle_timeout: Duration) -> Self {
        Self { idle: Arc::new(Idle::new(self.max_idle, idle_timeout)), idle_timeout, ..self }
    }

    /// The endpoint.
    pub fn endpoint(&self) -> &Uri {
        &self.endpoint
    }
}

impl<C: Clone, B> Clone for Pool<C, B> {
    fn clone(&self) -> Self {
        Self {
            connector: self.connector.clone(),
            endpoint: self.endpoint.clone(),
            idle: Arc::clone(&self.idle),
            ..*self
        }
    }
}

impl<C, B> fmt::Debug for Pool<C, B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("endpoint", &self.endpoint).finish_non_exhaustive()
    }
}

impl<C, B> Service<Request<B>> for Pool<C, B>
where
    C: Service<Uri> + Clone + Send + 'static,
    C::Response: Read + Write + Unpin + Send + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Response = Response<PooledBody<B>>;
    type Error = PoolError<B>;
    // The one box a request: hyper's own future has no name.
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        into_http1(&mut request);
        let pool = self.clone();
        Box::pin(pool.send(request))
    }
}

impl<C, B> Pool<C, B>
where
    C: Service<Uri> + Send + 'static,
    C::Response: Read + Write + Unpin + Send + 'static,
    C::Error: Into<BoxError>,
    C::Future: Send,
    B: Body + Send + Unpin + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    async fn send(self, mut request: Request<B>) -> Result<Response<PooledBody<B>>, PoolError<B>> {
        while let Some(connection) = self.idle.take() {
            match exchange(connection, request, &self.idle).await {
                Err(mut error) => request = crate::balance::Unsent::take_request(&mut error).ok_or(error)?,
                response => return response,
            }
        }
        let connection = match connect(self.connector, self.endpoint).await {
            Ok(connection) => connection,
            Err(error) => return Err(PoolError::connect(error, request)),
        };
        exchange(connection, request, &self.idle).await
    }
}

async fn connect<C, B>(connector: C, endpoint: Uri) -> Result<Connection<B>, BoxError>
where
    C: Service<Uri>,
    C::Response: Read + Write + Unpin + Send + 'static,
    C::Error: Into<BoxError>,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    let io = connector.oneshot(endpoint).await.map_err(Into::into)?;
    let (sender, connection): (SendRequest<B>, _) = http1::Builder::new().handshake(io).await?;
    let task = tokio::spawn(async move {
        if let Err(error) = connection.with_upgrades().await {
            tracing::debug!(%error, "connection to an endpoint broke");
        }
    });
    Ok(Connection { sender, task: task.abort_handle() })
}

async fn exchange<B>(
    mut connection: Connection<B>,
    request: Request<B>,
    idle: &Arc<Idle<B>>,
) -> Result<Response<PooledBody<B>>, PoolError<B>>
where
    B: Body + Send + 'static,
{
    match connection.sender.try_send_request(request).await {
        Ok(mut response) => {
            // The version belongs to this hop.
            *response.version_mut() = Version::HTTP_11;
            Ok(if response.status() == StatusCode::SWITCHING_PROTOCOLS {
                response.map(PooledBody::unpooled)
            } else {
                response.map(|body| PooledBody::new(body, connection, Arc::clone(idle)))
            })
        }
        Err(mut error) => {
            let request = error.take_message();
            Err(PoolError::exchange(error.into_error(), request))
        }
    }
}
