use std::{
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, ReadBuf},
    time::Sleep,
};

use crate::conn::Control;

/// Most requests without a body fit in.
const FIRST_READ: usize = 4 * 1024;

/// What ends the sleep of a connection.
pub(in crate::serve) enum Input {
    Bytes(Vec<u8>),
    /// Nothing more is to be waited for.
    End,
    Late,
}

/// Waits for what ends the sleep.
// By itself, so that there is no room for a buffer on the stack of those that are awake.
#[inline(never)]
pub(in crate::serve) fn poll_input<IO: AsyncRead + Unpin>(
    io: &mut IO,
    control: &Control,
    timer: Pin<&mut Sleep>,
    cx: &mut Context<'_>,
) -> Poll<Input> {
    control.register_driver(cx.waker());
    // On the stack: who waits holds no memory for what may come.
    let mut bytes = [const { MaybeUninit::uninit() }; FIRST_READ];
    let mut buf = ReadBuf::uninit(&mut bytes);
    match Pin::new(io).poll_read(cx, &mut buf) {
        Poll::Ready(Ok(())) if !buf.filled().is_empty() => return Poll::Ready(Input::Bytes(buf.filled().to_vec())),
        Poll::Ready(_) => return Poll::Ready(Input::End),
        Poll::Pending => {}
    }
    // Only now: a request that has come is served.
    if control.is_draining() || control.is_silenced() {
        return Poll::Ready(Input::End);
    }
    ready!(timer.poll(cx));
    Poll::Ready(Input::Late)
}
