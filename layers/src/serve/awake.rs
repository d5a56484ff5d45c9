//! A connection while an HTTP server runs on it.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    sync::Arc,
    task::Poll,
};

use http::{Request, Response};
use http_body::Body;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tower::{BoxError, Service};

use super::{
    Ended, Protocol,
    dispatch::Dispatch,
    drive::Driven,
    ending::{ResetIfCutShort, close_awake},
    http1, http2,
    settings::ServerSettings,
    state::ConnState,
    timing::Deadlines,
};
use crate::{
    body::RequestBody,
    conn::{ConnInfo, Control},
    silence::{Gate, IntoRaw},
};

/// Why a server has stopped running on a connection.
pub(super) enum Awake<IO> {
    Ended(Ended),
    /// The connection can sleep if these bytes are empty. Otherwise they belong to the next request, and have already
    /// been read.
    Asleep(IO, Vec<u8>),
}

/// What a server needs to start on a connection.
pub(super) struct Woken<IO> {
    pub(super) io: IO,
    /// Bytes that have already been read.
    pub(super) ahead: Vec<u8>,
    pub(super) info: ConnInfo,
    pub(super) protocol: Protocol,
    pub(super) state: ConnState,
    /// When the client must have named a served host.
    pub(super) deadline: Instant,
}

impl ServerSettings {
    /// Serves a connection until it ends or can sleep.
    #[expect(
        clippy::manual_async_fn,
        reason = "the compiler could not prove that it is `Send` in callers that spawn it: rust-lang/rust#100013"
    )]
    pub(super) fn awake<IO, S, B>(
        self: Arc<Self>,
        woken: Woken<IO>,
        service: S,
    ) -> impl Future<Output = Awake<IO>> + Send
    where
        IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
        S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        S::Future: Send + 'static,
        B: Body + Send + 'static,
        B::Data: Send,
        B::Error: Into<BoxError>,
    {
        async move {
            let Woken { io, ahead, info, protocol, state, deadline } = woken;
            let control = info.control().clone();
            let (gate, reclaim) = Gate::new(io, control.clone());
            let mut gate = gate.with_read_ahead(ahead);
            let mut abandoned = ResetIfCutShort { reclaim: &reclaim, control: &control, armed: true };
            let is_http2 = match protocol {
                Protocol::Http1 => Ok(false),
                Protocol::Http2 => Ok(true),
                Protocol::Detect | Protocol::DetectOpen => {
                    timeout_at(deadline, detect_http2(&mut gate, &control)).await
                }
            };
            if is_http2 == Ok(true) && protocol == Protocol::DetectOpen {
                control.open_gate();
            }
            let dispatch = Dispatch::new(service, info, self.limits.stream_timeout);
            let deadlines = Deadlines {
                silence: deadline,
                keep_alive: self.limits.keep_alive_timeout,
                head: self.limits.head_timeout,
                body: self.limits.stall_timeout,
                sleeps: is_http2 == Ok(false),
            };
            let (driven, unread) = match is_http2 {
                Ok(true) => (http2::serve(&self.limits, gate, dispatch, &control, state, deadlines).await, Vec::new()),
                Ok(false) => http1::serve(&self.http1, gate, dispatch, &control, state, deadlines).await,
                Err(_) => {
                    drop(gate);
                    (Driven::Ended(Ended::SilenceDeadline), Vec::new())
                }
            };
            abandoned.armed = false;
            let ended = match driven {
                Driven::Ended(ended) => ended,
                // The gate was dropped with the server.
                Driven::Asleep => match reclaim.take() {
                    Some(io) => return Awake::Asleep(io, unread),
                    None => Ended::Finished,
                },
            };
            close_awake(&reclaim, &control, is_http2 == Ok(true), &ended).await;
            Awake::Ended(ended)
        }
    }
}

/// Whether the client speaks HTTP/2 from its first byte. `false` if the connection must end before that is known.
async fn detect_http2<IO: AsyncRead + Unpin>(gate: &mut Gate<IO>, control: &Control) -> bool {
    let mut preface = pin!(gate.starts_with_h2_preface());
    poll_fn(|cx| {
        control.register_driver(cx.waker());
        if control.is_draining() || control.is_silenced() {
            return Poll::Ready(false);
        }
        preface.as_mut().poll(cx).map(|found| found.unwrap_or(false))
    })
    .await
}
