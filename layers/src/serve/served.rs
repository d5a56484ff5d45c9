//! The future that serves a connection.

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
    io::{AsyncRead, AsyncWrite},
    time::{Instant, Sleep, sleep_until},
};
use tower::{BoxError, Service};

use super::{
    Ended, Protocol,
    awake::{Awake, Woken},
    ending::close_asleep,
    http1::poll_asleep,
    settings::ServerSettings,
    state::{Action, ConnState, Event},
};
use crate::{body::RequestBody, conn::ConnInfo, silence::IntoRaw};

pin_project! {
    /// Serves a connection until it ends.
    ///
    /// While it waits for a request, it holds no HTTP server and no buffer, because most connections of a busy host are
    /// waiting. It is written by hand because an `async` block would store some of its values two or three times.
    pub(super) struct Served<IO, S> {
        settings: Arc<ServerSettings>,
        // `None` while a server runs, and at the end.
        io: Option<IO>,
        info: ConnInfo,
        service: S,
        protocol: Protocol,
        // Not updated while a server runs: the server has a state of its own.
        state: ConnState,
        #[pin]
        work: Work<IO>,
    }
}

pin_project! {
    // What has to be done in the current state.
    #[project = WorkProj]
    enum Work<IO> {
        Begin,
        // Until the silence deadline if the gate is closed, otherwise for the rest of the keep-alive timeout.
        Sleep { #[pin] timer: Sleep },
        Serve { awake: Pin<Box<dyn Future<Output = Awake<IO>> + Send>> },
        Close { end: Pin<Box<dyn Future<Output = Ended> + Send>> },
    }
}

impl<IO, S> Served<IO, S> {
    pub(super) fn new(settings: Arc<ServerSettings>, io: IO, info: ConnInfo, protocol: Protocol, service: S) -> Self {
        Self { settings, io: Some(io), info, service, protocol, state: ConnState::New, work: Work::Begin }
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
            let (mut ahead, mut deadline) = (Vec::new(), None);
            let (state, action) = match this.work.as_mut().project() {
                // With HTTP/2, the server sends SETTINGS before the client sends anything.
                WorkProj::Begin if *this.protocol == Protocol::Http2 => this.state.on(Event::ServerFirst),
                WorkProj::Begin => this.state.on(Event::ClientFirst),
                WorkProj::Sleep { timer } => {
                    let Some(io) = this.io.as_mut() else { return Poll::Ready(Ended::Finished) };
                    deadline = (!this.state.is_named()).then(|| timer.deadline());
                    this.state.on(ready!(poll_asleep(io, &mut ahead, control, timer, cx)))
                }
                WorkProj::Serve { awake } => match ready!(awake.as_mut().poll(cx)) {
                    Awake::Ended(Ended::Finished) if !control.is_open() && control.traffic().completed() > 0 => {
                        return Poll::Ready(Ended::Withheld);
                    }
                    Awake::Ended(ended) => return Poll::Ready(ended),
                    Awake::Asleep(io, unread) => {
                        *this.io = Some(io);
                        *this.protocol = Protocol::Http1;
                        ahead = unread;
                        let asleep = ConnState::Asleep;
                        if ahead.is_empty() { (asleep, Action::Sleep) } else { asleep.on(Event::Input) }
                    }
                },
                WorkProj::Close { end } => return end.as_mut().poll(cx),
            };
            *this.state = state;
            let work = match (action, this.io.take()) {
                (Action::Sleep, io) => {
                    *this.io = io;
                    if !this.state.is_named() && control.is_open() {
                        *this.state = this.state.on(Event::Opened).0;
                    }
                    let time = if this.state.is_named() {
                        limits.keep_alive_timeout.saturating_sub(control.traffic().idle_for().unwrap_or_default())
                    } else {
                        limits.silence_deadline
                    };
                    Work::Sleep { timer: sleep_until(Instant::now() + time) }
                }
                (Action::Wake, Some(io)) => {
                    let deadline = deadline.unwrap_or_else(|| Instant::now() + limits.silence_deadline);
                    let (info, protocol) = (this.info.clone(), *this.protocol);
                    let woken = Woken { io, ahead, info, protocol, state, deadline };
                    Work::Serve { awake: Box::pin(Arc::clone(this.settings).awake(woken, this.service.clone())) }
                }
                (Action::End(ended), Some(io)) => Work::Close { end: Box::pin(close_asleep(io, ended)) },
                // Only for connections on which a server runs.
                (Action::GoOn | Action::LookAgain | Action::Drain, _) | (_, None) => {
                    return Poll::Ready(Ended::Finished);
                }
            };
            this.work.set(work);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_waiting_connection_holds_five_words_and_a_timer() {
        // Together with two words of the program's worker and tokio's overhead, that makes a task of 256 bytes. The
        // allocator's next size is twice as large.
        assert!(size_of::<Served<Box<u8>, Arc<u8>>>() <= size_of::<Sleep>() + 5 * size_of::<usize>());
    }
}
