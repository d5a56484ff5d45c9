use std::{
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use crate::body::{RequestBody, RequestBodyError};

/// A body whose beginning has already been read.
#[derive(Debug)]
pub(super) struct Resumed {
    read: [Bytes; 2],
    rest: RequestBody,
}

impl Resumed {
    pub(super) fn new(read: [Bytes; 2], rest: RequestBody) -> Self {
        Self { read, rest }
    }
}

impl Body for Resumed {
    type Data = Bytes;
    type Error = RequestBodyError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestBodyError>>> {
        let this = self.get_mut();
        match this.read.iter_mut().find(|piece| !piece.is_empty()) {
            Some(piece) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(piece))))),
            None => Pin::new(&mut this.rest).poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.read.iter().all(Bytes::is_empty) && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let read: u64 = self.read.iter().map(|piece| piece.len() as u64).sum();
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower().saturating_add(read));
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper.saturating_add(read));
        }
        hint
    }
}
