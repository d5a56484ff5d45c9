use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::streams;
use crate::conn::InFlight;

pin_project! {
    /// A response body that counts its request as in flight until it ends.
    #[derive(Debug)]
    pub struct InFlightBody<B> {
        #[pin]
        inner: B,
        in_flight: InFlight,
    }
}

impl<B: Body> InFlightBody<B> {
    pub(super) fn new(inner: B, mut in_flight: InFlight) -> Self {
        if inner.is_end_stream() {
            in_flight.end();
        }
        Self { inner, in_flight }
    }
}

impl<B: Body> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        let Poll::Ready(polled) = this.inner.as_mut().poll_frame(cx) else {
            streams::note_polled(None);
            return Poll::Pending;
        };
        let bytes = match &polled {
            Some(Ok(frame)) => frame.data_ref().map(Buf::remaining),
            _ => None,
        };
        streams::note_polled(bytes);
        this.in_flight.note_piece(bytes.unwrap_or(0));
        // Behind its last piece a body need not be asked once more.
        if bytes.is_none() || this.inner.is_end_stream() {
            this.in_flight.end();
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
