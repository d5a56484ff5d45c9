use std::{
    sync::Arc,
    task::{Context, Poll},
};

use http::Request;
use tower::{BoxError, Layer, Service};

use super::PathEdits;
use crate::{ResponseFuture, forwarded::X_FORWARDED_PREFIX};

/// Changes the path of each request, and sends a prefix that it removes as `X-Forwarded-Prefix`.
///
/// A request fails with [`PathRejected`](super::PathRejected) if its new path would not be valid or would be ambiguous.
///
/// If the request already has an `X-Forwarded-Prefix`, the removed prefix is appended to it. To drop the header if a client
/// sends it, put a [`DistrustLayer`](crate::forwarded::DistrustLayer) outside this layer.
#[derive(Debug, Clone)]
pub struct EditPathLayer {
    edits: Arc<PathEdits>,
}

impl EditPathLayer {
    /// Creates a layer that makes these changes.
    pub fn new(edits: impl Into<Arc<PathEdits>>) -> Self {
        Self { edits: edits.into() }
    }
}

impl<S> Layer<S> for EditPathLayer {
    type Service = EditPath<S>;

    fn layer(&self, inner: S) -> Self::Service {
        EditPath { inner, edits: Arc::clone(&self.edits) }
    }
}

/// The service of [`EditPathLayer`].
#[derive(Debug, Clone)]
pub struct EditPath<S> {
    inner: S,
    edits: Arc<PathEdits>,
}

impl<S> EditPath<S> {
    inner_accessors!();
}

impl<S, B> Service<Request<B>> for EditPath<S>
where
    S: Service<Request<B>>,
    S::Error: Into<BoxError>,
{
    type Response = S::Response;
    type Error = BoxError;
    type Future = ResponseFuture<S::Future>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        match self.edits.edited(&request) {
            Ok((uri, prefix)) => {
                *request.uri_mut() = uri;
                if let Some(prefix) = prefix {
                    request.headers_mut().insert(X_FORWARDED_PREFIX, prefix);
                }
                ResponseFuture::inner(self.inner.call(request))
            }
            Err(rejected) => ResponseFuture::error(rejected),
        }
    }
}
