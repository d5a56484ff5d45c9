//! A sleeping connection: no server, no buffer, only its socket and a timer.

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

/// Large enough for most requests without a body.
const FIRST_READ: usize = 4 * 1024;

/// Waits for an event that ends the sleep. Stores the bytes that have been read by then in `ahead`.
// Not inlined, so that the buffer takes no space on the stack of connections that are awake.
#[inline(never)]
pub(in crate::serve) fn poll_asleep<IO: AsyncRead + Unpin>(
    io: &mut IO,
    ahead: &mut Vec<u8>,
    control: &Control,
    timer: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<Event> {
    control.register_driver(cx.waker());
    // On the stack, so that a waiting connection holds no memory for input.
    let mut bytes = [const { MaybeUninit::uninit() }; FIRST_READ];
    let mut buf = ReadBuf::uninit(&mut bytes);
    let ended = match Pin::new(io).poll_read(cx, &mut buf) {
        Poll::Ready(Ok(())) if !buf.filled().is_empty() => {
            *ahead = buf.filled().to_vec();
            return Poll::Ready(Event::Input);
        }
        Poll::Ready(_) => true,
        // Checked only now, so that a request that has already arrived is served.
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
