//! The body of a response on its way to hyper.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Buf;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;
use tower::BoxError;

use super::http2::{Verdict, record_polled};
use crate::conn::InFlight;

pin_project! {
    /// A response body that counts its request as in flight until it ends.
    ///
    /// If the body fails, the error is held back until everything before it has been sent: hyper would drop that data.
    #[derive(Debug)]
    pub struct InFlightBody<B> {
        // `None` for a response without a body.
        #[pin]
        inner: Option<B>,
        in_flight: InFlight,
        // Over HTTP/1, where pieces that hyper has taken may still be unsent.
        waits: bool,
        // Sent to an HTTP/1.0 client without a length, and not complete yet: the client would mistake the end of the
        // connection for the end of the body.
        until_end: bool,
        // The error that ended the body, until it is reported.
        failed: Option<BoxError>,
    }

    impl<B> PinnedDrop for InFlightBody<B> {
        fn drop(this: Pin<&mut Self>) {
            if this.until_end {
                this.in_flight.mark_cut_short();
            }
        }
    }
}

impl<B: Body> InFlightBody<B> {
    pub(super) fn new(inner: B, mut in_flight: InFlight, http2: bool, until_end: bool) -> Self {
        let ended = inner.is_end_stream();
        if ended {
            in_flight.end();
        }
        Self { inner: Some(inner), in_flight, waits: !http2, until_end: until_end && !ended, failed: None }
    }

    /// The body of a response that has none, such as the response to a HEAD (RFC 9110, 9.3.2).
    pub(super) fn absent(mut in_flight: InFlight) -> Self {
        in_flight.end();
        Self { inner: None, in_flight, waits: false, until_end: false, failed: None }
    }
}

impl<B: Body<Error: Into<BoxError>>> Body for InFlightBody<B> {
    type Data = B::Data;
    type Error = BoxError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, BoxError>>> {
        let this = self.project();
        let Some(mut inner) = this.inner.as_pin_mut() else { return Poll::Ready(None) };
        if this.failed.is_some() {
            if *this.waits && this.in_flight.is_unsent() {
                return Poll::Pending;
            }
            return Poll::Ready(this.failed.take().map(Err));
        }
        let polled = match inner.as_mut().poll_frame(cx) {
            Poll::Ready(Some(Err(error))) => {
                *this.failed = Some(error.into());
                this.in_flight.end();
                // To be polled again after the connection has had its turn.
                cx.waker().wake_by_ref();
                record_polled(None, this.in_flight);
                return Poll::Pending;
            }
            Poll::Ready(polled) => polled.map(|frame| frame.map_err(Into::into)),
            Poll::Pending => {
                return match record_polled(None, this.in_flight) {
                    Verdict::GoOn => Poll::Pending,
                    // An error, because hyper then resets the stream even if its request is still being read.
                    Verdict::Stalled => {
                        this.in_flight.end();
                        Poll::Ready(Some(Err(h2::Error::from(h2::Reason::CANCEL).into())))
                    }
                };
            }
        };
        let bytes = match &polled {
            Some(Ok(frame)) => frame.data_ref().map(Buf::remaining),
            _ => None,
        };
        record_polled(bytes, this.in_flight);
        this.in_flight.record_piece(bytes.unwrap_or(0));
        // This can be the last poll: hyper does not poll a body that reports its end.
        if bytes.is_none() || inner.is_end_stream() {
            this.in_flight.end();
            *this.until_end = false;
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.failed.is_none() && self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}
