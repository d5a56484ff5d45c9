//! The server's public interface.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use super::{Ended, Protocol, served::Served, settings::ServerSettings};
use crate::{body::RequestBody, conn::ConnInfo, durations::bounded, silence::IntoRaw};

/// Serves HTTP on connections, behind a [`Gate`](crate::silence::Gate).
///
/// Nothing is written until the gate opens. An [`OpenGateLayer`](crate::silence::OpenGateLayer) in the service opens
/// it, or it is open from the start with a [`ConnInfo`] such as that of [`ConnInfo::tls`]. If the service returns an
/// error, the connection ends in silence; use a [`RespondLayer`](crate::respond::RespondLayer) in the service to answer
/// errors instead. See [`silence`](crate::silence) for an example.
///
/// A connection may be a TCP, Unix or TLS stream, a pipe in memory, or any other type that is [`IntoRaw`].
///
/// Once the gate is open, an error ends an HTTP/2 connection with a GOAWAY, after its other streams have finished. A
/// [`HostRejected`](crate::host::HostRejected) that [is malformed](crate::host::HostRejected::is_malformed) is answered
/// with 400.
///
/// An idle HTTP/1 connection is cheap. Before its first byte, and once no request has been in flight for 20 ms, it
/// holds no HTTP server and no buffer, and only the clone of the service that you passed: besides its IO, about 500
/// bytes if the future is spawned as a task of its own.
///
/// Connections on the same runtime take turns: an HTTP/1 connection moves 64 KiB of a body per turn, an HTTP/2
/// connection polls 8 streams and reads 32 frames. A connection with a hundred requests in flight therefore delays
/// others no longer than one with a few.
///
/// ```
/// use http::{Request, Response};
/// use pmesh_layers::{body::RequestBody, conn::ConnInfo, serve::{Ended, HttpServer, Protocol}, silence::OpenGateLayer};
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
/// use tower::{BoxError, ServiceBuilder};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), BoxError> {
/// let service = ServiceBuilder::new()
///     .layer(OpenGateLayer::new())
///     .service_fn(async |_: Request<RequestBody>| Ok::<_, BoxError>(Response::new(String::from("hello"))));
///
/// // Any connection; here, a pipe.
/// let (mut client, connection) = tokio::io::duplex(4096);
/// let info = ConnInfo::plain(([192, 0, 2, 1], 40000).into());
/// let control = info.control().clone();
/// let served = tokio::spawn(async move { HttpServer::new().serve(connection, info, Protocol::Http1, service).await });
///
/// client.write_all(b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n").await?;
/// let mut answer = [0; 15];
/// client.read_exact(&mut answer).await?;
/// assert_eq!(&answer, b"HTTP/1.1 200 OK");
///
/// // On shutdown: requests in flight complete, then the connection ends.
/// control.drain();
/// client.read_to_end(&mut Vec::new()).await?;
/// assert!(matches!(served.await?, Ended::Finished));
/// # Ok(())
/// # }
/// ```
///
/// An `axum::Router` is such a service, too. What extractors expect from `axum::serve` has to be put in:
///
/// ```
/// use axum::{Router, extract::ConnectInfo, routing::get};
/// use http::Request;
/// use pmesh_layers::{
///     body::RequestBody,
///     conn::ConnInfo,
///     host::{HostLayer, HostSet},
///     silence::OpenGateLayer,
/// };
/// use std::net::SocketAddr;
/// use tower::{BoxError, ServiceBuilder};
///
/// # fn main() -> Result<(), BoxError> {
/// let app: Router = Router::new().route("/", get(async |ConnectInfo(peer): ConnectInfo<SocketAddr>| peer.to_string()));
/// let service = ServiceBuilder::new()
///     .layer(HostLayer::new(HostSet::new(["app.example".parse()?])))
///     .layer(OpenGateLayer::new())
///     .map_request(|mut request: Request<RequestBody>| {
///         if let Some(peer) = request.extensions().get().map(ConnInfo::peer) {
///             request.extensions_mut().insert(ConnectInfo(peer));
///         }
///         request
///     })
///     .service(app);
/// # drop(async move {
/// #     let (_, pipe) = tokio::io::duplex(1);
/// #     use pmesh_layers::serve::{HttpServer, Protocol};
/// #     HttpServer::new().serve(pipe, ConnInfo::plain(([192, 0, 2, 1], 1).into()), Protocol::Detect, service).await
/// # });
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HttpServer(Arc<ServerSettings>);

