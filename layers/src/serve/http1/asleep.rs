//! A connection that sleeps: no server, no buffer, only its socket and a timer.

use std::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Sleep,
};

use crate::{conn::Control, serve::state::Event};

/// Most requests without a body fit in.
const FIRST_READ: usize = 4 * 1024;

/// Waits for what ends the sleep. What was read by then is in `ahead`.
// By itself, so that there is no room for a buffer on the stack of those that are awake.
#[inline(never)]
pub(in crate::serve) fn poll_asleep<IO: AsyncRead + Unpin>(
    io: &mut IO,
    ahead: &mut Vec<u8>,
    control: &Control,
    timer: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    control.register_driver(cx.waker());
    // On the stack: who waits holds no memory for what may come.
    let mut bytes = [const { MaybeUninit::uninit() }; FIRST_READ];
    let mut buf = ReadBuf::uninit(&mut bytes);
    let ended = match Pin::new(io).poll_read(cx, &mut buf) {
        Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
            *ahead = buf.filled().to_vec();
            return Poll::Ready(Event::Input);
        }
        Poll::Ready(_) => true,
        // Only now: a request that has come is served.
        Poll::Pending => control.is_draining(),
    };
    if control.is_silenced() {
        return Poll::Ready(Event::Silenced);
    }
    if ended {
        return Poll::Ready(Event::NoInput);
    }
    ready!(timer.poll(cx));
    Poll::Ready(Event::Late)
}
