use std::{
    future::{Future, poll_fn},
    mem::MaybeUninit,
    pin::{Pin, pin},
    task::{Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf},
    time::{Instant, sleep_until, timeout},
};

use super::{Ended, drive::FAREWELL};
use crate::conn::Control;

/// Most requests without a body fit in.
const FIRST_READ: usize = 4 * 1024;

/// What ends a wait.
pub(super) enum Wakeup {
    /// A server of HTTP is needed, with what was read; where that is nothing, it finds out by itself what there is.
    Serve(Vec<u8>),
    /// The silence deadline is over.
    Late,
    /// In good order.
    Ended(Ended),
}

/// Waits for a request on a connection without one in flight, and holds no server of HTTP and no buffer meanwhile: until
/// the silence deadline, or, where the gate is open, for what is left of the time to keep it alive.
pub(super) async fn wait<IO>(io: &mut IO, control: &Control, silence: Instant, keep_alive: Duration) -> Wakeup
where
    IO: AsyncRead + AsyncWrite + Unpin,
{
    let open = control.is_open();
    let left = keep_alive.saturating_sub(control.idle_for().unwrap_or_default());
    let until = if open { Instant::now() + left } else { silence };
    let ended = match input(io, control, until).await {
        Input::Bytes(bytes) => return Wakeup::Serve(bytes),
        Input::End if !open => return Wakeup::Serve(Vec::new()),
        Input::Late if !open => return Wakeup::Late,
        Input::Late => Ended::Idle,
        Input::End => Ended::Finished,
    };
    // It has been read to its end. A client that takes nothing does not hold this up.
    let _ = timeout(FAREWELL, io.shutdown()).await;
    Wakeup::Ended(ended)
}

enum Input {
    Bytes(Vec<u8>),
    /// Nothing more is to be waited for.
    End,
    Late,
}

async fn input<IO: AsyncRead + Unpin>(io: &mut IO, control: &Control, until: Instant) -> Input {
    let mut timer = pin!(sleep_until(until));
    poll_fn(|cx| {
        control.register_driver(cx.waker());
        // On the stack: who waits holds no memory for what may come.
        let mut bytes = [const { MaybeUninit::uninit() }; FIRST_READ];
        let mut buf = ReadBuf::uninit(&mut bytes);
        match Pin::new(&mut *io).poll_read(cx, &mut buf) {
            Poll::Ready(Ok(())) if !buf.filled().is_empty() => return Poll::Ready(Input::Bytes(buf.filled().to_vec())),
            Poll::Ready(_) => return Poll::Ready(Input::End),
            Poll::Pending => {}
        }
        // Only now: a request that has come is served.
        if control.is_draining() || control.is_silenced() {
            return Poll::Ready(Input::End);
        }
        ready!(timer.as_mut().poll(cx));
        Poll::Ready(Input::Late)
    })
    .await
}
