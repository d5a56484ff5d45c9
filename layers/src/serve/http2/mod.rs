//! HTTP/2: many streams at a time, in turns with other connections, and limits for clients that keep the server busy
//! for nothing.
//!
//! ```text
//!  Gate ─▶ Counted ─▶ h2 ─▶ Streams ─▶ Dispatch
//!            │ Frames     finds the frames                │ a task for each
//!            │ Allowance  limits what they cost           │
//!            └ Reads ──────────▶ StreamTurns ◀────────────┘ whose turn it is
//! ```

mod allowance;
mod counted;
mod frames;
mod reads;
mod streams;
mod turns;

use std::pin::{Pin, pin};

use http::{Request, Response};
use http_body::Body;
use hyper::{
    rt::{Read, Write},
    server::conn::http2,
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tower::{BoxError, Service};

use self::{
    counted::Counted,
    streams::Streams,
    turns::{InTurns, StreamTurns},
};
use super::{
    dispatch::Dispatch,
    drive::{Driven, ServerConnection, drive},
    settings::Limits,
    state::ConnState,
    timing::Deadlines,
};
use crate::{body::RequestBody, conn::Control, silence::Gate};

pub(super) use streams::{Verdict, record_polled};

/// Bytes that a client may send on a stream, and on all streams of a connection, before they are read.
const STREAM_WINDOW: u32 = 256 * 1024;
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Response bytes buffered per stream.
const MAX_SEND_BUFFER: usize = 64 * 1024;

/// The most bytes that a trusted client may send ahead on all streams of a connection (RFC 9113, 6.9.1).
const MAX_WINDOW: u32 = (1 << 31) - 1;
/// Maximum number of reset streams of a trusted client at a time, whichever side reset them.
const MAX_RESET_TRUSTED: usize = 100_000;

/// Maximum number of requests that a client may reset before the server has accepted them (rapid reset). h2's default.
const MAX_RESET_EARLY: usize = 20;
/// Maximum number of streams that this side resets because the client broke a rule (MadeYouReset): as many as may be
/// open. Each is remembered for a second; h2's own limit of 1024 lets a client make it remember 10 MiB.
const MAX_RESET_HERE: usize = 128;

/// Serves the requests of a connection until it ends.
pub(super) async fn serve<IO, S, B>(
    limits: &Limits,
    gate: Gate<IO>,
    dispatch: Dispatch<S>,
    control: &Control,
    state: ConnState,
    deadlines: Deadlines,
) -> Driven
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>, Error: Into<BoxError>, Future: Send + 'static>
        + Clone
        + Send
        + 'static,
    B: Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let turns = StreamTurns::new(control.clone());
    let counted = Counted::new(gate, control.clone(), turns.clone());
    let counted = if limits.trusting { counted.trusting() } else { counted };
    let connection = builder(limits, &turns).serve_connection(TokioIo::new(counted), dispatch);
    drive(pin!(InTurns::new(connection, turns)), control, state, deadlines).await
}

/// An HTTP/2 server with the limits and turns of a connection.
fn builder(limits: &Limits, turns: &StreamTurns) -> http2::Builder<Streams> {
    // The streams of a trusted client belong to many users, who should not have to share the turns of one connection.
    let turns = (!limits.trusting).then(|| turns.clone());
    let mut http2 = http2::Builder::new(Streams::new(limits.stall_timeout, MAX_SEND_BUFFER, turns));
    let window = if limits.trusting {
        STREAM_WINDOW.saturating_mul(limits.max_streams).clamp(CONNECTION_WINDOW, MAX_WINDOW)
    } else {
        CONNECTION_WINDOW
    };
    let (reset_early, reset_here) =
        if limits.trusting { (MAX_RESET_TRUSTED, MAX_RESET_TRUSTED) } else { (MAX_RESET_EARLY, MAX_RESET_HERE) };
    http2
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(window)
        .max_send_buf_size(MAX_SEND_BUFFER)
        .max_concurrent_streams(limits.max_streams)
        .max_pending_accept_reset_streams(reset_early)
        .max_local_error_reset_streams(reset_here)
        .max_header_list_size(limits.max_head);
    if limits.extended_connect {
        http2.enable_connect_protocol();
    }
    http2
}

impl<I, S, B, E> ServerConnection for http2::Connection<I, S, E>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<BoxError>,
    I: Read + Write + Unpin,
    B: Body + 'static,
    B::Error: Into<BoxError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
