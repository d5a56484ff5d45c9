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
        // None of a response that has none.
        #[pin]
        inner: Option<B>,
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
    pub(super) fn new(inner: B, mut in_flight: InFlight, until_end: bool) -> Self {
        let ended = inner.is_end_stream();
        if ended {
            in_flight.end();
        }
        Self { inner: Some(inner), in_flight, until_end: until_end && !ended }
    }

    /// Of a response that has none, as one to HEAD (RFC 9110, 9.3.2).
    pub(super) fn absent(mut in_flight: InFlight) -> Self {
        in_flight.end();
        Self { inner: None, in_flight, until_end: false }
    }
}

impl<B: Body> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        let Poll::Ready(polled) = inner.as_mut().poll_frame(cx) else {
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
        if bytes.is_none() || inner.is_end_stream() {
            this.in_flight.end();
            *this.until_end &= matches!(polled, Some(Err(_)));
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
