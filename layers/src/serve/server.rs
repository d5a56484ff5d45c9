//! The server as its users see it.

use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use super::{Ended, Protocol, served::Served, settings::ServerSettings};
use crate::{body::RequestBody, conn::ConnInfo, durations::bounded, silence::IntoRaw};

/// Serves HTTP on one connection after the other, behind a [`Gate`](crate::silence::Gate).
///
/// The service may answer, or return an error to end the connection in silence. Nothing at all is written until the
/// gate opens: through an [`OpenGateLayer`](crate::silence::OpenGateLayer) in the service, or from the start with a
/// [`ConnInfo`] such as that of [`ConnInfo::tls`]. See [`silence`](crate::silence) for an example.
///
/// A connection may be one of TCP, of a Unix socket or of TLS, a pipe in memory, or anything else that is [`IntoRaw`]. Errors
/// are answered by a [`RespondLayer`](crate::respond::RespondLayer) in the service.
///
/// Once the gate is open, an error ends an HTTP/2 connection with a GOAWAY, after its other streams have finished. A
/// [`HostRejected`](crate::host::HostRejected) that [is malformed](crate::host::HostRejected::is_malformed) is answered
/// with 400.
///
/// A connection of HTTP/1 that has not sent anything yet, or has had no request in flight for 20 ms, is held by no server
/// of HTTP and no buffer, and by no clone of the service but the one that was given: so it holds its IO and some 500 bytes,
/// where the future is a task of its own.
///
/// Connections share a runtime by turns: of HTTP/1, 64 KiB of a body, of HTTP/2, 8 polls of streams and 32 frames. So who
/// has a hundred requests in flight on a connection makes others wait no longer than who has a few.
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
/// // As at the stop of a server: what is in flight ends, then the connection does.
/// control.drain();
/// client.read_to_end(&mut Vec::new()).await?;
/// assert!(matches!(served.await?, Ended::Finished));
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
    /// With a silence deadline of 10 s, a keep-alive timeout of 75 s, 10 s for a head and 60 s for a step of a body;
    /// heads of 64 KiB and 100 fields, 128 streams.
    pub fn new() -> Self {
        Self(Arc::new(ServerSettings::new()))
    }

    /// How long a client may take to name a served host.
    #[must_use]
    pub fn silence_deadline(mut self, deadline: Duration) -> Self {
        self.settings().limits.silence_deadline = bounded(deadline);
        self
    }

    /// How long a connection may have no request in flight and no tunnel open, until the first byte of the next one; over HTTP/2, until
    /// the end of its head.
    #[must_use]
    pub fn keep_alive_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.keep_alive_timeout = bounded(timeout);
        self
    }

    /// How long the head of a request may take from its first byte on; as long as the gate is closed, the silence
    /// deadline counts instead. Over HTTP/2 a head that does not end is an idle connection.
    #[must_use]
    pub fn head_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.head_timeout = bounded(timeout);
        self
    }

    /// How long nothing may move once a response has begun: neither side of it nor of the body of its request.
    ///
    /// Over HTTP/1 each byte to or from the client is a step, over HTTP/2 each piece of a body that is taken for a
    /// stream of the connection and each DATA that is sent: PING and WINDOW_UPDATE are none. It may be noticed a fourth later. The connection
    /// ends with a RST, so that nobody takes what came for a whole response.
    ///
    /// A stream of HTTP/2 whose client leaves a piece of the response waiting for so long is reset, also beside others
    /// that move; where much is buffered for it, it has the time for each 16 KiB of that.
    #[must_use]
    pub fn body_timeout(mut self, timeout: Duration) -> Self {
        self.settings().limits.body_timeout = bounded(timeout);
        self
    }

    /// How many bytes the head of a request may have. Over HTTP/1, longer ones are answered with 431 or 414; over
    /// HTTP/2 with 431. As long as the gate is closed they end the connection in silence.
    #[must_use]
    pub fn max_head(mut self, bytes: u32) -> Self {
        self.settings().set_max_head(bytes);
        self
    }

    /// How many fields the head of a request of HTTP/1 may have; more are answered with 431, and with silence as long as
    /// the gate is closed. Another number than 100 costs an allocation a request.
    #[must_use]
    pub fn max_fields(mut self, count: usize) -> Self {
        self.settings().set_max_fields(count);
        self
    }

    /// How many requests a client of HTTP/2 may have open at a time on one connection. Further ones are refused.
    #[must_use]
    pub fn max_streams(mut self, count: u32) -> Self {
        self.settings().limits.max_streams = count;
        self
    }

    /// Takes requests of HTTP/2 for an upgrade (RFC 8441), and says so in its SETTINGS: for services behind an
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

    /// Serves `io` until it ends. `info` goes with each request; its control drains or silences the connection.
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

    /// To be changed, of this server alone.
    fn settings(&mut self) -> &mut ServerSettings {
        Arc::make_mut(&mut self.0)
    }
}
