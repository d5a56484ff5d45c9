use std::{future::Future, sync::Arc};

use http::{Request, Response};
use http_body::Body;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    time::{Instant, timeout_at},
};
use tower::{BoxError, Service};

use super::{
    Ended, Protocol,
    drive::{self, Deadlines, Driven},
    entry::Entry,
    http1, http2,
    settings::Settings,
};
use crate::{
    body::RequestBody,
    conn::{ConnInfo, Control},
    silence::{self, Gate, IntoRaw, Reclaim},
};

/// What is read of a client of HTTP/2 once its connection has ended, so that its GOAWAY is not overtaken by a RST: a full
/// read of hyper's beside what waits in a socket. Those that flood send more, and are not worth the reading.
const MOST_UNREAD: usize = 256 * 1024;

/// How far a connection was served.
pub(super) enum Awake<IO> {
    Ended(Ended),
    /// It may sleep, unless something was read that is none of a request so far.
    Idle(IO, Vec<u8>),
}

impl Settings {
    /// Serves `io`, of which `ahead` was read already, until it ends or may sleep.
    #[expect(
        clippy::manual_async_fn,
        reason = "callers that spawn it could not prove it `Send`: rust-lang/rust#100013"
    )]
    pub(super) fn awake<IO, S, B>(
        self: Arc<Self>,
        io: IO,
        ahead: Vec<u8>,
        info: ConnInfo,
        protocol: Protocol,
        deadline: Instant,
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
            let control = info.control().clone();
            let (gate, reclaim) = Gate::new(io, control.clone());
            let mut gate = gate.with_read_ahead(ahead);
            let mut abandoned = ResetIfCutShort { reclaim: &reclaim, control: &control, armed: true };
            let is_http2 = match protocol {
                Protocol::Http1 => Ok(false),
                Protocol::Http2 => Ok(true),
                Protocol::Detect | Protocol::DetectOpen => {
                    timeout_at(deadline, drive::detect_http2(&mut gate, &control)).await
                }
            };
            if is_http2 == Ok(true) && protocol == Protocol::DetectOpen {
                control.open_gate();
            }
            let entry = Entry::new(service, info);
            let deadlines = Deadlines {
                silence: deadline,
                keep_alive: self.limits.keep_alive_timeout,
                head: self.limits.head_timeout,
                body: self.limits.body_timeout,
                sleeps: is_http2 == Ok(false),
            };
            let (driven, unread) = match is_http2 {
                Ok(true) => (http2::serve(&self.limits, gate, entry, &control, deadlines).await, Vec::new()),
                Ok(false) => http1::serve(&self.http1, gate, entry, &control, deadlines).await,
                Err(_) => {
                    drop(gate);
                    (Driven::Ended(Ended::Deadline), Vec::new())
                }
            };
            abandoned.armed = false;
            let ended = match driven {
                Driven::Ended(ended) => ended,
                // Its gate is gone with the server.
                Driven::Idle => match reclaim.take() {
                    Some(io) => return Awake::Idle(io, unread),
                    None => Ended::Finished,
                },
            };
            // A connection in good order has sent its FIN. Input may be unread on all others, after a response that did
            // not wait for the end of the request, and wherever frames come that belong to none: closed now, the
            // connection would be reset. hyper takes for good order, too, that it gives up HTTP/2 because of a CONNECT
            // with a length.
            let read_all = is_http2 == Ok(false) || control.is_draining();
            let in_order = matches!(ended, Ended::Finished) && read_all && !control.had_body() && control.is_open();
            if !in_order && let Some(io) = reclaim.take() {
                // What the client has got must not pass for a whole response.
                let broken = matches!(ended, Ended::Stalled) || control.is_cut_short();
                // A client of HTTP/2 reads while it sends: it learns of the end without being read to its own.
                let floods = is_http2 == Ok(true) && control.is_open();
                match (broken, floods) {
                    (true, _) => io.reset(),
                    (false, true) => silence::close_within(io, MOST_UNREAD).await,
                    (false, false) => silence::close(io).await,
                }
            }
            Awake::Ended(ended)
        }
    }
}

/// Ends a connection that is dropped within a response, as at the end of a runtime.
struct ResetIfCutShort<'a, IO: IntoRaw> {
    reclaim: &'a Reclaim<IO>,
    control: &'a Control,
    armed: bool,
}

impl<IO: IntoRaw> Drop for ResetIfCutShort<'_, IO> {
    fn drop(&mut self) {
        if self.armed
            && self.control.is_cut_short()
            && let Some(io) = self.reclaim.take()
        {
            io.reset();
        }
    }
}
