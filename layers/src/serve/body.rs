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
        // Of HTTP/1.0 and not at its end, for which its client would take the end of the connection.
        until_end: bool,
        // Of a response to HEAD: what there is of it is not sent.
        absent: bool,
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
    pub(super) fn new(inner: B, mut in_flight: InFlight, until_end: bool) -> Self {
        let ended = inner.is_end_stream();
        if ended {
            in_flight.end();
        }
        Self { inner, in_flight, until_end: until_end && !ended, absent: false }
    }

    /// Of a response to HEAD, which has none (RFC 9110, 9.3.2).
    pub(super) fn absent(inner: B, mut in_flight: InFlight) -> Self {
        in_flight.end();
        Self { inner, in_flight, until_end: false, absent: true }
    }
}

impl<B: Body> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let mut this = self.project();
        if *this.absent {
            return Poll::Ready(None);
        }
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
            *this.until_end &= matches!(polled, Some(Err(_)));
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.absent || self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
