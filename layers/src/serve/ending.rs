//! How the transport of a connection is closed.

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{Ended, timing::FAREWELL};
use crate::{
    conn::Control,
    silence::{self, IntoRaw, Reclaim},
};

/// What is read of a client of HTTP/2 once its connection has ended, so that its GOAWAY is not overtaken by a RST: a full
/// read of hyper's beside what waits in a socket. Those that flood send more, and are not worth the reading.
const MOST_UNREAD: usize = 256 * 1024;

/// Closes a connection that no server has, and for which nothing is left to write.
pub(super) async fn close_asleep<IO: AsyncWrite + IntoRaw + Unpin>(mut io: IO, ended: Ended) -> Ended {
    match ended {
        // The client has got all that it asked for. One that takes nothing does not hold this up.
        Ended::Finished | Ended::Idle => drop(timeout(FAREWELL, io.shutdown()).await),
        _ => silence::close(io).await,
    }
    ended
}

/// Closes a connection whose server has ended, unless it is a tunnel by now.
pub(super) async fn close_awake<IO: IntoRaw>(reclaim: &Reclaim<IO>, control: &Control, is_http2: bool, ended: &Ended) {
    // A connection in good order has sent its FIN. Input may be unread on all others, after a response that did not wait
    // for the end of the request, and wherever frames come that belong to none: closed now, the connection would be
    // reset. hyper takes for good order, too, that it gives up HTTP/2 because of a CONNECT with a length.
    let read_all = !is_http2 || control.is_draining();
    if matches!(ended, Ended::Finished) && read_all && !control.traffic().had_body() && control.is_open() {
        return;
    }
    let Some(io) = reclaim.take() else { return };
    // What the client has got must not pass for a whole response.
    if matches!(ended, Ended::Stalled) || control.traffic().is_cut_short() {
        io.reset();
    } else if is_http2 && control.is_open() {
        // A client of HTTP/2 reads while it sends: it learns of the end without being read to its own.
        silence::close_within(io, MOST_UNREAD).await;
    } else {
        silence::close(io).await;
    }
}

/// Resets a connection that is dropped within a response, as at the end of a runtime.
pub(super) struct ResetIfCutShort<'a, IO: IntoRaw> {
    pub(super) reclaim: &'a Reclaim<IO>,
    pub(super) control: &'a Control,
    pub(super) armed: bool,
}

impl<IO: IntoRaw> Drop for ResetIfCutShort<'_, IO> {
    fn drop(&mut self) {
        if self.armed
            && self.control.traffic().is_cut_short()
            && let Some(io) = self.reclaim.take()
        {
            io.reset();
        }
    }
}
