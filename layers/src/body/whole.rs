use std::fmt;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

/// Maximum length of a frame. The response timeout sees the progress of a long body by its frames.
const PIECE: usize = 64 * 1024;

/// A body in memory. Its clones share the data.
#[derive(Clone)]
pub(crate) struct Whole {
    data: Bytes,
    /// Boxed, because trailers are rare and large.
    trailers: Option<Box<HeaderMap>>,
    is_unread: bool,
}

impl Whole {
    pub(crate) fn new(data: Bytes, trailers: Option<HeaderMap>) -> Self {
        Self { data, trailers: trailers.filter(|trailers| !trailers.is_empty()).map(Box::new), is_unread: true }
    }

    pub(super) fn next_frame(&mut self) -> Option<Frame<Bytes>> {
        self.is_unread = false;
        if self.data.is_empty() {
            return self.trailers.take().map(|trailers| Frame::trailers(*trailers));
        }
        Some(Frame::data(self.data.split_to(self.data.len().min(PIECE))))
    }

    pub(super) fn is_unread(&self) -> bool {
        self.is_unread
    }

    pub(super) fn is_read(&self) -> bool {
        self.data.is_empty() && self.trailers.is_none()
    }

    /// Over HTTP/1.1, only a body of unknown length can have trailers.
    pub(super) fn size_hint(&self) -> SizeHint {
        let length = self.data.len() as u64;
        match self.trailers {
            None => SizeHint::with_exact(length),
            Some(_) => {
                let mut hint = SizeHint::new();
                hint.set_lower(length);
                hint
            }
        }
    }
}

impl fmt::Debug for Whole {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Whole").field("length", &self.data.len()).finish_non_exhaustive()
    }
}
