use std::{sync::Arc, time::Duration};

use http::{Request, Response};
use http_body::Body;
use hyper::server::conn::{http1, http2};
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use super::{served::Served, streams::Streams, turn::Turns};
use crate::{body::RequestBody, conn::ConnInfo, durations::bounded, silence::IntoRaw};

/// The longest request head, in bytes; nginx takes 32 KiB, Envoy 60.
const MAX_HEAD: u32 = 64 * 1024;
/// Fields in a head of HTTP/1; hyper's, as HAProxy's and Envoy's, is 100 or so.
const MAX_FIELDS: usize = 100;
/// The longest read and the most bytes that wait to be written before the next is taken, of a connection of HTTP/1; or
/// the longest head, which has to fit in.
const MAX_BUFFER: usize = 64 * 1024;
/// What a client may send on an h2 stream, and on all streams of a connection, before it is read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Response bytes buffered for an h2 stream.
const MAX_SEND_BUFFER: usize = 64 * 1024;
/// Requests that an h2 client may have open at a time; the value of nginx.
const MAX_STREAMS: u32 = 128;

/// What a trusted client may send on all streams of a connection, at most (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// Streams of a trusted client that may be reset at a time, by it or here.
const MAX_RESET_TRUSTED: usize = 100_000;

/// Requests of an h2 client that it reset before they were looked at (rapid reset); the default of h2.
const MAX_RESET_EARLY: usize = 20;
/// Streams of an h2 client that were reset here because it broke a rule (MadeYouReset): one for each it may have open. Each
/// is remembered for a second; h2's own limit of 1024 lets a client make it remember 10 MiB.
const MAX_RESET_HERE: usize = 128;

/// Serves HTTP on one connection after the other, behind a [`Gate`](crate::silence::Gate).
///
/// The service may answer, or return an error to end the connection in silence. Nothing at all is written until the
/// gate opens: through an [`OpenGateLayer`](crate::silence::OpenGateLayer) in the service, or from the start with a
/// [`ConnInfo`] such as that of [`ConnInfo::tls`]. See [`silence`](crate::silence) for an example.
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
pub struct HttpServer(Arc<Settings>);

/// Each connection refers to them.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) http1: http1::Builder,
    /// Whether `http1` was told how many fields a head may have.
    fields_told: bool,
    pub(super) limits: Limits,
}

#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) silence_deadline: Duration,
    pub(super) keep_alive_timeout: Duration,
    pub(super) head_timeout: Duration,
    pub(super) body_timeout: Duration,
    max_head: u32,
    max_streams: u32,
    extended_connect: bool,
    pub(super) trusting: bool,
}

impl Limits {
    /// What speaks HTTP/2 within them on a connection with these turns.
    pub(super) fn http2(&self, turns: &Turns) -> http2::Builder<Streams> {
        // The streams of another node are those of many users.
        let turns = (!self.trusting).then(|| turns.clone());
        let mut http2 = http2::Builder::new(Streams::new(self.body_timeout, MAX_SEND_BUFFER, turns));
        let window = if self.trusting {
            STREAM_WINDOW.saturating_mul(self.max_streams).clamp(CONNECTION_WINDOW, MAX_WINDOW)
        } else {
            CONNECTION_WINDOW
        };
        let (reset_early, reset_here) =
            if self.trusting { (MAX_RESET_TRUSTED, MAX_RESET_TRUSTED) } else { (MAX_RESET_EARLY, MAX_RESET_HERE) };
        http2
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(window)
            .max_send_buf_size(MAX_SEND_BUFFER)
            .max_concurrent_streams(self.max_streams)
            .max_pending_accept_reset_streams(reset_early)
            .max_local_error_reset_streams(reset_here)
            .max_header_list_size(self.max_head);
        if self.extended_connect {
            http2.enable_connect_protocol();
        }
        http2
    }
}

impl Default for HttpServer {
    fn default() -> Self {
        Self::new()
    }
}

impl HttpServer {
    /// With a silence deadline of 10 s, a keep-alive timeout of 75 s, 10 s for a head and 60 s for a step of a body;
    /// heads of 64 KiB and 100 fields, 128 streams.
    pub fn new() -> Self {
        let mut http1 = http1::Builder::new();
        // Deadlines are the driver's: hyper's would be one more timer for each request.
        http1.header_read_timeout(None).max_header_size(MAX_HEAD as usize).max_buf_size(MAX_BUFFER);
        let limits = Limits {
            silence_deadline: Duration::from_secs(10),
            keep_alive_timeout: Duration::from_secs(75),
            head_timeout: Duration::from_secs(10),
            body_timeout: Duration::from_secs(60),
            max_head: MAX_HEAD,
            max_streams: MAX_STREAMS,
            extended_connect: false,
            trusting: false,
        };
        Self(Arc::new(Settings { http1, fields_told: false, limits }))
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
        self.settings().http1.max_header_size(bytes as usize).max_buf_size(MAX_BUFFER.max(bytes as usize));
        self.settings().limits.max_head = bytes;
        self
    }

    /// How many fields the head of a request of HTTP/1 may have; more are answered with 431, and with silence as long as
    /// the gate is closed. Another number than 100 costs an allocation a request.
    #[must_use]
    pub fn max_fields(mut self, count: usize) -> Self {
        let settings = self.settings();
        // hyper reads the default into a place on the stack, as long as it was never told any.
        if count != MAX_FIELDS || settings.fields_told {
            settings.http1.max_headers(count);
            settings.fields_told = true;
        }
        self
    }

    /// How many requests a client of HTTP/2 may have open at a time on one connection. Further ones are refused.
    #[must_use]
    pub fn max_streams(mut self, count: u32) -> Self {
        self.settings().limits.max_streams = count;
        self
    }

    /// Takes requests of HTTP/2 for an upgrade (RFC 8441), and says so in its SETTINGS: for services behind an
    /// [`ExtendedConnectLayer`](crate::extended_connect::ExtendedConnectLayer).
    #[must_use]
    pub fn extended_connect(mut self) -> Self {
        self.settings().limits.extended_connect = true;
        self
    }

    /// For clients of HTTP/2 that bring the requests of many others, and watch over these themselves, as other nodes do:
    /// they may cancel any number of requests, and each of their requests may have a full window of its body waiting,
    /// so that those of one do not hold up those of another.
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
    fn settings(&mut self) -> &mut Settings {
        Arc::make_mut(&mut self.0)
    }
}

/// What a client speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// HTTP/1.1 or 1.0.
    Http1,
    /// HTTP/2, as agreed by ALPN or known beforehand.
    Http2,
    /// HTTP/2 if the connection begins with its preface, else HTTP/1.
    Detect,
    /// As [`Detect`](Self::Detect), and the preface opens the gate: for clients that wait for SETTINGS before they
    /// send a request. Gives up silence to whoever speaks HTTP/2.
    DetectOpen,
}

/// How a connection ended.
#[derive(Debug)]
#[non_exhaustive]
pub enum Ended {
    /// In good order; or the connection was upgraded and lives on as a tunnel.
    Finished,
    /// No request for longer than the keep-alive timeout; or, while draining, for a second.
    Idle,
    /// The head of a request was not complete in time.
    HeadTimeout,
    /// The response or the rest of its request has not moved for too long.
    Stalled,
    /// No served host was named before the silence deadline.
    Deadline,
    /// The service answered with an error.
    Silenced,
    /// The client of HTTP/2 kept the server busy for nothing: frames that carry nothing, or requests that it reset.
    Flooded,
    /// The client broke the protocol or the connection.
    Failed(hyper::Error),
}
