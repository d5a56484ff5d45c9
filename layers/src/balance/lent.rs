use std::{
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::{RequestBody, RequestBodyError};

/// A body cannot be sent again once more than this has been read.
const MAX_BYTES: usize = 64 * 1024;

/// Lends a request body to the service of an endpoint, and gets it back when the service drops it.
#[derive(Debug, Default)]
pub(super) struct Lender(Arc<Mutex<Option<Whole>>>);

/// A whole body: the part that has been read, and the rest.
#[derive(Debug)]
struct Whole {
    read: Vec<Bytes>,
    rest: RequestBody,
}

impl Lender {
    /// Keeps `body`, and replaces it with one that lends it.
    pub(super) fn lend(body: &mut RequestBody) -> Self {
        let lender = Self::default();
        *body = lender.lent(Whole { read: Vec::new(), rest: std::mem::take(body) });
        lender
    }

    /// Lends the body again, if it has been returned.
    pub(super) fn again(&self) -> Option<RequestBody> {
        let returned = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        returned.map(|body| self.lent(body))
    }

    fn lent(&self, body: Whole) -> RequestBody {
        let left = MAX_BYTES.saturating_sub(body.read.iter().map(Bytes::len).sum());
        RequestBody::new(Lent { body, next: 0, left, lender: Some(Self(Arc::clone(&self.0))) })
    }
}

/// A request body that returns to its lender when it is dropped, unless too much of it has been read.
struct Lent {
    body: Whole,
    /// Index of the next piece of `body.read` to send again.
    next: usize,
    /// How much more can be read before the body can no longer be returned.
    left: usize,
    /// `None` if the body cannot be sent again.
    lender: Option<Lender>,
}

impl Body for Lent {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        let Whole { read, rest } = &mut this.body;
        if let Some(data) = read.get(this.next) {
            this.next += 1;
            return Poll::Ready(Some(Ok(Frame::data(data.clone()))));
        }
        let polled = ready!(Pin::new(rest).poll_frame(cx));
        let data = polled.as_ref().and_then(|frame| frame.as_ref().ok()).and_then(Frame::data_ref);
        match (data, &this.lender) {
            (Some(data), Some(_)) if data.len() <= this.left => {
                this.left -= data.len();
                this.next += 1;
                read.push(data.clone());
            }
            (None, _) if polled.is_none() => {}
            _ => {
                this.lender = None;
                read.clear();
                this.next = 0;
            }
        }
        Poll::Ready(polled)
    }

    fn is_end_stream(&self) -> bool {
        self.next >= self.body.read.len() && self.body.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let rest = self.body.rest.size_hint();
        let read: u64 = self.body.read.iter().skip(self.next).map(|data| data.len() as u64).sum();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        if let Some(lender) = &self.lender {
            let body = Whole { read: std::mem::take(&mut self.body.read), rest: std::mem::take(&mut self.body.rest) };
            *lender.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(body);
        }
    }
}
