use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
    task::{Context, Poll, ready},
    time::Duration,
};

use hyper::rt::{Read, Write};
use tokio::{
    io::AsyncRead,
    time::{Instant, Sleep, sleep_until},
};

use super::Ended;
use crate::{conn::Control, silence::Gate};

/// How long a connection may take to end once it was asked to, with nothing in flight.
const FAREWELL: Duration = Duration::from_secs(1);

/// Runs `connection` to its end: its own, the deadline before the gate opens, an idle time, silence, or draining.
///
/// One timer serves all deadlines. It is not moved by requests; when it fires, it looks how long the connection has
/// been idle and sleeps for the rest.
pub(super) async fn drive<C: Connection>(
    connection: C,
    control: &Control,
    silence_deadline: Instant,
    keep_alive_timeout: Duration,
) -> Ended {
    let mut driver = Driver { control, silence_deadline, keep_alive_timeout, draining: false, farewell: false };
    let mut connection = pin!(connection);
    let mut timer = pin!(sleep_until(silence_deadline.min(Instant::now() + keep_alive_timeout)));
    poll_fn(|cx| driver.poll(connection.as_mut(), timer.as_mut(), cx)).await
}

/// Whether the client speaks HTTP/2 from its first byte; no, as far as is known, once the connection is to end.
pub(super) async fn detect_http2<IO: AsyncRead + Unpin>(gate: &mut Gate<IO>, control: &Control) -> bool {
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

struct Driver<'a> {
    control: &'a Control,
    silence_deadline: Instant,
    keep_alive_timeout: Duration,
    draining: bool,
    farewell: bool,
}

impl Driver<'_> {
    fn poll<C: Connection>(
        &mut self,
        mut connection: Pin<&mut C>,
        mut timer: Pin<&mut Sleep>,
        cx: &mut Context<'_>,
    ) -> Poll<Ended> {
        self.control.register_driver(cx.waker());
        if !self.draining && self.control.is_draining() {
            self.draining = true;
            connection.as_mut().drain();
            // A client that does not answer to it does not hold the end up.
            let end = timer.deadline().min(Instant::now() + FAREWELL);
            timer.as_mut().reset(end);
        }
        let ended = connection.as_mut().poll(cx);
        if self.control.is_silenced() {
            return Poll::Ready(Ended::Silenced);
        }
        if let Poll::Ready(result) = ended {
            return Poll::Ready(match result {
                Ok(()) => Ended::Finished,
                Err(error) => Ended::Failed(error),
            });
        }
        loop {
            ready!(timer.as_mut().poll(cx));
            if !self.control.is_open() {
                if self.draining || Instant::now() >= self.silence_deadline {
                    return Poll::Ready(Ended::Deadline);
                }
                timer.as_mut().reset(self.silence_deadline);
                continue;
            }
            let timeout = if self.draining { FAREWELL } else { self.keep_alive_timeout };
            let wait = match self.control.idle_for() {
                Some(idle) if idle >= timeout => {
                    if self.farewell || self.draining {
                        return Poll::Ready(Ended::Idle);
                    }
                    self.farewell = true;
                    connection.as_mut().drain();
                    if connection.as_mut().poll(cx).is_ready() {
                        return Poll::Ready(Ended::Idle);
                    }
                    FAREWELL
                }
                Some(idle) => timeout - idle,
                None => timeout,
            };
            timer.as_mut().reset(Instant::now() + wait);
        }
    }
}

/// A connection of hyper, whichever version.
pub(super) trait Connection: Future<Output = hyper::Result<()>> {
    /// Takes no further request.
    fn drain(self: Pin<&mut Self>);
}

impl<I, S, B> Connection for hyper::server::conn::http1::UpgradeableConnection<I, S>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<tower::BoxError>,
    I: Read + Write + Unpin + Send + 'static,
    B: http_body::Body + 'static,
    B::Error: Into<tower::BoxError>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}

impl<I, S, B, E> Connection for hyper::server::conn::http2::Connection<I, S, E>
where
    S: hyper::service::HttpService<hyper::body::Incoming, ResBody = B>,
    S::Error: Into<tower::BoxError>,
    I: Read + Write + Unpin,
    B: http_body::Body + 'static,
    B::Error: Into<tower::BoxError>,
    E: hyper::rt::bounds::Http2ServerConnExec<S::Future, B>,
{
    fn drain(self: Pin<&mut Self>) {
        self.graceful_shutdown();
    }
}
