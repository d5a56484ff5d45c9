use std::{
    pin::Pin,
    task::{Context, Poll},
};

use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use crate::conn::InFlight;

pin_project! {
    /// A response body that counts its request as in flight until it ends.
    #[derive(Debug)]
    pub struct InFlightBody<B> {
        #[pin]
        inner: B,
        in_flight: InFlight,
        // Of HTTP/1.0 and not at its end, for which its client would take the end of the connection.
        until_end: bool,
    }

    impl<B> PinnedDrop for InFlightBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if this.until_end {
                this.in_flight.note_cut_short();
            }
        }
    }
}

impl<B: Body> InFlightBody<B> {
    pub(super) fn new(inner: B, in_flight: InFlight, until_end: bool) -> Self {
        let until_end = until_end && !inner.is_end_stream();
        Self { inner, in_flight, until_end }
    }
}

impl<B: Body> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let polled = this.inner.as_mut().poll_frame(cx);
        if polled.is_ready() {
            this.in_flight.note_progress();
        }
        match &polled {
            Poll::Ready(None) => *this.until_end = false,
            // Then nobody asks for more.
            Poll::Ready(Some(Ok(frame))) if frame.is_trailers() || this.inner.is_end_stream() => {
                *this.until_end = false;
            }
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
