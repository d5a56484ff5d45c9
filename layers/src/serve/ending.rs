//! Closes the transport of a connection.

use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::timeout,
};

use super::{Ended, timing::FAREWELL};
use crate::{
    conn::Control,
    silence::{self, IntoRaw, Reclaim},
};

/// How much to read from an HTTP/2 client after the end of its connection, so that no RST overtakes the GOAWAY: one
/// full read of hyper's plus what a socket can hold. A client that floods sends more, and is not worth the effort.
const MAX_UNREAD: usize = 256 * 1024;

/// Closes a connection on which no server runs and for which nothing is left to write.
pub(super) async fn close_asleep<IO: AsyncWrite + IntoRaw + Unpin>(mut io: IO, ended: Ended) -> Ended {
    match ended {
        // The client has received everything that it requested. If it does not read, this does not wait for long.
        Ended::Finished | Ended::Idle => drop(timeout(FAREWELL, io.shutdown()).await),
        _ => silence::close(io).await,
    }
    ended
}

/// Closes a connection whose server has ended, unless it has become a tunnel.
pub(super) async fn close_awake<IO: IntoRaw>(reclaim: &Reclaim<IO>, control: &Control, is_http2: bool, ended: &Ended) {
    // A connection that ended normally has sent its FIN. On all others, input may be unread: after a response that did
    // not wait for the end of the request, or if frames arrive that belong to no stream. Closing now would send a RST.
    // hyper also reports a normal end when it closes an HTTP/2 connection because of a CONNECT with a length.
    let read_all = !is_http2 || control.is_draining();
    if matches!(ended, Ended::Finished) && read_all && !control.traffic().had_body() && control.is_open() {
        return;
    }
    let Some(io) = reclaim.take() else { return };
    // The client must not mistake what it has received for a whole response.
    if matches!(ended, Ended::Stalled) || control.traffic().is_cut_short() {
        io.reset();
    } else if is_http2 && control.is_open() {
        // An HTTP/2 client reads while it sends, so it sees the end even if not all of its input is read.
        silence::close_within(io, MAX_UNREAD).await;
    } else {
        silence::close(io).await;
    }
}

/// Resets a connection that is dropped in the middle of a response, for example when the runtime shuts down.
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
