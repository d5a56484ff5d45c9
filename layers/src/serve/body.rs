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
        // Of HTTP/1.0, where the end of the connection is the end of a body without a length.
        until_end: bool,
    }
}

impl<B> InFlightBody<B> {
    pub(super) fn new(inner: B, in_flight: InFlight, until_end: bool) -> Self {
        Self { inner, in_flight, until_end }
    }
}

impl<B: Body> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let polled = this.inner.poll_frame(cx);
        if polled.is_ready() {
            this.in_flight.note_progress();
        }
        if *this.until_end && matches!(polled, Poll::Ready(Some(Err(_)))) {
            this.in_flight.note_cut_short();
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