impl Default for HttpServer {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpServer {
    /// Creates a server with the default settings: 10 s to name a served host (the silence deadline), 75 s keep-alive
    /// timeout, 10 s for a request head, 60 s without progress of a body, an hour if it is a stream; heads of at most
    /// 64 KiB and 100 fields, 128 concurrent requests over HTTP/2.
    pub fn new() -> Self {
        Self(Arc::new(ServerSettings::new()))
    }

    /// Maximum time for a client to name a served host.
    #[must_use]
    pub fn silence_deadline(mut self, deadline: Duration) -> Self {
        self.settings().limits.silence_deadline = bounded(deadline);
        self
    }

    /// Maximum time that a connection may have no request in flight and no tunnel open. It ends with the first byte of
    /// the next request; over HTTP/2, with the end of its head.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.keep_alive_timeout = bounded(timeout);
        self
    }

    /// Maximum time for the head of a request, from its first byte on. While the gate is closed, the silence deadline
    /// applies instead. An HTTP/2 connection with an unfinished head counts as idle.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.head_timeout = bounded(timeout);
        self
    }

    /// Maximum time without progress once a response has begun: neither in the response nor in the body of its request.
    ///
    /// Over HTTP/1, each byte to or from the client is progress. Over HTTP/2, progress is each piece of a body that is
    /// taken for a stream of the connection, and each DATA frame sent; PING and WINDOW_UPDATE do not count. A stall may
    /// be noticed a quarter of the timeout later. The connection then ends with a RST, so that the client does not
    /// mistake what has arrived for a whole response.
    ///
    /// An HTTP/2 stream is reset if its client leaves a piece of the response waiting for this long, even if other
    /// streams make progress. If much is buffered for the stream, its client gets this time for each 16 KiB.
    ///
    /// [`stream_timeout`](Self::stream_timeout) applies to event streams and gRPC instead. The service can set another
    /// timeout for a response, with a [`StallLayer`](crate::stall::StallLayer).
    #[must_use]
    pub fn stall_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.stall_timeout = bounded(timeout);
        self
    }

    /// Maximum time without progress for a response that is a stream, which may be quiet for long: an event stream
    /// (`text/event-stream`) or gRPC (`application/grpc`). An hour by default.
    ///
    /// While an HTTP/2 connection has such a stream, or a tunnel, or a response with a timeout of its own, it does not
    /// end because nothing moves. Instead, each of its streams is reset when it makes no progress for its own timeout. A
    /// response that has already stalled when the first of them begins is not noticed until the last of them has ended.
    #[must_use]
    pub fn stream_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.stream_timeout = bounded(timeout);
        self
    }

    /// Maximum length of a request head, in bytes. A longer head is answered with 431 or 414 over HTTP/1, with 431 over
    /// HTTP/2. While the gate is closed, it ends the connection in silence.
    #[must_use]
    pub fn max_head(mut self, bytes: u32) -> Self {
        self.settings().set_max_head(bytes);
        self
    }

    /// Maximum number of fields in the head of an HTTP/1 request. A request with more is answered with 431, or with
    /// silence while the gate is closed. Any number other than 100 costs an allocation per request.
    #[must_use]
    pub fn max_fields(mut self, count: usize) -> Self {
        self.settings().set_max_fields(count);
        self
    }

    /// Maximum number of open requests on an HTTP/2 connection. Further requests are refused.
    #[must_use]
    pub fn max_streams(mut self, count: u32) -> Self {
        self.settings().limits.max_streams = count;
        self
    }

    /// Accepts HTTP/2 requests for an upgrade (RFC 8441) and announces this in SETTINGS, for services behind an
    /// [`ExtendedConnectLayer`](crate::upgrade::ExtendedConnectLayer).
    #[must_use]
    pub fn extended_connect(mut self) -> Self {
        self.settings().limits.extended_connect = true;
        self
    }

    /// For HTTP/2 clients that are proxies themselves: they carry the requests of many clients and limit each of these.
    ///
    /// Such a client may cancel any number of requests, and each of its requests may have a full window of its body
    /// waiting, so that those of one client do not hold up those of another. A service that other programs call on their
    /// own behalf does not need it.
    #[must_use]
    pub fn trusting(mut self) -> Self {
        self.settings().limits.trusting = true;
        self
    }

    /// Serves `io` until the connection ends. Each request carries `info`, whose control can drain or silence the
    /// connection.
    pub fn serve<IO, S, B>(
        &self,
        io: IO,
        info: ConnInfo,
        protocol: Protocol,
        service: S,
    ) -> impl Future<Output = Ended> + Send + use<IO, S, B>
    where
        IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        Served::new(Arc::clone(&self.0), io, info, protocol, service)
    }

    /// The settings, to change for this server alone.
    fn settings(&mut self) -> &mut ServerSettings {
        Arc::make_mut(&mut self.0)
    }
}
