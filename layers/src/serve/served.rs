use std::{
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use http_body::Body;
use pin_project_lite::pin_project;
use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt},
    time::{Instant, Sleep, sleep_until, timeout},
};
use tower::{BoxError, Service};

use super::{
    Ended, Protocol,
    awake::Awake,
    drive::FAREWELL,
    http1::{Input, poll_input},
    settings::Settings,
};
use crate::{
    body::RequestBody,
    conn::ConnInfo,
    silence::{self, IntoRaw},
};

pin_project! {
    /// A connection, until it ends.
    ///
    /// As long as it waits for a request, it holds no server of HTTP and no buffer; and it is written by hand, because an
    /// `async` block keeps some of what it holds in two or three places. Most connections of a busy host wait.
    pub(super) struct Served<IO, S> {
        settings: Arc<Settings>,
        // `None` while it is awake, and at its end.
        io: Option<IO>,
        info: ConnInfo,
        service: S,
        protocol: Protocol,
        // The gate, when it fell asleep.
        open: bool,
        #[pin]
        phase: Phase<IO>,
    }
}

pin_project! {
    #[project = PhaseProj]
    enum Phase<IO> {
        New,
        // For a request: until the silence deadline where the gate is closed, else for what is left of the time to keep
        // it alive.
        Asleep { #[pin] timer: Sleep },
        Awake { served: Pin<Box<dyn Future<Output = Awake<IO>> + Send>> },
        Ending { end: Pin<Box<dyn Future<Output = Ended> + Send>> },
    }
}

impl<IO, S> Served<IO, S> {
    pub(super) fn new(settings: Arc<Settings>, io: IO, info: ConnInfo, protocol: Protocol, service: S) -> Self {
        Self { settings, io: Some(io), info, service, protocol, open: false, phase: Phase::New }
    }
}

impl<IO, S, B> Future for Served<IO, S>
where
    IO: AsyncRead + AsyncWrite + IntoRaw + Unpin + Send + 'static,
    S: Service<Request<RequestBody>, Response = Response<B>> + Clone + Send + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    B: Body + Send + 'static,
    B::Data: Send,
    B::Error: Into<BoxError>,
{
    type Output = Ended;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Ended> {
        let mut this = self.project();
        let limits = &this.settings.limits;
        let control = this.info.control();
        loop {
            let next = match this.phase.as_mut().project() {
                // Clients of HTTP/2 get SETTINGS before they send anything.
                PhaseProj::New if *this.protocol == Protocol::Http2 => Next::Wake(Vec::new(), None),
                PhaseProj::New => Next::Sleep,
                PhaseProj::Asleep { timer } => {
                    let Some(io) = this.io.as_mut() else { return Poll::Ready(Ended::Finished) };
                    let deadline = (!*this.open).then(|| timer.deadline());
                    match ready!(poll_input(io, control, timer, cx)) {
                        Input::Bytes(bytes) => Next::Wake(bytes, deadline),
                        Input::End if control.is_silenced() => Next::Silence(Ended::Silenced),
                        // hyper finds out by itself what is there.
                        Input::End if !*this.open => Next::Wake(Vec::new(), deadline),
                        Input::End => Next::End(Ended::Finished),
                        Input::Late if !*this.open => Next::Silence(Ended::Deadline),
                        Input::Late => Next::End(Ended::Idle),
                    }
                }
                PhaseProj::Awake { served } => match ready!(served.as_mut().poll(cx)) {
                    Awake::Ended(ended) => return Poll::Ready(ended),
                    Awake::Idle(io, unread) => {
                        *this.io = Some(io);
                        *this.protocol = Protocol::Http1;
                        if unread.is_empty() { Next::Sleep } else { Next::Wake(unread, None) }
                    }
                },
                PhaseProj::Ending { end } => return end.as_mut().poll(cx),
            };
            let next = match (next, this.io.take()) {
                (_, None) => return Poll::Ready(Ended::Finished),
                (Next::Sleep, io) => {
                    *this.io = io;
                    *this.open = control.is_open();
                    let time = if *this.open {
                        limits.keep_alive_timeout.saturating_sub(control.idle_for().unwrap_or_default())
                    } else {
                        limits.silence_deadline
                    };
                    Phase::Asleep { timer: sleep_until(Instant::now() + time) }
                }
                (Next::Wake(ahead, deadline), Some(io)) => {
                    let deadline = deadline.unwrap_or_else(|| Instant::now() + limits.silence_deadline);
                    let (settings, info) = (Arc::clone(this.settings), this.info.clone());
                    let service = this.service.clone();
                    let served = settings.awake(io, ahead, info, *this.protocol, deadline, service);
                    Phase::Awake { served: Box::pin(served) }
                }
                (Next::End(ended), Some(io)) => Phase::Ending { end: Box::pin(end(io, ended)) },
                (Next::Silence(ended), Some(io)) => Phase::Ending { end: Box::pin(silence(io, ended)) },
            };
            this.phase.set(next);
        }
    }
}

enum Next {
    Sleep,
    /// With what was read, and until the deadline for who has to name a host.
    Wake(Vec<u8>, Option<Instant>),
    End(Ended),
    Silence(Ended),
}

/// The client has got all that it asked for. One that takes nothing does not hold this up.
async fn end<IO: AsyncWrite + Unpin>(mut io: IO, ended: Ended) -> Ended {
    let _ = timeout(FAREWELL, io.shutdown()).await;
    ended
}

async fn silence<IO: IntoRaw>(io: IO, ended: Ended) -> Ended {
    silence::close(io).await;
    ended
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_holds_five_words_and_a_timer() {
        // With those, two of the program's worker and what tokio has beside them, a task takes 256 bytes; the next size of
        // the allocator is twice that.
        assert!(size_of::<Served<Box<u8>, Arc<u8>>>() <= size_of::<Sleep>() + 5 * size_of::<usize>());
    }
}
