use std::{
    fmt,
    future::{Ready, ready},
    marker::PhantomData,
    task::{Context, Poll},
};

use http::{Request, Response};
use tower::Service;

use crate::respond::NoResponse;

/// A service that fails each request with [`NoResponse`], so that the client gets no response.
pub struct Silence<R> {
    response: PhantomData<fn() -> R>,
}

impl<R> Silence<R> {
    /// Creates the service.
    pub fn new() -> Self {
        Self { response: PhantomData }
    }
}

impl<R> Default for Silence<R> {
    fn default() -> Self {
        Self::new()
    }
}

impl<R> Clone for Silence<R> {
    fn clone(&self) -> Self {
        Self::new()
    }
}

impl<R> fmt::Debug for Silence<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Silence")
    }
}

impl<R, B> Service<Request<B>> for Silence<R> {
    type Response = Response<R>;
    type Error = NoResponse;
    type Future = Ready<Result<Response<R>, NoResponse>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoResponse>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<B>) -> Self::Future {
        ready(Err(NoResponse))
    }
}
