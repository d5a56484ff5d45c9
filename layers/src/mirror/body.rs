use std::{
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body::{Body, Frame, SizeHint};
use tower::{BoxError, Service};

use super::head::Head;
use crate::{
    body::{RequestBody, RequestBodyError, Whole},
    buffer_body::Buffer,
};

/// A body that is copied while the inner service reads it. The copy is sent at the end.
pub(super) struct Copied<M, R>
where
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    inner: RequestBody,
    /// `None` once it has been sent or skipped.
    copy: Option<Box<Begun<M>>>,
}

struct Begun<M> {
    head: Head<M>,
    data: Buffer,
    length: usize,
    trailers: Option<HeaderMap>,
    /// Whether all declared bytes have arrived. Only trailers can follow.
    has_all: bool,
}

impl<M, R> Copied<M, R>
where
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    pub(super) fn new(inner: RequestBody, data: Buffer, head: Head<M>) -> Self {
        let begun = Begun { head, data, length: 0, trailers: None, has_all: false };
        Self { inner, copy: Some(Box::new(begun)) }
    }

    fn skip(&mut self) {
        if let Some(copy) = self.copy.take() {
            copy.head.skip();
        }
    }

    fn send(&mut self) {
        let Some(copy) = self.copy.take() else { return };
        let Begun { head, data, length, trailers, .. } = *copy;
        if head.is_complete(length) {
            head.send(RequestBody::whole(Whole::new(data.into_bytes(), trailers)));
        } else {
            head.skip();
        }
    }
}

impl<M, R> Body for Copied<M, R>
where
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        let polled = ready!(Pin::new(&mut this.inner).poll_frame(cx));
        let Some(copy) = &mut this.copy else { return Poll::Ready(polled) };
        match &polled {
            None => this.send(),
            Some(Err(_)) => this.skip(),
            Some(Ok(frame)) => {
                let fits = frame.data_ref().is_none_or(|data| {
                    copy.length += data.len();
                    copy.data.add(data)
                });
                copy.trailers = frame.trailers_ref().cloned();
                copy.has_all = this.inner.size_hint().exact() == Some(0);
                if !fits {
                    this.skip();
                } else if frame.is_trailers() || this.inner.is_end_stream() {
                    // The inner service might not poll again.
                    this.send();
                }
            }
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

impl<M, R> Drop for Copied<M, R>
where
    M: Service<Request<RequestBody>, Response = Response<R>, Error: Into<BoxError>, Future: Send> + Send + 'static,
    R: Body<Error: Into<BoxError>> + Send + 'static,
{
    fn drop(&mut self) {
        match &self.copy {
            Some(copy) if copy.has_all => self.send(),
            _ => self.skip(),
        }
    }
}
